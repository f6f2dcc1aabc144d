//! The program as a person starts it. That this test exists makes Cargo build the program with all tests.

use std::process::Command;

#[test]
fn the_program_names_itself_and_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_wardpost")).arg("--version").output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        concat!("wardpost ", env!("CARGO_PKG_VERSION"))
    );
}
