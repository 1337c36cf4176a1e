//! The command line of tapelog.

mod bench;
mod cat;
mod config;
mod demo;
mod doctor;
mod failure;
mod new;
mod progress;
mod recover;
mod shell;
mod tune;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Records what a trading program does, and shows it.
#[derive(Debug, Parser)]
#[command(name = "tapelog", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Cat(cat::Arguments),
    Config(config::Arguments),
    Bench(bench::Arguments),
    Tune(tune::Arguments),
    Recover(Box<recover::Arguments>),
    New(new::Arguments),
    Verify(verify::Arguments),
    Doctor(doctor::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => failure::of_arguments(error).exit(),
    };
    let result = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Cat(arguments) => cat::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Recover(arguments) => recover::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        failure::tell(error.as_ref());
        ExitCode::FAILURE
    })
}
