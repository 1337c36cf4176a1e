//! `tapelog config`: what a program's logger would be configured to.

mod schema;

use std::path::PathBuf;
use std::process::ExitCode;

use tapelog::{Builder, ConfigError, LogArgs, MetaLogger, Settings};

use crate::failure::{self, Failure, escaped, outln};

/// The exit code for a configuration that is wrong.
const WRONG: u8 = 1;

/// Shows, checks and describes the configuration.
///
/// Exit code: 0 if all is well, 1 if the configuration is wrong (stderr lists everything that is),
/// 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints the effective configuration as TOML, the origin of each value beside it.
    ///
    /// From the lowest to the highest: built-in defaults, the preset, --code-default, the file, the
    /// environment, --code, the arguments. Warnings stand on stderr.
    Show(Box<Sources>),
    /// Says whether the configuration is right; exit code 1 if it is not.
    Check(Box<Sources>),
    /// Prints a JSON Schema (2020-12) of the configuration file.
    Schema,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sources {
    /// The configuration file, instead of tapelog.toml and the one that TAPELOG_CONFIG names.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A parameter that the program sets as its default: `.defaults(|d| d.KEY(VALUE))`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    code_default: Vec<(String, String)>,
    /// A parameter that the program sets for good: `.KEY(VALUE)`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    code: Vec<(String, String)>,
    /// What the program's environment variables begin with.
    #[arg(long, value_name = "PREFIX", default_value = "TAPELOG_")]
    env_prefix: String,
    #[command(flatten)]
    log: LogArgs,
}

impl Sources {
    pub(crate) fn builder(&self) -> Builder {
        let defaults = |settings: Settings| {
            self.code_default.iter().fold(settings, |all, (key, value)| all.set(key, value))
        };
        let mut builder = MetaLogger::builder()
            .defaults(defaults)
            .env_prefix(&self.env_prefix)
            .arguments(&self.log);
        for (key, value) in &self.code {
            builder = builder.set(key, value);
        }
        match &self.file {
            Some(path) => builder.config_file_argument("--file", path),
            None => builder,
        }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a parameter is set as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        Command::Show(sources) => Ok(show(sources)),
        Command::Check(sources) => Ok(check(sources)),
        Command::Schema => {
            outln!("{:#}", schema::schema());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show(sources: &Sources) -> ExitCode {
    match sources.builder().configuration() {
        Ok(configuration) => {
            warn(configuration.warnings());
            // Origins are files and variables, whose names may be anything.
            configuration.to_toml().lines().for_each(|line| outln!("{}", escaped(line)));
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

fn check(sources: &Sources) -> ExitCode {
    match sources.builder().configuration() {
        Ok(configuration) => {
            warn(configuration.warnings());
            outln!("the configuration is right");
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("tapelog: warning: {}", escaped(warning));
    }
}

fn refuse(error: &ConfigError) -> ExitCode {
    failure::tell(error);
    ExitCode::from(WRONG)
}
