//! Sets of defaults for a purpose.

use std::time::Duration;

use super::kinds::{Backtrace, Idle, Overflow, Preset, SyncPolicy};
use super::parameters::Settings;
use crate::level::Level;

/// What a preset sets.
pub(super) fn settings(preset: Preset) -> Settings {
    let none = Settings::default();
    match preset {
        Preset::Development => {
            none.log_level(Level::Debug).backtrace(Backtrace::Error).panic_hook(true)
        }
        Preset::Production => none
            .structured_logging(true)
            .console_level(Level::Warning)
            .log_max_file_size(100_u64 << 20)
            .log_backup_count(10_u32)
            .sync(SyncPolicy::Interval(Duration::from_secs(1)))
            .backtrace(Backtrace::Critical)
            .panic_hook(true),
        Preset::Backtesting => none
            .log_to_console(false)
            .overflow(Overflow::Block(Duration::from_millis(5)))
            .ring_bytes(32_u64 << 20)
            .journal_segment_bytes(64_u64 << 20)
            .metrics_interval(Duration::ZERO)
            .latency_warning(Duration::ZERO),
        Preset::UltraLowLatency => none
            .log_to_console(false)
            .idle(Idle::Spin)
            .ring_bytes(64_u64 << 20)
            .reserve_blocks(16_u32)
            .huge_pages(true)
            .mlock(true),
    }
}
