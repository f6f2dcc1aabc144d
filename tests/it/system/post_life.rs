//! The ward post's package on a booted Debian: commissioned, hung, upgraded, purged. Broker and boxes are outside of it.

use std::fs;

use tempfile::TempDir;

use super::booted::{Booted, OUTSIDE, broker_outside};
use super::life::{RESTART_MAX, watchdog};
use super::machine::Machine;
use super::{RELEASES, VERSIONS, architecture, figure, pack, packages};
use crate::post::station::{LONG, Sending, numbers};
use crate::support::ceremony::Ceremony;
use crate::support::wait_until;

#[test]
fn a_post_lives_on_debian_13() {
    let Some(packages) = packages() else { return };
    let (release, name) = RELEASES[1];
    let debs = TempDir::new().unwrap();
    VERSIONS.iter().for_each(|version| pack(&packages, version, debs.path()));
    let machine = Machine::of(release);
    machine.install(debs.path(), &format!("./wardpost_{}_*.deb", VERSIONS[0]));
    let booted = Booted::boot(machine);
    let ceremony = Ceremony::held();
    let broker = broker_outside(&ceremony);

    let inside = |path: &str| booted.machine.path(path);
    let config = format!(
        "[broker]\nurl = \"mqtts://post.example:{}\"\nca_file = \"ca.pem\"\ncert_file = \"post-cert.pem\"\n\
         key_file = \"credential:secrets_post-key.pem\"\n[post]\nward = \"ben-nghe\"\n",
        broker.port
    );
    fs::write(inside("/etc/wardwatch/wardpost.toml"), config).unwrap();
    fs::copy(ceremony.ca_file(), inside("/etc/wardwatch/ca.pem")).unwrap();
    fs::copy(ceremony.post().cert_file, inside("/etc/wardwatch/post-cert.pem")).unwrap();
    fs::copy(ceremony.post().key_file, inside("/etc/wardwatch/post-secrets/post-key.pem")).unwrap();
    booted.sh(&format!("chmod 600 /etc/wardwatch/post-secrets/*; echo {OUTSIDE} post.example >>/etc/hosts"));
    booted.sh("systemctl start wardpost");

    let listed = || booted.sh("wardpost list | wc -l").parse::<usize>().unwrap();
    let arrives = |from: u64| {
        let before = listed();
        let mut sending = Sending::start(broker.inside_port, "box-1");
        numbers("box-1", 1, from..from + 3).iter().for_each(|alert| sending.put(alert));
        sending.end();
        wait_until("three alerts are stored", LONG, || listed() >= before + 3);
    };
    wait_until("it is connected", LONG, || booted.log("wardpost").contains("connected to the broker"));
    arrives(1);
    let listening = booted.sh("ss -Hltnu | awk '{ print $5 }'");
    assert_eq!(listening, "127.0.0.1:8460", "the officers' page alone listens, for this machine alone");
    an_officer_reads(&booted);
    let took = booted.hang("wardpost", watchdog() + RESTART_MAX).as_secs_f64();
    figure(&format!("{name}, booted"), "SIGSTOP of the post to a new one", format!("{took:.1} s"));
    arrives(4);
    for version in [VERSIONS[1], VERSIONS[0]] {
        booted.sh(&format!("dpkg --force-downgrade -i /debs/wardpost_{version}_{}.deb 2>&1", architecture()));
        wait_until("it runs again", LONG, || booted.is_active("wardpost"));
    }
    arrives(7);
    booted.sh("dpkg --purge wardpost");
    let left =
        booted.sh("ls -d /etc/wardwatch /var/lib/wardpost /etc/systemd/system/wardpost* 2>/dev/null || true");
    assert_eq!(left, "");
}

/// An officer sees alerts once in the group, without sudo; the log names the officer.
fn an_officer_reads(booted: &Booted) {
    booted.sh("useradd hoa");
    let as_hoa =
        |command: &str| booted.try_sh(&format!("setpriv --reuid=hoa --regid=hoa --init-groups {command}"));
    let denied = as_hoa("wardpost list").unwrap_err();
    assert!(
        denied.contains("belongs to wardpost") && denied.contains("usermod -aG wardpost-readers hoa"),
        "{denied}"
    );
    booted.sh("usermod -aG wardpost-readers hoa");
    assert_eq!(as_hoa("wardpost list").unwrap(), booted.sh("wardpost list") + "\n");
    let alert = booted
        .sh("wardpost list --json | grep -o '\"id\": \"[0-9a-f-]\\{36\\}' | head -n 1 | cut -d '\"' -f 4");
    as_hoa(&format!("wardpost show {alert} --thumbnail /tmp/picture.jpg")).unwrap();
    assert!(booted.sh("wardpost log").contains("hoa (user id"));
}
