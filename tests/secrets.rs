//! Fault row 19: keys of the exchanges' shapes. Under sensitive names none is ever in a file, in the
//! ring or in the journal's memory; inside texts at least 99 of 100 are masked, and of ordinary lines
//! fewer than one in a thousand is touched.
//!
//! 1,000 keys and a million lines; `TEST_KEYS` and `TEST_LINES` ask for others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use support::{Desk, PATIENCE, child, role, run};
use tapelog::{MetaLogger, context, error, info, trade};

fn keys_wanted() -> usize {
    support::times("TEST_KEYS", 1_000) as usize
}

/// Xorshift: the same keys in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        (0..length).map(|_| alphabet.as_bytes()[self.below(alphabet.len())] as char).collect()
    }
}

const PLAIN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEX: &str = "0123456789abcdef";

/// Keys of every shape; the second value tells whether the shape alone gives it away.
fn key(chance: &mut Chance, shape: usize) -> (String, bool) {
    match shape % 8 {
        0 | 1 => (chance.text(PLAIN, 64), true),          // Binance
        2 => (chance.text(PLAIN, 36), true),              // Bybit, secret
        3 => (chance.text(PLAIN, 18), false),             // Bybit, key
        4 => (chance.text("0123456789ABCDEF", 32), true), // OKX, secret
        5 => {
            let parts = [8, 4, 4, 4, 12].map(|length| chance.text(HEX, length));
            (parts.join("-"), false) // OKX, key
        }
        6 => (chance.text(BASE64, 56), true), // Kraken, key
        _ => (format!("{}==", chance.text(BASE64, 86)), true), // Kraken, secret
    }
}

/// Texts around a key; those from `NAMED` on name it.
fn text(chance: &mut Chance, key: &str, form: usize) -> String {
    let jwt = |chance: &mut Chance| {
        let part = chance.text(BASE64_URL, 43);
        format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJrIjoi{key}.{part}")
    };
    match form {
        0 => format!("signed with {key}"),
        1 => format!("{key} was refused"),
        2 => format!("using ({key}), retry 3"),
        3 => format!("request failed: api_key={key}, code 401"),
        4 => format!("{{\"apiKey\": \"{key}\", \"symbol\": \"BTCUSDT\"}}"),
        5 => format!("Credentials {{ api_secret: {key:?}, passphrase: Some({key:?}) }}"),
        6 => format!("GET /api/v3/order?symbol=X&timestamp=1&signature={key}"),
        7 => format!("Authorization: Bearer {key}"),
        8 => format!("sent Bearer {key} again"),
        9 => format!("X-MBX-APIKEY: {key}"),
        10 => format!("token {}", jwt(chance)),
        11 => {
            let [first, rest] = [46, 64].map(|length| chance.text(BASE64, length));
            format!("-----BEGIN PRIVATE KEY-----\n{first}{key}\n{rest}\n-----END PRIVATE KEY-----")
        }
        12 => format!("wss://ann:{key}@stream.example.com:9443/ws"),
        _ => format!("{{\\\"secret\\\":\\\"{key}\\\"}}"),
    }
}

const NAMED: usize = 3;
const FORMS: usize = 14;

/// Bytes by which a key is looked for: no key may leak even these.
const MARK: usize = 16;

/// What is looked for.
struct Marks<'a> {
    marks: HashSet<&'a [u8]>,
    /// Whether any begins with these three bytes.
    begins: Vec<bool>,
}

fn start_of(mark: &[u8]) -> usize {
    usize::from(mark[0]) << 16 | usize::from(mark[1]) << 8 | usize::from(mark[2])
}

impl<'a> Marks<'a> {
    fn of(keys: &'a [String]) -> Self {
        let marks: HashSet<_> = keys.iter().map(|key| &key.as_bytes()[..MARK]).collect();
        let mut begins = vec![false; 1 << 24];
        marks.iter().for_each(|mark| begins[start_of(mark)] = true);
        Self { marks, begins }
    }

    fn find(&self, bytes: &[u8], into: &mut HashSet<Vec<u8>>) {
        for window in bytes.windows(MARK) {
            if self.begins[start_of(window)] && self.marks.contains(window) {
                into.insert(window.to_vec());
            }
        }
    }
}

/// Which of the keys, by their marks, stand in the files below a directory.
fn leaks(directory: &Path, keys: &[String]) -> HashSet<Vec<u8>> {
    let (wanted, mut into) = (Marks::of(keys), HashSet::new());
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                wanted.find(&fs::read(&path).unwrap(), &mut into);
            }
        }
    }
    into
}

