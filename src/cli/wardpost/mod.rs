//! The command line of `wardpost`, the ward post: one file per subcommand.

use std::process::ExitCode;

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
