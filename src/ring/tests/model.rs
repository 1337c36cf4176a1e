//! The ring against a plain model: whatever happens in whatever order, what is accepted is what
//! is drained, per lane in order, and accepted + lost = pushed.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Register,
    Close(usize),
    Push {
        handle: usize,
        words: u32,
        class: Class,
        times: u32,
    },
    /// Takes at most so many records of each lane.
    Pass {
        records: usize,
    },
    Rewind {
        records: usize,
    },
}

/// What a lane of one generation should hold.
#[derive(Debug, Default)]
struct LaneModel {
    queue: VecDeque<(u32, u64)>,
    accepted: u64,
    lost: [u64; LOSS_REASONS],
    trade: u64,
    /// The losses as the last gap record told them.
    told: u64,
}

#[derive(Default)]
struct Model {
    handles: Vec<LaneHandle>,
    /// By lane and generation.
    lanes: std::collections::HashMap<(u32, u32), LaneModel>,
    pushed: u64,
}

fn class() -> impl Strategy<Value = Class> {
    (any::<bool>(), any::<bool>()).prop_map(|(privileged, trade)| Class { privileged, trade })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Register),
        1 => (0..8_usize).prop_map(Step::Close),
        12 => (0..8_usize, 2..128_u32, class(), 1..60_u32).prop_map(
            |(handle, words, class, times)| Step::Push { handle, words, class, times }
        ),
        3 => (0..400_usize).prop_map(|records| Step::Pass { records }),
        1 => (0..400_usize).prop_map(|records| Step::Rewind { records }),
    ]
}

impl Model {
    fn lane_of(&mut self, handle: usize) -> &mut LaneModel {
        let handle = &self.handles[handle];
        self.lanes.entry((handle.lane(), handle.generation())).or_default()
    }

    fn push(&mut self, handle: usize, len: u32, class: Class) {
        let number = self.pushed;
        self.pushed += 1;
        let mark = self.handles[handle].lane();
        let pushed = self.handles[handle].push(len, class, |slot| fill(slot, mark, number));
        let lane = self.lane_of(handle);
        match pushed {
            Ok(()) => {
                lane.queue.push_back((len, number));
                lane.accepted += 1;
            }
            Err(PushError::Full) => {
                lane.lost[LossReason::Full.index()] += 1;
                lane.trade += u64::from(class.trade);
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn check_gap(&mut self, lane: u32, generation: u32, by_reason: [u64; 6], trade: u64) {
        let model = self.lanes.get_mut(&(lane, generation)).expect("a lane that lost");
        let total = by_reason.iter().sum::<u64>();
        assert!(total > model.told, "a gap tells something new");
        assert!(total <= model.lost.iter().sum(), "and nothing that was not lost");
        assert!(trade <= model.trade);
        model.told = total;
    }

    /// One pass, which takes a limited number of records of each lane.
    fn pass(&mut self, drain: &mut RingDrain, records: usize, keep: bool) {
        drain.begin_pass();
        for lane in 0..drain.lanes() {
            let mut left = records;
            while left > 0 {
                let Some(run) = drain.peek(lane) else { break };
                let mut bytes = 0;
                for entry in entries(run.bytes).into_iter().take(left) {
                    left -= 1;
                    bytes += self.check(lane, run.generation, entry, keep);
                }
                drain.take(lane, bytes);
            }
            if !keep {
                continue;
            }
            if let Some(info) = drain.unreported_losses(lane) {
                let losses = info.losses;
                self.check_gap(lane, info.generation, losses.by_reason, losses.trade);
                drain.mark_reported(lane, &info);
            }
        }
        if keep { drain.commit() } else { drain.rewind() }
    }

    /// Compares one drained record with the model; the result is its length.
    fn check(&mut self, lane: u32, generation: u32, entry: Entry, keep: bool) -> u32 {
        match entry {
            Entry::Gap { generation: told, by_reason, trade } => {
                assert_eq!(told, generation);
                if keep {
                    self.check_gap(lane, generation, by_reason, trade);
                }
                GAP_BYTES
            }
            Entry::Record { len, mark, number } => {
                assert_eq!(mark, lane);
                if keep {
                    let model = self.lanes.get_mut(&(lane, generation)).expect("a lane");
                    assert_eq!(model.queue.pop_front(), Some((len, number)));
                }
                len
            }
        }
    }

    fn run(&mut self, ring: &Arc<Ring>, drain: &mut RingDrain, step: Step) {
        match step {
            Step::Register if self.handles.len() < 8 => self.handles.push(ring.register()),
            Step::Close(handle) if handle < self.handles.len() => {
                drop(self.handles.swap_remove(handle));
            }
            Step::Push { handle, words, class, times } if !self.handles.is_empty() => {
                let handle = handle % self.handles.len();
                (0..times).for_each(|_| self.push(handle, words * 8, class));
            }
            Step::Pass { records } => self.pass(drain, records, true),
            Step::Rewind { records } => self.pass(drain, records, false),
            Step::Register | Step::Close(_) | Step::Push { .. } => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ring_behaves_like_plain_queues(
        steps in prop::collection::vec(step(), 1..120),
        reserve_blocks in 0..5_u32,
    ) {
        let (ring, mut drain) = Ring::create(RingConfig { reserve_blocks, ..config() }).unwrap();
        let mut model = Model::default();
        for step in steps {
            model.run(&ring, &mut drain, step);
        }
        // In the end every lane is closed, drained, told and free again.
        model.handles.clear();
        while !drain.is_drained() {
            model.pass(&mut drain, usize::MAX, true);
        }
        model.pass(&mut drain, usize::MAX, true);
        let lanes = model.lanes.values();
        let accepted: u64 = lanes.clone().map(|lane| lane.accepted).sum();
        let lost: u64 = lanes.clone().flat_map(|lane| lane.lost).sum();
        prop_assert_eq!(accepted + lost, model.pushed);
        prop_assert_eq!(drain.accepted(), accepted);
        prop_assert_eq!(ring.losses().total(), lost);
        prop_assert_eq!(ring.losses().trade, lanes.clone().map(|lane| lane.trade).sum::<u64>());
        for lane in lanes {
            prop_assert!(lane.queue.is_empty());
            prop_assert_eq!(lane.told, lane.lost.iter().sum::<u64>(), "every loss was told");
        }
        let kept = ring.occupancy().blocks - ring.occupancy().free_blocks;
        prop_assert!(kept <= 1, "only the shared lane may keep a block, but {} are kept", kept);
        prop_assert_eq!(ring.occupancy().lanes_active, 0);
    }
}
