//! `docent`: the whole system on one machine, and the operator's command line.

use std::process::ExitCode;

use clap::Parser;
use docent_local::command::Command;

fn main() -> ExitCode {
    docent::parse_if_asked();
    docent_local::command::run(Command::parse())
}
