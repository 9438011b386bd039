//! Parse, run, exit code. All else is the library's.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match ferrydeck::cli::Cli::try_parse() {
        Ok(cli) => ferrydeck::launch::run(cli),
        Err(error) => ferrydeck::launch::misread(&error),
    }
}
