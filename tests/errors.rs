//! `error = &err`: an error is logged with its whole chain of sources, as a list, in errors.log and
//! everywhere else, whatever kind of error or holder of one it is.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::error::Error;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use support::{Desk, PATIENCE};
use tapelog::{MetaLogger, context, critical, error, info, testing};

/// An error whose chain has so many links below it.
#[derive(Debug)]
struct Deep {
    depth: usize,
    source: Option<Box<Deep>>,
}

impl Deep {
    fn new(depth: usize) -> Self {
        let source = (depth > 0).then(|| Box::new(Deep::new(depth - 1)));
        Self { depth, source }
    }
}

impl fmt::Display for Deep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "depth {}", self.depth)
    }
}

impl Error for Deep {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| -> &(dyn Error + 'static) { source })
    }
}

/// An error that names itself as its source.
#[derive(Debug)]
struct Circular;

impl fmt::Display for Circular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round and round")
    }
}

impl Error for Circular {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Circular)
    }
}

/// An error that borrows what it tells of.
#[derive(Debug)]
struct Borrowing<'a> {
    line: &'a str,
    source: io::Error,
}

impl fmt::Display for Borrowing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read \"{}\"", self.line)
    }
}

impl Error for Borrowing<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// What is no error itself but holds one, as `anyhow::Error` does.
struct Report(Box<dyn Error + Send + Sync>);

impl AsRef<dyn Error + Send + Sync> for Report {
    fn as_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// A text that is longer than all that is kept of a chain.
#[derive(Debug)]
struct Long(Option<Deep>);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&"λ".repeat(4_000))
    }
}

