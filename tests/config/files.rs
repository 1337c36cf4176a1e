//! What stands where the configuration file should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use rustix::fs::{CWD, Mode, mkfifoat};
use tapelog::{MetaLogger, Origin, ReloadError};

use super::layers::quiet_child;
use super::support::{Desk, PATIENCE, role, run};

const LONGEST: usize = 1 << 20;

/// Why a start with this file is refused. Nobody waits for ever where it hangs.
fn refusal(path: &Path) -> String {
    let (path, (tell, told)) = (path.to_owned(), mpsc::channel());
    thread::spawn(move || {
        let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
        let outcome = builder.build().map(drop);
        tell.send(outcome.map_err(|error| error.to_string()))
    });
    let outcome = told.recv_timeout(PATIENCE).expect("an answer at once");
    outcome.expect_err("a refusal")
}

#[test]
fn row_17_what_is_no_plain_configuration_file_is_refused_at_once_and_left_alone() {
    let desk = Desk::new();
    let path = desk.path("desk.toml");
    let told = format!("configuration file = \"{}\" (from the program's code): ", path.display());
    let count = std::cell::Cell::new(0);
    let refused = |what: &str| {
        let reason = refusal(&path);
        assert!(reason.contains(&told) && reason.contains(what), "{what}: {reason}");
        count.set(count.get() + 1);
    };
    mkfifoat(CWD, &path, Mode::RUSR).unwrap();
    refused("it is a named pipe: a configuration is a plain file; name one, or remove this");
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    refused("it is a device");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("it is a directory");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"# b\xfcro\n").unwrap();
    refused("it is no text in UTF-8");
    fs::write(&path, "#".repeat(LONGEST + 1)).unwrap();
    refused("it is longer than 1 MiB");
    assert_eq!(fs::metadata(&path).unwrap().len(), LONGEST as u64 + 1);
    fs::remove_file(&path).unwrap();
    refused("it cannot be read (No such file or directory (os error 2)): correct the path");
    // A plain file by its kind, and without a length, as far as the system tells.
    if fs::read("/proc/kallsyms").is_ok_and(|text| text.len() > LONGEST) {
        symlink("/proc/kallsyms", &path).unwrap();
        refused("it is longer than 1 MiB");
        fs::remove_file(&path).unwrap();
    }

    fs::write(&path, "#".repeat(LONGEST)).unwrap();
    let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
    builder.configuration().unwrap();
    println!("row 17: {} things in the place of the configuration file are refused", count.get());
}

#[test]
fn row_17_a_pipe_in_the_place_of_the_file_is_refused_by_a_reload() {
    let desk = Desk::new();
    let path = desk.path("desk.toml");
    fs::write(&path, "log_level = \"info\"\n").unwrap();
    let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
    let builder = builder.log_dir(desk.logs()).ring_dir(desk.ring_dir()).log_to_console(false);
    let (log, _guard) = builder.build().unwrap();
    fs::remove_file(&path).unwrap();
    mkfifoat(CWD, &path, Mode::RUSR).unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(log.reload()));
    let outcome = told.recv_timeout(PATIENCE).expect("an answer at once");
    let Err(ReloadError::Configuration(error)) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("it is a named pipe"), "{error}");
    println!("row 17: 1 reload is refused");
}

#[test]
fn row_17_a_file_that_nobody_named_is_not_another_users() {
    if role().is_some() {
        let told = match MetaLogger::builder().configuration() {
            Ok(configuration) => configuration.origin("log_level").to_string(),
            Err(error) => error.to_string(),
        };
        // Behind what the test harness writes.
        return println!("\ntold: {told}");
    }
    let desk = Desk::new();
    let test = "files::row_17_a_file_that_nobody_named_is_not_another_users";
    let told = || {
        let output = run(quiet_child(test, &desk.path("work"))).stdout;
        let output = String::from_utf8(output).unwrap();
        output.lines().find_map(|line| line.strip_prefix("told: ")).unwrap().to_owned()
    };
    assert_eq!(told(), "the built-in default");
    let path = desk.path("work/tapelog.toml");
    fs::write(&path, "log_level = \"debug\"\n").unwrap();
    assert_eq!(told(), "tapelog.toml, line 1");
    if std::os::unix::fs::chown(&path, Some(4_242), None).is_err() {
        return crate::support::skip(format_args!("only root can give files away"));
    }
    let refused = told();
    let user = rustix::process::geteuid().as_raw();
    for part in [
        "configuration file = \"tapelog.toml\" (from tapelog.toml)",
        &format!("it belongs to user 4242, and this process runs as user {user}"),
        "name it if it is to count, or remove it",
    ] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
    let named = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&path);
    let origin = named.configuration().unwrap().origin("log_level");
    assert_eq!(origin, Origin::File { path, line: Some(1) }, "who names it wants it");
    println!("row 17: 1 file of another user is refused where nobody has named it");
}
