//! Row 15: whatever a journal's files hold, reading them takes no more than 64 MiB and comes to an
//! end. Each journal here is valid to its last checksum, and made to take as much memory as it can.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::journal::frame::{
    Kind, LanePosition, RECORDS_HEADER_BYTES, RunHeader, write_definition,
};
use crate::journal::hostile::{SEALED, WRITER, sealed};
use crate::journal::index::file_name;
use crate::reading::{Format, Journal};
use crate::record::{Flags, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind, TypeCode};

const RESIDENT_BYTES_MAX: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(120);
const DIRECTORY: &str = "TEST_HOSTILE_JOURNAL";

/// A frame that is to be sealed.
fn frame(kind: Kind, bytes: usize, write: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut frame = vec![0; bytes.next_multiple_of(8)];
    write(&mut frame);
    let length = (frame.len() as u32).to_le_bytes();
    frame[4..8].copy_from_slice(&length);
    frame[8..10].copy_from_slice(&kind.0.to_le_bytes());
    frame
}

/// Records of a lane that wait for a boundary which never comes.
fn run(lane: u32, records: &[u8]) -> Vec<u8> {
    let position = LanePosition { ring_id: WRITER, lane, generation: 1, serial: 1, offset: 64 };
    let header = RunHeader { position, pass: 1, pass_ticks: 1 << 62, ..RunHeader::default() };
    frame(Kind::RECORDS, RECORDS_HEADER_BYTES + records.len(), |frame| {
        header.write(frame);
        frame[RECORDS_HEADER_BYTES..].copy_from_slice(records);
    })
}

fn definition(kind: Kind, ring: u64, id: u32, bytes: &[u8]) -> Vec<u8> {
    frame(kind, 48 + bytes.len(), |frame| write_definition(frame, ring, id, bytes))
}

/// A site with so many fields of one byte, whose names are so long; `flags` as in its definition.
fn site(number: u32, fields: u16, name_bytes: u16, flags: u8) -> Vec<u8> {
    let mut site = vec![2, flags];
    site.extend(fields.to_le_bytes());
    site.extend(number.to_le_bytes());
    site.extend([0; 6]);
    let width = usize::from(name_bytes);
    for field in 0..fields {
        site.push(TypeCode::U8.0);
        site.extend(name_bytes.to_le_bytes());
        site.extend(&format!("{field:0>width$}").as_bytes()[..width]);
    }
    site
}

/// A record that carries its site, with arguments of zeros.
fn inline(site: &[u8], arguments: usize) -> Vec<u8> {
    let length = (RECORD_HEADER_BYTES + 4 + site.len() + arguments).next_multiple_of(8);
    let flags = Flags::of_time(TimeKind::OwnTicks).with(Flags::SITE_INLINE);
    let header = RecordHeader { length: length as u32, site: INLINE, context: 0, flags, time: 1 };
    let mut record = vec![0; RECORD_HEADER_BYTES];
    header.write(record.first_chunk_mut().unwrap());
    record.extend((site.len() as u32).to_le_bytes());
    record.extend(site);
    record.resize(length, 0);
    record
}

/// A record of a site that nobody defines, as short as one can be.
fn undefined(count: usize) -> Vec<u8> {
    let flags = Flags::of_time(TimeKind::OwnTicks);
    let length = RECORD_HEADER_BYTES as u32;
    let header = RecordHeader { length, site: 7, context: 0, flags, time: 1 };
    let mut record = [0; RECORD_HEADER_BYTES];
    header.write(&mut record);
    record.repeat(count)
}

/// The journals: what each is made to fill, and its frames.
fn journals() -> Vec<(&'static str, Vec<u8>)> {
    let tables = (1..=64).flat_map(|ring| {
        let site = definition(Kind::SITE, ring, (1 << 20) - 1, &site(1, 0, 0, 0));
        [site, definition(Kind::CONTEXT, ring, 0xffff, &[0, 0])].concat()
    });
    let large = (0..60).flat_map(|number| run(1, &inline(&site(number, 16, 60_000, 0), 16)));
    let fields = (0..120).flat_map(|number| run(1, &inline(&site(number, 60_000, 0, 0), 60_000)));
    let many = (0..1_200).flat_map(|number| run(1, &inline(&site(number, 50, 1_000, 0), 50)));
    let traces = (0..1_200).flat_map(|number| run(1, &inline(&site(number, 50, 1_000, 2), 50)));
    let waiting = (0..64).flat_map(|_| run(1, &undefined(40_000)));
    let lanes = (0..600_000).flat_map(|lane| run(lane, &undefined(1)));
    vec![
        ("tables of definitions", tables.collect()),
        ("large definitions in records", large.collect()),
        ("definitions of many fields", fields.collect()),
        ("plans of lines", many.collect()),
        ("call sites with backtraces", traces.collect()),
        ("entries that wait", waiting.collect()),
        ("lanes", lanes.collect()),
        ("a file of 256 MiB of nothing", Vec::new()),
    ]
}

/// Reads the journal as `tapelog cat` and `tapelog verify` do, and tells how much was resident.
fn read(directory: &Path) {
    let journal = Journal::open(directory).unwrap();
    let mut entries = 0;
    for format in [Format::Text, Format::Json, Format::Logfmt, Format::Rfc5424] {
        entries += journal.write_to(format, &mut std::io::sink()).unwrap().entries;
    }
    journal.verify(&mut |_| {}).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("resident {} entries {entries}", peak.trim().trim_end_matches(" kB"));
}

#[test]
fn row_15_no_journal_takes_more_than_64_mib_or_reads_for_ever() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return read(directory.as_ref());
    }
    let name = "journal::tests::memory::row_15_no_journal_takes_more_than_64_mib_or_reads_for_ever";
    for (what, frames) in journals() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(file_name(1));
        let mut segment = sealed(SEALED, 1, &mut &frames[..]);
        let bytes = segment.len() as u64;
        if frames.is_empty() {
            segment[512..520].copy_from_slice(&u64::MAX.to_le_bytes());
        }
        std::fs::write(&path, &segment).unwrap();
        if frames.is_empty() {
            std::fs::File::options().write(true).open(&path).unwrap().set_len(256 << 20).unwrap();
        }
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(DIRECTORY, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("{what}: reading {bytes} bytes does not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let told = told.lines().find_map(|line| line.strip_prefix("resident ")).expect(what);
        let (peak, entries) = told.split_once(" entries ").unwrap();
        let peak = peak.parse::<u64>().unwrap() << 10;
        println!(
            "row 15: {what}: {} KiB in {:.1} s, {entries} entries, at most {} MiB resident",
            bytes >> 10,
            begun.elapsed().as_secs_f32(),
            peak >> 20
        );
        assert!(peak <= RESIDENT_BYTES_MAX, "{what}: {peak} bytes resident");
    }
}
