//! A record is at most a quarter of a block: its longest texts and lists are cut first, at a
//! character boundary, and marked; everything else arrives whole.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{Desk, PATIENCE};
use tapelog::{Bytes, context, info, testing, trade};

const MARK: char = '…';

#[test]
fn the_longest_texts_are_cut_first_and_marked_and_the_rest_is_whole() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let (longest, long, short) = ("λ".repeat(50_000), "x".repeat(20_000), "y".repeat(1_000));
    trade!(log, "fills", first = 1, longest = &longest, short = &short, long = &long, last = 2);
    trade!(log, "whole", long = "x".repeat(15_000));
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    let lines = desk.json("trades.log");
    let line = &lines[0];
    assert_eq!((&line["first"], &line["last"]), (&1.into(), &2.into()));
    assert_eq!(line["short"], short, "what is short is not touched");
    let kept = |name: &str| {
        let text = line[name].as_str().unwrap();
        text.strip_suffix(MARK).expect("the mark of a cut").to_owned()
    };
    let (longest_kept, long_kept) = (kept("longest"), kept("long"));
    assert!(longest.starts_with(&longest_kept) && long.starts_with(&long_kept));
    let cut_to = longest_kept.len().max(long_kept.len());
    assert!(longest_kept.len() >= cut_to - 1, "at a boundary of two-byte characters");
    assert_eq!(long_kept.len(), cut_to, "both are cut to the same length");
    let record = longest_kept.len() + long_kept.len() + short.len() + 24 + 3 * 4 + 2 * 4;
    assert!((16_384 - 16..=16_384).contains(&record), "no more is cut than needed: {record}");
    assert_eq!(lines[1]["long"].as_str().unwrap().len(), 15_000);
    assert_eq!((stats.accepted, stats.lost.total()), (2, 0));
}

#[test]
fn lists_and_bytes_are_cut_between_elements() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().block_bytes(4096_u32).build().unwrap();
    let prices: Vec<u64> = (0..1_000).collect();
    trade!(log, "book", prices = &prices, side = "BUY");
    let frame = [0xab_u8; 5_000];
    trade!(log, "frame", frame = Bytes(&frame), texts = ["λλ"; 3]);
    drop(guard);
    let lines = desk.json("trades.log");
    let shown = lines[0]["prices"].as_array().unwrap();
    let (mark, numbers) = shown.split_last().unwrap();
    assert_eq!(mark, "…");
    assert!(numbers.len() > 100, "{} prices of {} kept", numbers.len(), prices.len());
    assert!(numbers.iter().zip(&prices).all(|(shown, price)| shown == price));
    assert_eq!(lines[0]["side"], "BUY");
    let hex = lines[1]["frame"].as_str().unwrap().strip_suffix(MARK).unwrap();
    assert!(hex.len() > 1_600 && hex.len().is_multiple_of(2));
    assert!(hex.as_bytes().chunks(2).all(|byte| byte == b"ab"));
    assert_eq!(lines[1]["texts"].as_array().unwrap().len(), 3);
}

#[test]
fn formatted_texts_are_cut_at_four_kibibytes() {
    let (log, captured) = testing::capture();
    let long = "€".repeat(2_000);
    info!(log, "formatted", shown = %long, seen = ?long, whole = %"z".repeat(4_096));
    let entry = captured.entries().remove(0);
    let shown = entry.fields["shown"].strip_suffix(MARK).unwrap();
    assert_eq!(shown.len(), 4_095, "1365 characters of three bytes");
    assert!(long.starts_with(shown));
    assert!(entry.fields["seen"].ends_with(MARK));
    assert_eq!(entry.fields["whole"].len(), 4_096);
}

#[test]
fn a_long_bound_text_is_cut_when_it_is_bound() {
    let (log, captured) = testing::capture();
    let bound = log.bind(context! { note = "n".repeat(600), symbol = "BTCUSDT" });
    info!(bound, "text {x}", x = "x".repeat(10_000));
    let entry = captured.entries().remove(0);
    assert_eq!(entry.context["note"], format!("{}{MARK}", "n".repeat(512)));
    assert_eq!(entry.context["symbol"], "BTCUSDT");
    assert_eq!(entry.event.len(), "text ".len() + 10_000);
}

#[test]
fn texts_given_at_run_time_are_cut_in_the_same_way() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let long = "q".repeat(40_000);
    log.log_trade("dynamic", &[("long", long.as_str().into()), ("qty", 3.into())]).unwrap();
    drop(guard);
    let line = &desk.json("trades.log")[0];
    assert_eq!(line["qty"], 3);
    let kept = line["long"].as_str().unwrap().strip_suffix(MARK).unwrap();
    assert!(kept.len() > 16_000 && long.starts_with(kept), "{}", kept.len());
}
