//! Bare queues: no level, no format, no stamp of their own; a thread writes the bytes to a file. What
//! a logger cannot be faster than, if it is built on one of them.
//!
//! A record is the caller's stamp and the values, little-endian: 8, 32 or 64 bytes.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::thread;

use super::writer::buffered;
use super::{FILE, QUEUE_RECORDS};
use crate::bench::Bench;
use crate::case::{Arguments, Case};

/// The bytes of one record.
pub(crate) fn encode<const BYTES: usize>(arguments: &Arguments) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&arguments.at.0.to_le_bytes());
    if BYTES > 8 {
        bytes[8..16].copy_from_slice(&arguments.seq.to_le_bytes());
        bytes[16..24].copy_from_slice(&arguments.next.to_le_bytes());
    }
    if BYTES == 32 {
        bytes[24..32].copy_from_slice(&arguments.price.to_le_bytes());
    } else if BYTES == 64 {
        bytes[24..64].copy_from_slice(arguments.text.as_bytes());
    }
    bytes
}

/// How long a record is.
pub(crate) fn record_bytes(case: Case) -> usize {
    match case {
        Case::NoArgs => 8,
        Case::IntIntDouble => 32,
        Case::IntIntString40 => 64,
    }
}

pub(super) fn crossbeam(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    match bench.case() {
        Case::NoArgs => through_crossbeam::<8>(bench),
        Case::IntIntDouble => through_crossbeam::<32>(bench),
        Case::IntIntString40 => through_crossbeam::<64>(bench),
    }
}

pub(super) fn rtrb(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    match bench.case() {
        Case::NoArgs => through_rtrb::<8>(bench),
        Case::IntIntDouble => through_rtrb::<32>(bench),
        Case::IntIntString40 => through_rtrb::<64>(bench),
    }
}

/// The receiver sleeps while the channel is empty; a full channel blocks the sender.
fn through_crossbeam<const BYTES: usize>(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let mut file = buffered(&bench.directory().join(FILE))?;
    let (sender, receiver) = crossbeam_channel::bounded::<[u8; BYTES]>(QUEUE_RECORDS);
    let writer = thread::spawn(move || -> io::Result<()> {
        while let Ok(record) = receiver.recv() {
            file.write_all(&record)?;
            while let Ok(record) = receiver.try_recv() {
                file.write_all(&record)?;
            }
            file.flush()?;
        }
        file.flush()
    });
    bench.calls(|a| {
        let sent = sender.send(encode(a));
        debug_assert!(sent.is_ok(), "the receiver lives as long as the sender");
    })?;
    drop(sender);
    writer.join().map_err(|_| "the thread behind the channel panicked")??;
    bench.in_file();
    Ok(())
}

/// Both sides spin.
fn through_rtrb<const BYTES: usize>(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let mut file = buffered(&bench.directory().join(FILE))?;
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u8; BYTES]>::new(QUEUE_RECORDS);
    // Once through the ring, so that the calls that count touch no new page.
    producer.write_chunk_uninit(QUEUE_RECORDS)?.fill_from_iter(std::iter::repeat([0; BYTES]));
    consumer.read_chunk(QUEUE_RECORDS)?.commit_all();
    let writer = thread::spawn(move || -> io::Result<()> {
        loop {
            // Read before the ring is: what was pushed before the producer was dropped is seen.
            let last = consumer.is_abandoned();
            if !move_all(&mut consumer, &mut file)? {
                if last {
                    return file.flush();
                }
                std::hint::spin_loop();
            }
        }
    });
    bench.calls(|a| {
        let mut record = encode(a);
        while let Err(rtrb::PushError::Full(back)) = producer.push(record) {
            record = back;
            std::hint::spin_loop();
        }
    })?;
    drop(producer);
    writer.join().map_err(|_| "the thread behind the ring panicked")??;
    bench.in_file();
    Ok(())
}

/// Whether there was anything.
fn move_all<const BYTES: usize>(
    consumer: &mut rtrb::Consumer<[u8; BYTES]>,
    file: &mut BufWriter<File>,
) -> io::Result<bool> {
    let ready = consumer.slots();
    let Ok(chunk) = consumer.read_chunk(ready) else { return Ok(false) };
    if chunk.is_empty() {
        return Ok(false);
    }
    let (first, second) = chunk.as_slices();
    file.write_all(first.as_flattened())?;
    file.write_all(second.as_flattened())?;
    chunk.commit_all();
    Ok(true)
}