/// The same for the memory of this process in which files below a directory are mapped: what a core
/// dump would hold of them.
fn leaks_in_memory(directory: &Path, keys: &[String]) -> (HashSet<Vec<u8>>, usize) {
    let (wanted, mut into, mut mappings) = (Marks::of(keys), HashSet::new(), 0);
    let memory = File::open("/proc/self/mem").unwrap();
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        if line.contains(&*directory.to_string_lossy()) {
            let (range, _) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            let mut bytes = vec![0; (end - start) as usize];
            if memory.read_exact_at(&mut bytes, start).is_ok() {
                mappings += 1;
                wanted.find(&bytes, &mut into);
            }
        }
    }
    (into, mappings)
}

/// Logs a key under sensitive names in every way there is.
fn log_named(log: &MetaLogger, key: &str) {
    #[derive(Debug)]
    struct Shown<'a>(#[expect(dead_code, reason = "its Debug form is logged")] &'a str);

    info!(log, "a string", api_key = key, qty = 1);
    info!(log.producer(), "Display", apiSecret = %key);
    trade!(log, "Debug", "auth.secret" = ?Shown(key), size = 0.5);
    error!(log, "a list", passphrase = [key, key], token = Some(key));
    log.info("a method", &[("secret-key", key.into())]).unwrap();
    info!(log.bind(context! { private_key = key, symbol = "X" }), "bound", password = key);
}

const CHILD: &str = "keys under sensitive names";

/// Logs the keys under sensitive names; the parent looks at what went to the console.
fn log_all_named() {
    let desk = Desk::new();
    let (log, guard) =
        desk.builder().log_to_console(true).journal_segments(16_u32).build().unwrap();
    let mut chance = Chance(0x9E37_79B9);
    let keys: Vec<_> = (0..keys_wanted()).map(|at| key(&mut chance, at).0).collect();
    for part in keys.chunks(100) {
        part.iter().for_each(|key| log_named(&log, key));
        log.flush(PATIENCE).unwrap();
        let (leaked, mappings) = leaks_in_memory(&desk.ring_dir(), part);
        assert!(leaked.is_empty() && mappings > 0, "the ring's memory: {leaked:?}");
        let (leaked, mappings) = leaks_in_memory(&desk.logs(), part);
        assert!(leaked.is_empty() && mappings > 0, "the journal's memory: {leaked:?}");
    }
    assert_eq!(leaks(&desk.ring_dir(), &keys), HashSet::new(), "the ring");
    assert_eq!(log.stats().masked, 8 * keys.len() as u64);
    drop(guard);
    assert_eq!(leaks(&desk.logs(), &keys), HashSet::new(), "the files");
    println!(
        "row 19: {} keys under 8 sensitive names each, 0 leaks into files, ring or mapped memory",
        keys.len()
    );
}

#[test]
fn row_19_no_key_under_a_sensitive_name_is_anywhere() {
    if role().as_deref() == Some(CHILD) {
        return log_all_named();
    }
    let output = run(child("row_19_no_key_under_a_sensitive_name_is_anywhere", CHILD));
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let mut chance = Chance(0x9E37_79B9);
    let keys: Vec<_> = (0..keys_wanted()).map(|at| key(&mut chance, at).0).collect();
    let mut leaked = HashSet::new();
    Marks::of(&keys).find(&output.stderr, &mut leaked);
    assert_eq!(leaked, HashSet::new(), "the console");
    assert!(output.stderr.len() > 1_000, "the console was written to");
}

