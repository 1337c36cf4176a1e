//! Goal: the examples that the guides show run, and their logs hold what the guides say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "../examples/expert.rs"]
#[allow(dead_code, reason = "its `main` is for cargo")]
mod expert;

use support::{Desk, json};

/// SC-009: contextual logging inside a strategy.
#[test]
fn the_expert_example_logs_each_order_with_the_strategy_s_context_and_its_own() {
    let desk = Desk::new();
    let summary = expert::run(&desk.logs());
    assert_eq!((summary.events, summary.errors), (40, 0));

    let trades: Vec<_> = desk.lines("trades.log").iter().map(|line| json(line)).collect();
    assert!(trades.len() > 8, "{}", trades.len());
    let bound = [
        ("expert_name", "ThreeInARow"),
        ("symbol", "BTCUSDT"),
        ("strategy_id", "three-in-a-row"),
        ("account_id", "***711"),
    ];
    for entry in &trades {
        for (name, value) in bound {
            assert_eq!(entry[name], value, "{entry}");
        }
        assert_eq!(
            entry["order_id"].as_str().unwrap()[2..],
            entry["trade_id"].as_str().unwrap()[2..]
        );
        assert!(entry["market_time"].as_str().unwrap().starts_with("2026-01-01T00:00:"), "{entry}");
    }
    let errors = desk.lines("errors.log");
    assert_eq!(errors.len(), 1, "{errors:?}");
    for part in ["order rejected", "order_id=O-3", "invalid float", "symbol=BTCUSDT"] {
        assert!(errors[0].contains(part), "{}", errors[0]);
    }
    assert!(desk.lines("expert.log").len() > 40 + trades.len());
}
