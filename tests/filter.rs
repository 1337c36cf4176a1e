//! `log_filter`: levels by module, on the caller's side and in the logs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{Desk, PATIENCE};
use tapelog::{Level, MetaLogger, context, debug, enabled, info, trade, try_debug, warning};

mod risk {
    use tapelog::{MetaLogger, debug, info};

    pub(crate) fn work(log: &MetaLogger, round: u32) {
        debug!(log, "risk debug", round);
        info!(log, "risk info", round);
        limits::work(log, round);
    }

    mod limits {
        pub(super) fn work(log: &super::MetaLogger, round: u32) {
            super::debug!(log, "limits debug", round);
        }
    }
}

mod noise {
    pub(crate) fn work(log: &tapelog::MetaLogger, round: u32) {
        tapelog::critical!(log, "noise", round);
    }
}

/// Everything that this program logs, by every kind of face.
fn work(log: &MetaLogger, round: u32) {
    debug!(log, "main debug", round);
    info!(log, "main info", round);
    warning!(log.producer(), "main warning", round);
    trade!(log, "trade", round);
    debug!(log.bind(context! { category = "trade" }), "trade by its logger", round);
    debug!(log, "trade by its field", round, category = "trade");
    log.debug("dynamic debug", &[("round", round.into())]).unwrap();
    log.info("dynamic info", &[("round", round.into())]).unwrap();
    risk::work(log, round);
    noise::work(log, round);
}

/// What stands in expert.log of a round, without the times.
fn shown(desk: &Desk, round: u32) -> Vec<String> {
    let of_round = |line: &String| support::number(line, "round") == u64::from(round);
    let text = |line: String| {
        let (_, behind) = line.split_once("] [").unwrap();
        let (_, event) = behind.split_once("] ").unwrap();
        event.split(" round=").next().unwrap().trim().to_owned()
    };
    desk.lines("expert.log").into_iter().filter(of_round).map(text).collect()
}

#[test]
fn each_module_has_its_level_and_the_others_follow_the_log_level() {
    let desk = Desk::new();
    let builder = desk.builder().log_filter("info, filter::risk=debug,filter::noise=off");
    let (log, guard) = builder.log_level(Level::Error).build().unwrap();
    for (round, level) in
        [Level::Info, Level::Debug, Level::Warning, Level::Info].iter().enumerate()
    {
        if round > 0 {
            log.set_level(*level);
        }
        work(&log, round as u32);
        log.flush(PATIENCE).unwrap();
    }
    assert!(enabled!(log, Level::Debug), "some module logs it");
    assert!(!enabled!(log, Level::Trace));
    assert_eq!(log.stats().lost.total(), 0);
    drop(guard);

    fn with(others: &[&'static str]) -> Vec<&'static str> {
        [others, &["risk debug", "risk info", "limits debug"]].concat()
    }
    let info = with(&["main info", "main warning", "trade", "dynamic info"]);
    assert_eq!(shown(&desk, 0), info, "the filter's own level, not log_level");
    let all = ["main debug", "main info", "main warning", "trade"];
    let debug = ["trade by its logger", "trade by its field", "dynamic debug", "dynamic info"];
    assert_eq!(shown(&desk, 1), with(&[all, debug].concat()));
    assert_eq!(shown(&desk, 2), with(&["main warning"]));
    assert_eq!(shown(&desk, 3), info, "sites that had been filtered out are back in their places");

    let trades = desk.json("trades.log");
    let rounds: Vec<_> = trades.iter().map(|entry| entry["round"].as_u64().unwrap()).collect();
    assert_eq!(rounds, [0, 1, 2, 3], "the filter leaves trade events to trade_log_level");
}

#[test]
fn a_trade_event_below_the_modules_level_is_kept_by_the_trade_level() {
    let desk = Desk::new();
    let builder = desk.builder().log_filter("warn,filter::risk=debug");
    let (log, guard) = builder.trade_log_level(Level::Debug).build().unwrap();
    work(&log, 0);
    drop(guard);
    let events: Vec<_> = desk.json("trades.log").iter().map(|e| e["event"].to_string()).collect();
    assert_eq!(events, ["\"trade\"", "\"trade by its logger\"", "\"trade by its field\""]);
}

#[test]
fn one_site_serves_engines_with_different_filters() {
    let (quiet, open) = (Desk::new(), Desk::new());
    let (first, one) = quiet.builder().log_filter("error,filter::risk=info").build().unwrap();
    let (second, two) = open.builder().log_level(Level::Debug).build().unwrap();
    for round in 0..3 {
        for log in [&first, &second] {
            try_debug!(log, "shared", round).unwrap();
            risk::work(log, round);
        }
    }
    drop((one, two));
    assert_eq!(quiet.lines("expert.log").len(), 3);
    assert_eq!(open.lines("expert.log").len(), 12);
}

#[test]
fn a_wrong_directive_is_refused_with_what_is_accepted() {
    let refused = |text: &str| {
        let told = Desk::new().builder().log_filter(text).build().unwrap_err().to_string();
        assert!(told.contains("log_filter") && told.contains(text), "{told}");
        told
    };
    assert!(refused("info,my-bot=debug").contains("`_` here"));
    assert!(refused("inof").contains("module::path=level"));
    assert!(refused("info,,x=debug").contains("comma"));
}