#[test]
fn row_19_keys_inside_texts_are_masked_in_every_file() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().journal_segments(16_u32).build().unwrap();
    let mut chance = Chance(0x2545_F491);
    let (mut keys, mut texts) = (Vec::new(), Vec::new());
    for at in 0..keys_wanted() {
        let (key, telling) = key(&mut chance, at);
        let form = if telling { at / 8 % FORMS } else { NAMED + at / 8 % (FORMS - NAMED) };
        let text = text(&mut chance, &key, form);
        match at % 5 {
            0 => info!(log, "a string", note = &*text, qty = at),
            1 => info!(log, "Display and what follows", at, note = %text, behind = "stays"),
            2 => log.info(&text, &[("qty", 3.into())]).unwrap(),
            3 => info!(log.bind(context! { note = &*text }), "bound", at),
            _ => info!(log, "a list", notes = ["first", &*text, "last"], raw = ?Some(&text)),
        }
        keys.push(key);
        texts.push(text);
        if at % 100 == 0 {
            log.flush(PATIENCE).unwrap();
        }
    }
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    assert_eq!((stats.lost.total(), stats.masked), (0, 0));
    drop(guard);
    let leaked = leaks(&desk.logs(), &keys);
    let masked = keys.len() - leaked.len();
    println!(
        "row 19: {} keys inside texts, {masked} masked ({:.2} %), as {} secrets",
        keys.len(),
        masked as f64 * 100.0 / keys.len() as f64,
        stats.masked_in_texts
    );
    for text in keys.iter().zip(&texts).filter(|(key, _)| leaked.contains(&key.as_bytes()[..MARK]))
    {
        println!("not masked: {}", text.1);
    }
    assert!(masked * 100 >= keys.len() * 99);
    let lines = desk.lines("expert.log");
    assert_eq!(lines.len(), keys.len());
    let stays = lines.iter().filter(|line| line.ends_with("behind=stays")).count();
    assert_eq!(stays, keys.len() / 5, "what stands behind a masked text is whole");
    assert!(!lines.iter().any(|line| line.contains("unreadable")), "every record is read");
}

/// A line such as strategies log.
fn ordinary(chance: &mut Chance, at: usize) -> String {
    let number = chance.below(1_000_000);
    let symbol = ["BTCUSDT", "ETHUSDT_240927", "XBT/USD", "sol-perp"][chance.below(4)];
    match at % 12 {
        0 => format!("order O-{number} accepted by the exchange, status=NEW"),
        1 => format!("filled 0.{number} {symbol} @ 70000.{number}, fee 0.0012 BNB"),
        2 => {
            let parts = [8, 4, 4, 4, 12].map(|length| chance.text(HEX, length));
            format!("client order id {}", parts.join("-"))
        }
        3 => format!("tx 0x{} confirmed in block {number}", chance.text(HEX, 64)),
        4 => {
            format!("wrote /var/lib/bot/data/{symbol}/2024-08-09/trades_{number}.parquet in 12 ms")
        }
        5 => format!(
            "{{\"e\":\"trade\",\"E\":1723161256{number},\"s\":\"{symbol}\",\"p\":\"60{number}\"}}"
        ),
        6 => format!("my_bot::risk::limits: exposure {number} USD, limit: 1000000, ok: true"),
        7 => format!("GET https://api.binance.com/api/v3/depth?symbol={symbol}&limit={number}"),
        8 => format!("sha256 {} of the model", chance.text(HEX, 64)),
        9 => format!("Order {{ id: {number}, side: Buy, price: 70000.5, tif: Some(Gtc) }}"),
        10 => format!(
            "connected to wss://stream.binance.com:9443/ws/{symbol}@trade at 12:30:{number}"
        ),
        _ => format!(
            "x-{}{number} cancelled: Unknown order sent. code=-2011",
            chance.text("abXY", 8)
        ),
    }
}

/// Lines of the market recordings, where those are at hand.
fn recorded(lines: usize) -> Vec<String> {
    let place = Path::new("../shared/marketdata/binance_usdm_btcusdt_20240808.gz");
    let unpacked = std::process::Command::new("gzip").arg("-dc").arg(place).output();
    let Some(output) = unpacked.ok().filter(|output| output.status.success()) else {
        println!("note: no market recording in {}, made-up lines alone", place.display());
        return Vec::new();
    };
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.len() < 3_000).take(lines).map(str::to_owned).collect()
}

#[test]
fn row_19_ordinary_lines_are_left_alone() {
    let desk = Desk::new();
    let builder = desk.builder().render_logs(false).journal_segments(16_u32);
    let (log, guard) = builder.build().unwrap();
    let mut chance = Chance(0x1234_5678);
    let all = support::times("TEST_LINES", 1_000_000) as usize;
    let mut lines = recorded(all / 4);
    lines.extend((lines.len()..all).map(|at| ordinary(&mut chance, at)));
    for part in lines.chunks(1_000) {
        part.iter().for_each(|line| info!(log, "a line", line));
        log.flush(PATIENCE).unwrap();
    }
    let stats = log.stats();
    drop(guard);
    println!(
        "row 19: {} ordinary lines, {} false masks ({:.4} %)",
        lines.len(),
        stats.masked_in_texts,
        stats.masked_in_texts as f64 * 100.0 / lines.len() as f64
    );
    assert_eq!(stats.lost.total(), 0);
    assert!(stats.masked_in_texts * 1_000 < lines.len() as u64);
}
