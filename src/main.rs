//! Parse, run, exit code. All else is the library's.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    ferrydeck::launch::run(ferrydeck::cli::Cli::parse())
}
