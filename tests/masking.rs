//! What stands under a sensitive name reaches no file: neither a log, nor the journal, nor the ring.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{Desk, PATIENCE, holders};
use tapelog::{MetaLogger, context, error, info, trade};

const SECRET: &str = "hunter2-is-no-good";

/// Logs the secret under a name, in every way there is.
fn log_everywhere(log: &MetaLogger) {
    #[derive(Debug)]
    struct Key(#[expect(dead_code, reason = "its Debug form is what is logged")] &'static str);

    let producer = log.producer();
    info!(log, "signed in with {password}", password = SECRET, user = "ann");
    info!(producer, "Display", apiKey = %SECRET);
    trade!(log, "Debug", SECRET_KEY = ?Key(SECRET), size = 0.1);
    error!(producer.with(log), "a list", "auth.token" = ["first", SECRET], Option = Some(1));
    info!(log, "an option", passphrase = Some(SECRET));
    log.info("a method", &[("access-token", SECRET.into()), ("user", "bob".into())]).unwrap();
    let bound = log.bind(context! { api_secret = SECRET, symbol = "BTCUSDT" });
    info!(bound, "bound");
    let inner = bound.bind(context! { side = "BUY" });
    info!(inner, "inherited", again = 1);
}

#[test]
fn a_secret_reaches_no_file_whatever_way_it_comes() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    log_everywhere(&log);
    log.flush(PATIENCE).unwrap();
    assert_eq!(holders(&desk.ring_dir(), SECRET), [""; 0], "the ring");
    assert_eq!(log.stats().masked, 7, "six at calls, one when bound");
    drop(guard);
    assert_eq!(holders(&desk.logs(), SECRET), [""; 0]);
    let lines = desk.lines("expert.log");
    assert!(lines[0].ends_with("signed in with *** password=*** user=ann"), "{}", lines[0]);
    assert!(lines[1].ends_with("Display apiKey=***"), "{}", lines[1]);
    assert!(lines[2].ends_with("Debug SECRET_KEY=*** size=0.1"), "{}", lines[2]);
    assert!(lines[3].ends_with("a list auth.token=*** Option=1"), "{}", lines[3]);
    assert!(lines[5].ends_with("a method access-token=*** user=bob"), "{}", lines[5]);
    assert!(lines[6].contains("api_secret=***") && lines[6].contains("symbol=BTCUSDT"));
    assert!(lines[7].contains("api_secret=***") && lines[7].contains("side=BUY"));
    assert!(desk.lines("trades.log")[0].contains(r#""SECRET_KEY":"***""#));
}

#[test]
fn a_value_behind_a_sensitive_name_in_the_text_of_a_call_is_a_secret() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let (pw, id) = (SECRET, "ACC-12345");
    info!(log, "login password={pw} as {user}", pw, user = "ann");
    trade!(log, "GET /order?qty={qty}&signature={it}", qty = 3, it = SECRET);
    error!(log.producer(), "Authorization: Bearer {it}", it = SECRET);
    log.info("X-MBX-APIKEY: {key} {qty}", &[("key", SECRET.into()), ("qty", 4.into())]).unwrap();
    info!(log, "account_id={id}", id);
    info!(log, "wss://ann:{pw}@host/ws", pw = ?SECRET);
    log.flush(PATIENCE).unwrap();
    assert_eq!(holders(&desk.ring_dir(), SECRET), [""; 0], "the ring");
    assert_eq!((log.stats().masked, log.stats().masked_in_texts), (6, 0));
    drop(guard);
    assert_eq!(holders(&desk.logs(), SECRET), [""; 0]);
    let expected = [
        "login password=*** as ann pw=*** user=ann",
        "GET /order?qty=3&signature=*** qty=3 it=***",
        "Authorization: Bearer *** it=***",
        "X-MBX-APIKEY: *** 4 key=*** qty=4",
        "account_id=***345 id=***345",
        "wss://ann:***@host/ws pw=***",
    ];
    for (line, expected) in desk.lines("expert.log").iter().zip(expected) {
        assert!(line.ends_with(expected), "{line}");
    }
}

#[test]
fn names_match_whole_and_an_account_keeps_its_end() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let log = log.bind(context! { account_id = "ACC-12345" });
    info!(log, "like secrets", tokens = 3, secretary = "Joe", signature_ok = true);
    info!(log, "at the call", accountId = 987_654_u32);
    info!(log, "short", account_id = "ab");
    drop(guard);
    let lines = desk.lines("expert.log");
    assert!(lines[0].contains("tokens=3 secretary=Joe signature_ok=true"), "{}", lines[0]);
    assert!(lines[0].contains("account_id=***345"), "{}", lines[0]);
    assert!(lines[1].contains("accountId=***654"), "{}", lines[1]);
    assert!(lines[2].contains("account_id=***") && !lines[2].contains("***ab"), "{}", lines[2]);
}

/// One call site for two engines with keys of their own.
fn log_pin(log: &MetaLogger) {
    info!(log, "keys", pin = "1234-pin", token = "tok-5678", account_id = "ACC-12345");
}

#[test]
fn each_engine_masks_by_its_own_keys() {
    let (plain, own) = (Desk::new(), Desk::new());
    let (log, first) = plain.builder().build().unwrap();
    log_pin(&log);
    let keys = ["pin", "-token", "account_id"].map(str::to_owned);
    let (other, second) = own.builder().mask_keys(keys).build().unwrap();
    log_pin(&other);
    log_pin(&log);
    drop((first, second));
    for line in plain.lines("expert.log") {
        assert!(line.ends_with("pin=1234-pin token=*** account_id=***345"), "{line}");
    }
    let lines = own.lines("expert.log");
    assert!(lines[0].ends_with("pin=*** token=tok-5678 account_id=***"), "{}", lines[0]);
}

#[test]
fn a_key_that_names_nothing_is_refused() {
    let desk = Desk::new();
    let wrong = desk.builder().mask_keys(["-".to_owned(), "__".to_owned()]).build().unwrap_err();
    let told = wrong.to_string();
    assert!(told.contains(r#"mask_keys = "-""#) && told.contains(r#"mask_keys = "__""#), "{told}");
}
