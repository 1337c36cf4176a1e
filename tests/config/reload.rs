//! The configuration changes while the logger is running.

use std::fs;

use tapelog::{Level, MetaLogger, ReloadError, enabled, info};

use super::support::{Desk, PATIENCE};

#[test]
fn of_a_filter_read_again_the_level_of_the_others_changes_and_those_of_modules_need_a_restart() {
    let desk = Desk::new();
    let path = desk.path("desk.toml");
    fs::write(&path, "log_filter = \"info,a=error\"\n").unwrap();
    let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
    let builder = builder.log_dir(desk.logs()).ring_dir(desk.ring_dir());
    let (log, _guard) = builder.log_to_console(false).build().unwrap();
    assert!(!enabled!(log, Level::Debug));
    for (file, refused) in [
        ("log_filter = \"debug,a=error\"\n", false),
        ("log_filter = \"a=error\"\nlog_level = \"debug\"\n", false),
        ("log_filter = \"debug,a=warning\"\n", true),
        ("log_filter = \"debug\"\n", true),
    ] {
        fs::write(&path, "log_filter = \"info,a=error\"\n").unwrap();
        log.reload().unwrap();
        assert!(!enabled!(log, Level::Debug), "{file}");
        fs::write(&path, file).unwrap();
        let reloaded = log.reload();
        let expected = Err(ReloadError::NeedsRestart { keys: vec!["log_filter"] });
        assert_eq!(reloaded, if refused { expected } else { Ok(()) }, "{file}");
        assert!(enabled!(log, Level::Debug), "{file}");
    }
}

#[test]
fn a_file_read_again_changes_levels_and_names_what_needs_a_restart() {
    let desk = Desk::new();
    let path = desk.path("desk.toml");
    fs::write(&path, "log_level = \"info\"\n").unwrap();
    let (log, guard) = MetaLogger::builder()
        .env_prefix("TAPELOG_NONE_")
        .config_file(&path)
        .log_dir(desk.logs())
        .ring_dir(desk.ring_dir())
        .log_to_console(false)
        .build()
        .unwrap();
    assert!(!enabled!(log, Level::Debug));

    fs::write(&path, "log_level = \"debug\"\n").unwrap();
    log.reload().unwrap();
    assert!(enabled!(log, Level::Debug));
    // Its entry is to be shown before the level leaves it out.
    log.flush(PATIENCE).unwrap();

    fs::write(&path, "log_level = \"error\"\nring_bytes = \"16MiB\"\nnap = \"1ms\"\n").unwrap();
    let error = log.reload().unwrap_err();
    assert_eq!(error, ReloadError::NeedsRestart { keys: vec!["ring_bytes", "nap"] });
    assert!(error.to_string().contains("ring_bytes, nap"), "{error}");
    assert!(!enabled!(log, Level::Info), "the level is in force all the same");

    fs::write(&path, "log_level = \"loud\"\n").unwrap();
    assert!(matches!(log.reload(), Err(ReloadError::Configuration(_))));
    assert!(!enabled!(log, Level::Info) && enabled!(log, Level::Error), "nothing has changed");

    fs::write(&path, "").unwrap();
    log.set_level(Level::Trace);
    log.reload().unwrap();
    info!(log, "after it all");
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let lines = desk.lines("expert.log");
    assert!(lines.iter().any(|line| line.contains("after it all")), "{lines:?}");
    let told = lines.iter().filter_map(|line| line.split_once("logger.reload changed="));
    let told: Vec<_> = told.map(|(_, fields)| fields).collect();
    let levels = "\"log_level, console_level, journal_level, syslog_level\"";
    let refused = ["\"\"", "\"ring_bytes, nap\"", "\"\""];
    let expected = refused.map(|refused| format!("{levels} refused={refused}"));
    assert_eq!(told, expected, "what was in force counts, not how it began");
}

#[test]
fn names_to_mask_in_a_file_read_again_are_in_force() {
    let desk = Desk::new();
    let path = desk.path("desk.toml");
    fs::write(&path, "mask_keys = [\"vault\"]\n").unwrap();
    let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
    let builder = builder.log_dir(desk.logs()).ring_dir(desk.ring_dir()).log_to_console(false);
    let (log, guard) = builder.build().unwrap();
    let sign_in = |n: u32| info!(log, "signed in", n, pin = "p-1", vault = "v-1");
    sign_in(1);
    fs::write(&path, "mask_keys = [\"pin\"]\n").unwrap();
    log.reload().unwrap();
    sign_in(2);
    fs::write(&path, "mask_keys = [\"\"]\n").unwrap();
    assert!(matches!(log.reload(), Err(ReloadError::Configuration(_))));
    sign_in(3);
    drop(guard);
    let lines = desk.lines("expert.log");
    let ends = ["n=1 pin=p-1 vault=***", "n=2 pin=*** vault=v-1", "n=3 pin=*** vault=v-1"];
    let signed_in = lines.iter().filter(|line| line.contains("signed in"));
    assert!(signed_in.zip(ends).all(|(line, end)| line.ends_with(end)), "{lines:?}");
    assert!(ends.iter().all(|end| lines.iter().any(|line| line.ends_with(end))), "{lines:?}");
}

#[test]
fn a_logger_without_any_view_cannot_show_a_console() {
    let desk = Desk::new();
    let (log, _guard) = desk.builder().render_logs(false).build().unwrap();
    let refused = log.set_log_to_console(true).unwrap_err();
    assert_eq!(refused, ReloadError::NeedsRestart { keys: vec!["log_to_console"] });
    log.set_log_to_console(false).unwrap();
}
