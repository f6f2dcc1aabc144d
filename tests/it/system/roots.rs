//! Packages in roots that are not booted, as an image is built: they install with their dependencies, and go again.

use std::process::Command;

use tempfile::TempDir;

use super::machine::Machine;
use super::{RELEASES, VERSIONS, architecture, figure, output, pack, packages};

/// Files and links with a name of ours, but for dpkg's and apt's logs and downloads.
const OURS: &str = "find / -xdev \\( -path /proc -o -path /sys -o -path /debs -o -path /var/cache -o -path /var/log -o \
                    -path /tmp -o -path /var/lib/dpkg -o -path /run \\) -prune -o \\( -name '*wardwatch*' -o -name '*wardpost*' \\) -print";

#[test]
fn packages_install_and_go_on_both_releases() {
    let Some(packages) = packages() else { return };
    let debs = TempDir::new().unwrap();
    pack(&packages, VERSIONS[0], debs.path());
    for (release, name) in RELEASES {
        let machine = Machine::of(release);
        let scenario = format!("{name}, not booted");
        let said = machine.install(debs.path(), "./wardwatch_*.deb ./wardpost_*.deb");
        assert!(!said.contains("dpkg: warning") && !said.contains("Failed"), "{said}");
        let count = said.matches("Setting up ").count();
        figure(&scenario, "packages that come with ours", count - 2);
        // Every library is there, and every element that a session needs.
        machine.sh("wardwatch --version; wardpost --version; wardwatch session --prepare");
        machine.sh("! ldd /usr/bin/wardwatch /usr/bin/wardpost | grep 'not found'");
        machine.sh("wardwatch check --config /usr/share/wardwatch/wardwatch.toml 2>&1 | grep -q 'ca.pem'");
        let complaints =
            machine.sh("systemd-analyze verify --man=no wardwatch.service wardpost.service 2>&1");
        assert_eq!(complaints, "", "{name}");
        for unit in ["wardwatch", "wardpost"] {
            let security = format!(
                "systemd-analyze security --offline=true --no-pager --threshold=15 {unit}.service | tail -n 1"
            );
            let said = machine.sh(&security);
            figure(&scenario, "exposure", said.trim().trim_start_matches("→ Overall exposure level for "));
        }
        assert!(machine.sh("getent passwd wardwatch").contains("/var/lib/wardwatch"));
        assert_eq!(machine.sh("stat -c '%a %U' /etc/wardwatch/secrets").trim(), "700 root");
        assert_eq!(machine.sh("systemctl is-enabled wardwatch wardpost").trim(), "enabled\nenabled");
        machine.sh("dpkg --verify wardwatch wardpost");

        machine.sh("echo x >/etc/wardwatch/wardwatch.toml; apt-get -qy remove wardwatch wardpost >/dev/null");
        assert!(machine.path("/etc/wardwatch/wardwatch.toml").exists(), "remove keeps the configuration");
        machine.sh("apt-get -qy purge wardwatch wardpost >/dev/null");
        assert_eq!(machine.sh(OURS), "", "{name}: what is left after purge");
    }
}

#[test]
fn packages_are_the_same_bytes_each_time() {
    let Some(packages) = packages() else { return };
    let both = [(), ()].map(|()| TempDir::new().unwrap());
    both.iter().for_each(|out| pack(&packages, VERSIONS[0], out.path()));
    for program in ["wardwatch", "wardpost"] {
        let name = format!("{program}_{}_{}.deb", VERSIONS[0], architecture());
        let [first, second] = both.each_ref().map(|out| std::fs::read(out.path().join(&name)).unwrap());
        assert!(first == second, "{name} differs");
        let lintian =
            Command::new("lintian").args(["--fail-on=error"]).arg(both[0].path().join(&name)).output();
        let lintian = lintian.unwrap();
        let said = String::from_utf8_lossy(&lintian.stdout);
        assert!(lintian.status.success(), "{said}");
    }
    let control = output(Command::new("dpkg-deb").arg("-f").arg(both[0].path().join(format!(
        "wardwatch_{}_{}.deb",
        VERSIONS[0],
        architecture()
    ))));
    assert!(control.contains("gstreamer1.0-libav"), "{control}");
}