impl Error for Long {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_ref().map(|source| -> &(dyn Error + 'static) { source })
    }
}

/// What the field `error` of the one entry shows.
fn shown(log: impl FnOnce(&MetaLogger)) -> String {
    let (logger, captured) = testing::capture();
    log(&logger);
    let entries = captured.entries();
    assert_eq!(entries.len(), 1);
    entries[0].fields["error"].clone()
}

#[test]
fn every_holder_of_an_error_shows_the_chain_of_the_error() {
    const CHAIN: &str = r#"["depth 2","depth 1","depth 0"]"#;
    let deep = || Deep::new(2);
    assert_eq!(shown(|log| error!(log, "plain", error = &deep())), CHAIN);
    assert_eq!(shown(|log| error!(log, "by value", error = deep())), CHAIN);
    assert_eq!(shown(|log| error!(log, "twice borrowed", error = &&deep())), CHAIN);
    let boxed: Box<dyn Error> = Box::new(deep());
    assert_eq!(shown(|log| error!(log, "boxed", error = &boxed)), CHAIN);
    assert_eq!(shown(|log| error!(log, "unboxed", error = &*boxed)), CHAIN);
    let sent: Box<dyn Error + Send + Sync> = Box::new(deep());
    assert_eq!(shown(|log| error!(log, "boxed to be sent", error = &sent)), CHAIN);
    let own: Box<Deep> = Box::new(deep());
    assert_eq!(shown(|log| error!(log, "of one type, boxed", error = &own)), CHAIN);
    let shared: Arc<dyn Error + Send + Sync> = Arc::new(deep());
    assert_eq!(shown(|log| error!(log, "shared", error = &shared)), CHAIN);
    let shared: Arc<Deep> = Arc::new(deep());
    assert_eq!(shown(|log| error!(log, "of one type, shared", error = &shared)), CHAIN);
    let local: Rc<dyn Error> = Rc::new(deep());
    assert_eq!(shown(|log| error!(log, "in an Rc", error = &*local)), CHAIN);
    let dynamic: &dyn Error = &deep();
    assert_eq!(shown(|log| error!(log, "dynamic", error = dynamic)), CHAIN);
    let report = Report(Box::new(deep()));
    assert_eq!(shown(|log| error!(log, "held by a report", error = &report)), CHAIN);
    let borrowed = &report;
    assert_eq!(shown(|log| error!(log, "by a borrowed report", error = borrowed)), CHAIN);
    let wrapped = io::Error::other(deep());
    let inside = r#"["depth 2","depth 1","depth 0"]"#;
    assert_eq!(shown(|log| error!(log, "std::io::Error", error = &wrapped)), inside);
}

#[test]
fn an_error_that_borrows_is_logged_like_any_other() {
    let line = "1;2;x".to_owned();
    let error = Borrowing { line: &line, source: io::Error::other("no number") };
    let chain = r#"["cannot read \"1;2;x\"","no number"]"#;
    assert_eq!(shown(|log| error!(log, "borrowing", error = &error)), chain);
    assert_eq!(shown(|log| error!(log, "borrowing", error = error)), chain);
    let source = io::Error::other("no number");
    let boxed: Box<dyn Error + '_> = Box::new(Borrowing { line: &line, source });
    assert_eq!(shown(|log| error!(log, "borrowing, boxed", error = &boxed)), chain);
}

#[test]
fn what_is_no_error_stays_the_value_it_is_under_that_name() {
    assert_eq!(shown(|log| error!(log, "text", error = "told in words")), "told in words");
    assert_eq!(shown(|log| error!(log, "number", error = 7)), "7");
    assert_eq!(shown(|log| error!(log, "Display", error = %Deep::new(1))), "depth 1");
    assert_eq!(
        shown(|log| info!(log.bind(context! { x = 1 }), "none", error = None::<&str>)),
        "null"
    );
}

#[test]
fn long_chains_circles_and_long_texts_are_bounded_and_marked() {
    let links = |count: usize| -> Vec<String> {
        (0..16).map(|link| format!("\"depth {}\"", count - 1 - link)).collect()
    };
    let whole = shown(|log| error!(log, "sixteen", error = &Deep::new(15)));
    assert_eq!(whole, format!("[{}]", links(16).join(",")));
    let cut = shown(|log| error!(log, "seventeen", error = &Deep::new(16)));
    assert_eq!(cut, format!("[{},…]", links(17).join(",")));
    let circle = shown(|log| error!(log, "circle", error = &Circular));
    assert_eq!(circle, format!("[{},…]", [r#""round and round""#; 16].join(",")));
    for error in [Long(None), Long(Some(Deep::new(3)))] {
        let long = shown(|log| error!(log, "long", error = &error));
        assert_eq!(long, format!("[{},…]", "λ".repeat(2_048)), "4 KiB, whole characters");
    }
}

#[test]
fn an_error_whose_display_fails_is_told_and_its_sources_follow() {
    #[derive(Debug)]
    struct Failing(Deep);
    impl fmt::Display for Failing {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half ")?;
            Err(fmt::Error)
        }
    }
    impl Error for Failing {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let chain = shown(|log| error!(log, "failing", error = &Failing(Deep::new(0))));
    assert_eq!(chain, r#"["half <the value's formatter failed>","depth 0"]"#);
}

#[test]
fn a_chain_in_a_small_ring_is_cut_to_fit_and_marked() {
    let desk = Desk::new();
    let ring = desk.builder().block_bytes(4_096_u32).ring_bytes(1_u64 << 20);
    let (log, guard) = ring.structured_logging(true).build().unwrap();
    error!(log, "long", error = &Long(Some(Deep::new(3))), after = 7);
    drop(guard);
    let line = &desk.json("errors.log")[0];
    let links = line["error"].as_array().unwrap();
    let first = links[0].as_str().unwrap();
    assert!(first.ends_with("λ…") && first.len() < 1024, "{first}");
    assert_eq!(links.last().unwrap(), "…");
    assert_eq!(line["after"], 7);
}

#[test]
fn errors_log_shows_the_chain_as_text_and_as_json() {
    for structured in [false, true] {
        let desk = Desk::new();
        let (log, guard) = desk.builder().structured_logging(structured).build().unwrap();
        error!(log, "order rejected", order_id = 9_u64, error = &Deep::new(1));
        critical!(log, "gone", error = &io::Error::from(io::ErrorKind::NotFound));
        info!(log, "no error");
        log.flush(PATIENCE).unwrap();
        drop(guard);
        let lines = desk.lines("errors.log");
        assert_eq!(lines.len(), 2, "{lines:?}");
        if structured {
            let chains: Vec<_> =
                lines.iter().map(|line| support::json(line)["error"].clone()).collect();
            assert_eq!(chains[0], serde_json::json!(["depth 1", "depth 0"]));
            assert_eq!(chains[1], serde_json::json!(["entity not found"]));
        } else {
            let end = r#"order rejected order_id=9 error=["depth 1","depth 0"]"#;
            assert!(lines[0].ends_with(end), "{}", lines[0]);
            assert!(lines[1].ends_with(r#"gone error=["entity not found"]"#), "{}", lines[1]);
        }
        let expert = desk.lines("expert.log");
        assert!(lines.iter().all(|line| expert.contains(line)), "{expert:?}");
    }
}
