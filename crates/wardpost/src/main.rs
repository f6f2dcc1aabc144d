//! The ward post's receiver. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    wardpost::cli::main()
}
