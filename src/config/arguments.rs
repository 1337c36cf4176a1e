//! The layer of the command line: arguments that any program takes into its own.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::describe::{Parameter, parameters};
use super::error::Origin;
use super::form::Shape;
use super::parameters::Settings;
use super::raw::Raw;

/// The arguments that `-h` shows; `--help` shows all of them.
const USUAL: [&str; 7] = [
    "preset",
    "log_level",
    "console_level",
    "log_dir",
    "log_to_console",
    "log_format",
    "log_filter",
];

/// The parameters as arguments, `--log-level` and its siblings, to be flattened into a program's
/// own command line and given to [`Builder::arguments`](crate::Builder::arguments).
///
/// A value that is none is no usage error: `build` lists it together with what else is wrong. (One that
/// begins with `-` is taken for an argument; behind `=` it is a value.)
///
/// ```
/// use clap::Parser;
/// use tapelog::{Level, LogArgs, MetaLogger};
///
/// #[derive(Parser)]
/// struct Bot {
///     /// What to trade.
///     symbol: String,
///     #[command(flatten)]
///     log: LogArgs,
/// }
///
/// let bot = Bot::parse_from(["bot", "BTCUSDT", "--log-level", "debug"]);
/// let builder = MetaLogger::builder().arguments(&bot.log);
/// assert_eq!(builder.configuration()?.log_level, Level::Debug);
/// # Ok::<(), tapelog::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct LogArgs {
    settings: Settings,
}

impl From<&LogArgs> for Settings {
    fn from(arguments: &LogArgs) -> Settings {
        arguments.settings.clone()
    }
}

impl From<LogArgs> for Settings {
    fn from(arguments: LogArgs) -> Settings {
        arguments.settings
    }
}

impl Args for LogArgs {
    fn augment_args(command: Command) -> Command {
        command.args(parameters().iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for LogArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for parameter in parameters() {
            let Some(values) = matches.get_many::<String>(&id(parameter)) else { continue };
            let values: Vec<&str> = values.map(String::as_str).collect();
            let separator = if parameter.key == "mask_keys" { "," } else { "\n" };
            let raw = Raw::text(values.join(separator));
            let origin = Origin::Argument { name: parameter.argument() };
            self.settings.read(parameter.key, raw, Some(origin));
        }
        Ok(())
    }
}

/// The argument's id: apart from those of the program.
fn id(parameter: &Parameter) -> String {
    format!("tapelog.{}", parameter.key)
}

fn argument(parameter: &'static Parameter) -> Arg {
    let meaning: Vec<&str> = parameter.meaning.lines().map(str::trim).collect();
    let meaning = meaning.join(" ");
    let default = match parameter.follows() {
        Some(followed) => followed,
        None => &parameter.default,
    };
    let several = parameter.shape == Shape::List;
    Arg::new(id(parameter))
        .long(parameter.key.replace('_', "-"))
        .value_name("VALUE")
        .help_heading("Logging")
        .value_parser(clap::builder::StringValueParser::new())
        .action(if several { ArgAction::Append } else { ArgAction::Set })
        .allow_hyphen_values(several)
        .hide_short_help(!USUAL.contains(&parameter.key))
        .help(format!("{} [default: {default}]", parameter.summary()))
        .long_help(format!("{meaning}\n\nAccepted: {}. Default: {default}.", parameter.accepted))
}
