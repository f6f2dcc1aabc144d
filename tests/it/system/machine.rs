//! A root of Debian in a folder: made once from the mirror, copied for each test, and worked in without booting it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::{architecture, emulation, output};

/// Packages that a box has before anything of ours is installed.
const INCLUDED: &str = "systemd,systemd-sysv,dbus,iproute2,procps,ca-certificates,init-system-helpers";

/// A root of its own. Removed when dropped.
pub struct Machine {
    pub root: TempDir,
    name: String,
}

/// Folder that keeps roots and downloaded packages between runs.
fn cache() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("system");
    fs::create_dir_all(cache.join("archives")).unwrap();
    cache
}

/// The release's root as an archive; made when it is not there.
fn base(release: &str) -> PathBuf {
    let architecture = architecture();
    let base = cache().join(format!("{release}-{architecture}.tar"));
    if !base.exists() {
        let new = base.with_extension("new.tar");
        let options = [format!("--include={INCLUDED}"), format!("--architectures={architecture}")];
        output(Command::new("mmdebstrap").arg("--variant=minbase").args(options).arg(release).arg(&new));
        fs::rename(new, &base).unwrap();
    }
    base
}

/// Replaces two things that systemd cannot do under QEMU: credentials are copied, and units have no users of their own.
fn emulate(root: &Path) {
    let drop_in = root.join("usr/local/lib/systemd/system/wardwatch.service.d");
    fs::create_dir_all(&drop_in).unwrap();
    let (variables, copy) = (emulation().join(" "), "/usr/local/lib/copy-credentials");
    fs::write(
        drop_in.join("emulated.conf"),
        format!(
            "[Service]\nEnvironment={variables} CREDENTIALS_DIRECTORY=/run/emulated\nLoadCredential=\n\
             PrivateUsers=no\nExecStartPre=+/bin/sh {copy}\n"
        ),
    )
    .unwrap();
    let script = "mkdir -p -m 755 /run/emulated && cd /etc/wardwatch/secrets || exit\nfor file in *; do\n\
                  install -o wardwatch -m 400 \"$file\" \"/run/emulated/secrets_$file\"\ndone\n";
    fs::write(root.join(copy.trim_start_matches('/')), script).unwrap();
}

impl Machine {
    /// Makes a root of `release` as it is installed, without anything of ours.
    pub fn of(release: &str) -> Self {
        let base = base(release);
        let root = TempDir::with_prefix_in(format!("{release}-"), cache()).unwrap();
        output(Command::new("tar").arg("-xpf").arg(base).arg("-C").arg(root.path()));
        // The first boot makes an id of its own.
        fs::write(root.path().join("etc/machine-id"), "").unwrap();
        if !emulation().is_empty() {
            emulate(root.path());
        }
        let name = format!("ww-{}", root.path().file_name().unwrap().display()).to_lowercase();
        let name = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        Self { root, name }
    }

    /// Returns a path inside, as seen from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside.trim_start_matches('/'))
    }

    /// Part that all ways into it have in common.
    pub fn nspawn(&self) -> Command {
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--register=no", "--keep-unit", "--console=pipe", "--machine", &self.name]);
        command.args(emulation().iter().map(|variable| format!("--setenv={variable}")));
        command.arg("-D").arg(self.root.path());
        command
    }

    /// Runs a script in it, not booted, with this machine's network and no input.
    fn offline(&self, script: &str) -> Output {
        let mut command = self.nspawn();
        command.args(["--resolv-conf=replace-host", "--setenv=DEBIAN_FRONTEND=noninteractive"]);
        command.arg(format!("--bind={}:/var/cache/apt/archives", cache().join("archives").display()));
        command.args(["sh", "-ec", script]).stdin(std::process::Stdio::null()).output().unwrap()
    }

    /// Output of a script that succeeds, not booted.
    pub fn sh(&self, script: &str) -> String {
        let output = self.offline(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{script}: {}\n{said}\n{}", output.status, text(&output.stderr));
        said
    }

    /// Copies packages to /debs and has apt install those that `names` lists, with nothing that is only recommended.
    pub fn install(&self, folder: &Path, names: &str) -> String {
        let debs = self.path("/debs");
        fs::create_dir_all(&debs).unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                fs::copy(&path, debs.join(path.file_name().unwrap())).unwrap();
            }
        }
        self.sh(&format!(
            "apt-get -q update >/dev/null; cd /debs; apt-get -qy -o APT::Keep-Downloaded-Packages=true install \
             --no-install-recommends {names} 2>&1"
        ))
    }
}
