//! The packages on Debian 12 and 13: roots made by mmdebstrap, booted by systemd-nspawn with a network of their own.
//!
//! Only with `WARDWATCH_SYSTEM`, the folder of programs and packages that `make deb` fills (`make test-system`). As root.
//! `make test-system` collects the `figure:` lines.

mod booted;
mod life;
mod machine;
mod post_life;
mod roots;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's releases that the packages are for, and the version of each.
const RELEASES: [(&str, &str); 2] = [("bookworm", "Debian 12"), ("trixie", "Debian 13")];

/// Folder of programs and packages; prints why a test is skipped without it.
fn packages() -> Option<PathBuf> {
    let folder = std::env::var_os("WARDWATCH_SYSTEM").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: packages on Debian are tried by `make test-system`");
    }
    folder
}

/// Prints a measured value, for `make test-system` to collect.
fn figure(scenario: &str, what: &str, value: impl std::fmt::Display) {
    eprintln!("figure: {scenario}: {what}: {value}");
}

/// This machine's architecture by Debian's name.
fn native() -> String {
    output(Command::new("dpkg").arg("--print-architecture")).trim().to_owned()
}

/// That of the packages, from `WARDWATCH_SYSTEM_ARCH`: another one than this machine's runs under QEMU.
fn architecture() -> String {
    std::env::var("WARDWATCH_SYSTEM_ARCH").unwrap_or_else(|_| native())
}

/// Variables that programs need under QEMU, as `scripts/cross/inside` has them; none without it.
fn emulation() -> &'static [&'static str] {
    const ARM64: &[&str] = &["QEMU_CPU=cortex-a53", "TRACT_CPU_AARCH64_KIND=a53", "GST_REGISTRY_FORK=no"];
    if architecture() == native() { &[] } else { ARM64 }
}

/// The version that stands in Cargo.toml, and one that is higher.
const VERSIONS: [&str; 2] = [env!("CARGO_PKG_VERSION"), "99.0.0"];

/// Packs the programs in `packages` as `version` into `out`, quickly.
fn pack(packages: &Path, version: &str, out: &Path) {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/deb/build");
    let mut command = Command::new(build);
    command.arg(architecture()).arg(packages).arg(version).arg(out);
    // Not the last commit's time, which may change meanwhile.
    output(command.env("DEB_COMPRESSION", "gzip").env("SOURCE_DATE_EPOCH", "1767225600"));
}

/// Output of a command that succeeds.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}\n{said}\n{}", output.status, text(&output.stderr));
    said
}
