//! The box's program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wardwatch::cli::main()
}
