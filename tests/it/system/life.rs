//! A box's life on a booted Debian: commissioned as docs/install.md says, hung, killed, reloaded, upgraded, taken back, removed.
//! Camera, broker and ward post are outside of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base::secret::{Credentials, Secret};
use clipstore::Catalogue;
use streetsim::server::{Access, CameraServer};
use streetsim::{Scene, Settings};
use tempfile::TempDir;

use super::booted::{Booted, Forward, OUTSIDE, broker_outside};
use super::machine::Machine;
use super::{RELEASES, VERSIONS, architecture, emulation, figure, pack, packages};
use crate::daemon::street_camera_for;
use crate::faults::ward::judge;
use crate::post::station::Station;
use crate::support::broker::TestBroker;
use crate::support::ceremony::Ceremony;
use crate::support::wait_until;

const UNIT: &str = include_str!("../../../systemd/wardwatch.service");
const PASSWORD: &str = "hunter2";
/// Long, for a processor that is emulated.
const PATIENCE: Duration = Duration::from_secs(600);
/// Time from a daemon that stands still to one that runs again, beside `WatchdogSec`.
pub const RESTART_MAX: Duration = Duration::from_secs(5);
const KILLS: u32 = 5;

/// A box inside, and the rest of the ward outside.
struct Life {
    scenario: String,
    booted: Booted,
    station: Station,
    ceremony: Ceremony,
    broker: TestBroker,
    camera: Option<CameraServer>,
    forward: Forward,
}

fn access() -> Access {
    let credentials = Credentials { user: "viewer".into(), password: Secret::new(PASSWORD.to_owned()) };
    Access { credentials: Some(credentials), ..Access::default() }
}

impl Life {
    /// Installs the package and boots the box, without any configuration.
    fn begin(packages: &Path, (release, name): (&str, &str)) -> Self {
        let debs = TempDir::new().unwrap();
        VERSIONS.iter().for_each(|version| pack(packages, version, debs.path()));
        let machine = Machine::of(release);
        machine.install(debs.path(), &format!("./wardwatch_{}_*.deb", VERSIONS[0]));
        let booted = Booted::boot(machine);
        let ceremony = Ceremony::held();
        let broker = broker_outside(&ceremony);
        let mut station = Station::at(broker.inside_port, &[]);
        station.serve();
        station.wait_for_connections(1);
        let camera = street_camera_for(0, 1, &access());
        let forward = Forward::to(camera.port());
        let scenario = format!("{name}, booted");
        Self { scenario, booted, station, ceremony, broker, camera: Some(camera), forward }
    }

    fn figure(&self, what: &str, value: impl std::fmt::Display) {
        figure(&self.scenario, what, value);
    }

    /// Returns a path of the box, as seen from outside.
    fn path(&self, inside: &str) -> PathBuf {
        self.booted.machine.path(inside)
    }

    fn configuration(&self) -> String {
        let wire = Scene::new(Settings::default()).places().tripwire;
        format!(
            "[box]\nward = \"ben-nghe\"\nid = \"box-1\"\n[store]\nclip_bytes_max = \"1 GiB\"\nfree_bytes_min = 0\n\
             segment_seconds = 5\n[broker]\nurl = \"mqtts://post.example:{}\"\nca_file = \"ca.pem\"\n\
             cert_file = \"box-cert.pem\"\nkey_file = \"credential:secrets_box-key.pem\"\n\
             [camera.gate]\nname = \"Cổng\"\nmain = \"rtsp://{OUTSIDE}:{}/main\"\nuser = \"viewer\"\n\
             password_file = \"credential:secrets_camera-gate\"\nstall_seconds = 5\n\
             [camera.gate.tripwire.street]\nfrom = [{}, {}]\nto = [{}, {}]\n[rule.street]\nkind = \"tripwire\"\n\
             cameras = [\"gate\"]\ntripwire = \"street\"\ncool_down_seconds = 1\n[detector]\nmodel = \"motion\"\n",
            self.broker.port, self.forward.port, wire.from.x, wire.from.y, wire.to.x, wire.to.y
        )
    }

    /// Follows an installer's steps, up to the first alert.
    fn commission(&self) {
        let booted = &self.booted;
        assert_eq!(booted.property("wardwatch", "ConditionResult"), "no", "there is no configuration yet");
        if emulation().is_empty() {
            assert_eq!(booted.sh("systemctl --failed --plain --no-legend"), "");
        }
        fs::write(self.path("/etc/wardwatch/wardwatch.toml"), self.configuration()).unwrap();
        fs::copy(self.ceremony.ca_file(), self.path("/etc/wardwatch/ca.pem")).unwrap();
        booted.sh(&format!("echo {OUTSIDE} post.example >>/etc/hosts"));
        booted.sh(&format!("umask 077; echo {PASSWORD} >/etc/wardwatch/secrets/camera-gate"));
        booted.sh("wardwatch keygen");
        self.ceremony.sign(&self.path("/etc/wardwatch/box.csr"), &self.path("/etc/wardwatch/box-cert.pem"));
        booted.sh("wardwatch check");
        self.examine();
        let begun = Instant::now();
        booted.sh("systemctl start wardwatch");
        self.figure("systemctl start to ready", seconds(begun));
        wait_until("the first alert is at the post", PATIENCE, || !self.station.stored().is_empty());
        self.figure("systemctl start to the first alert at the post", seconds(begun));
    }

    /// Checks the doctor's verdicts on camera and broker before the daemon runs, and on a camera's wrong password. Its verdicts
    /// on clock and disk depend on this machine.
    fn examine(&self) {
        let say = |findings: &str| -> Vec<(String, String)> {
            let findings: Vec<serde_json::Value> = serde_json::from_str(findings).unwrap();
            let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
            findings.iter().map(|finding| (text(finding, "about"), text(finding, "verdict"))).collect()
        };
        let doctor = || say(&self.booted.sh("wardwatch doctor --json || test $? = 3"));
        let of = |found: &[(String, String)], about: &str| -> Vec<String> {
            let about = found.iter().filter(|(what, _)| what.starts_with(about));
            about.map(|(_, verdict)| verdict.clone()).collect()
        };
        let well = doctor();
        for about in ["configuration", "model", "camera gate", "broker"] {
            let verdicts = of(&well, about);
            assert!(!verdicts.is_empty() && !verdicts.contains(&"fail".to_owned()), "{about}: {well:?}");
        }
        let secret = self.path("/etc/wardwatch/secrets/camera-gate");
        fs::write(&secret, "wrong").unwrap();
        let ill = doctor();
        assert!(of(&ill, "camera gate").contains(&"fail".to_owned()), "{ill:?}");
        fs::write(&secret, PASSWORD).unwrap();
        let said = well.iter().map(|(about, verdict)| format!("{about} {verdict}")).collect::<Vec<_>>();
        self.figure("doctor before the daemon's first start", said.join(", "));
    }

    /// Checks the promises of the unit about the running daemon.
    fn look_around(&self) {
        let booted = &self.booted;
        assert_eq!(booted.sh("ss -Hltnu"), "", "nothing listens");
        assert_eq!(
            booted.sh("stat -c '%a %U' /run/wardwatch /var/lib/wardwatch"),
            "755 wardwatch\n700 wardwatch"
        );
        let state = "stat -c %a /run/wardwatch/status.json /run/wardwatch/wardwatch.prom";
        wait_until("state and metrics are there", PATIENCE, || booted.try_sh(state).is_ok());
        assert_eq!(booted.sh(state), "644\n644");
        wait_until("it says how it is doing", PATIENCE, || {
            booted.try_sh("setpriv --reuid=nobody --clear-groups wardwatch status | grep gate").is_ok()
        });
        let has_whole_sandbox = booted.try_sh("wardwatch session --try-sandbox").is_ok();
        self.figure("this kernel has the whole sandbox of a session", has_whole_sandbox);
        assert_eq!(
            !has_whole_sandbox,
            booted.log("wardwatch").contains("weaker sandbox"),
            "the unit takes none away"
        );
        if !emulation().is_empty() {
            // QEMU has threads, and the kernel lets only a process without threads into another's mounts.
            return;
        }
        let daemon = booted.property("wardwatch", "MainPID");
        let of_daemon = format!(
            "nsenter --target {daemon} --mount --setuid $(id -u wardwatch) --setgid $(id -g wardwatch)"
        );
        for refused in
            ["cat /etc/wardwatch/secrets/camera-gate", "touch /etc/wardwatch/x", "touch /usr/x", "ls /home/x"]
        {
            assert!(booted.try_sh(&format!("{of_daemon} {refused}")).is_err(), "{refused}");
        }
        booted.sh(&format!("{of_daemon} touch /var/lib/wardwatch/x && rm /var/lib/wardwatch/x"));
    }

    /// Sends SIGSTOP to the daemon; its sessions do not outlive it.
    fn hang(&self) {
        let booted = &self.booted;
        let daemon = booted.property("wardwatch", "MainPID");
        let sessions = booted.sh(&format!("cat /proc/{daemon}/task/*/children"));
        assert!(!sessions.trim().is_empty());
        let took = booted.hang("wardwatch", watchdog() + RESTART_MAX).as_secs_f64();
        self.figure("SIGSTOP to a new daemon", format!("{took:.1} s (WatchdogSec {})", watchdog().as_secs()));
        for session in sessions.split_whitespace() {
            let name = booted.try_sh(&format!("cat /proc/{session}/cmdline")).unwrap_or_default();
            assert!(!name.contains("session"), "session {session} outlives its daemon");
        }
        self.more_alerts();
    }

    /// Kills the daemon with kill -9, again and again.
    fn kill(&self) {
        let booted = &self.booted;
        let mut longest = Duration::ZERO;
        for round in 0..KILLS {
            self.more_alerts();
            let before = booted.property("wardwatch", "MainPID");
            std::thread::sleep(Duration::from_millis(370) * round);
            let killed = Instant::now();
            booted.sh(&format!("kill -KILL {before}"));
            wait_until("the daemon that was killed is replaced", PATIENCE, || {
                booted.property("wardwatch", "MainPID") != before && booted.is_active("wardwatch")
            });
            longest = longest.max(killed.elapsed());
        }
        self.figure(
            &format!("kill -9 to ready, longest of {KILLS}"),
            format!("{:.1} s", longest.as_secs_f64()),
        );
    }

    /// Reloads: a changed configuration is used, one with problems fails the reload, and the daemon is the same all the while.
    /// A unit that starts with problems stays up.
    fn reload(&self) {
        let (booted, path) = (&self.booted, self.path("/etc/wardwatch/wardwatch.toml"));
        let daemon = booted.property("wardwatch", "MainPID");
        let good = fs::read_to_string(&path).unwrap();
        let broken = good.replace("[store]", "[stoer]");
        for (text, is_used) in [(&good.replace("Cổng", "Cổng chợ"), true), (&broken, false)] {
            fs::write(&path, text).unwrap();
            assert_eq!(booted.try_sh("systemctl reload wardwatch").is_ok(), is_used);
        }
        assert!(booted.log("wardwatch").contains("stoer"), "the reason is in the journal");
        // The daemon writes its state once a second.
        wait_until("the status has the reason", PATIENCE, || {
            booted.try_sh("wardwatch status").is_err_and(|said| said.contains("stoer"))
        });
        fs::write(&path, &good).unwrap();
        booted.sh("systemctl reload wardwatch");
        wait_until("it runs on", PATIENCE, || booted.is_active("wardwatch"));
        assert_eq!(booted.property("wardwatch", "MainPID"), daemon);

        fs::write(&path, &broken).unwrap();
        booted.sh("rm /var/lib/wardwatch/configuration.json; systemctl restart wardwatch");
        assert!(booted.try_sh("wardwatch status").unwrap_err().contains("nothing is recorded"));
        assert_eq!(booted.property("wardwatch", "NRestarts"), "0", "it is not started again and again");
        fs::write(&path, &good).unwrap();
        booted.sh("systemctl reload wardwatch");
        booted.sh("test -e /var/lib/wardwatch/configuration.json");
    }

    /// Installs another version, higher or lower: one restart, and nothing of the operator's or the index's is lost.
    fn change_to(&self, version: &str) {
        let booted = &self.booted;
        let started = || booted.log("wardwatch").matches("Started wardwatch.service").count();
        let edited = || booted.sh("cd /etc; find wardwatch systemd/system -type f | sort | xargs sha256sum");
        let index = || {
            let catalogue = self.catalogue();
            (catalogue.outbox_id().unwrap(), catalogue.last_given().unwrap())
        };
        let before = (started(), edited(), index());
        booted
            .sh(&format!("dpkg --force-downgrade -i /debs/wardwatch_{version}_{}.deb 2>&1", architecture()));
        wait_until("it runs again", PATIENCE, || booted.is_active("wardwatch"));
        assert_eq!(booted.sh("dpkg-query -W -f '${Version}' wardwatch"), version);
        assert_eq!(
            (started(), edited()),
            (before.0 + 1, before.1),
            "one restart, everything as it was edited"
        );
        let after = index();
        assert!(after.0 == before.2.0 && after.1 >= before.2.1, "{after:?} {:?}", before.2);
        self.more_alerts();
    }

    /// Tries an index that needs a newer program: the daemon says so, changes nothing, and starts once that is repaired.
    fn newer_index(&self) {
        let booted = &self.booted;
        booted.sh("systemctl stop wardwatch");
        let set = |version: i64| {
            let index = rusqlite::Connection::open(self.path("/var/lib/wardwatch/index.sqlite")).unwrap();
            index.pragma_update(None, "user_version", version).unwrap();
        };
        set(99);
        assert!(booted.try_sh("systemctl start wardwatch").is_err());
        wait_until("it says why", PATIENCE, || booted.log("wardwatch").contains("has version 99"));
        booted.sh("systemctl stop wardwatch");
        set(1);
        booted.sh("chown -R wardwatch: /var/lib/wardwatch; systemctl start wardwatch");
        self.more_alerts();
    }

    /// Ends the camera: the waiting alerts are sent, and every number that was given is at the post.
    fn judge(&mut self) {
        self.camera = None;
        wait_until("the camera is missed", PATIENCE, || {
            self.booted.try_sh("wardwatch status | grep -q 'gate: away'").is_ok()
        });
        let (mut given, mut stored) = (0, BTreeSet::new());
        wait_until("the outbox is empty, and all is at the post", PATIENCE, || {
            let catalogue = self.catalogue();
            (given, stored) = (catalogue.last_given().unwrap(), self.numbers());
            catalogue.outbox_depth().unwrap().0 == 0 && stored.len() as u64 >= given
        });
        let lost = (1..=given).filter(|seq| !stored.contains(seq)).count();
        self.figure("alert messages that the box has numbered", given);
        self.figure("lost", lost);
        assert!(given > 10 && lost == 0 && stored.len() as u64 == given, "{given} {stored:?}");
    }

    fn numbers(&self) -> BTreeSet<u64> {
        let stored = judge::stored(&self.station.database());
        stored.get("box-1").into_iter().flatten().map(|message| message.seq).filter(|seq| *seq > 0).collect()
    }

    /// Checks that `remove` keeps everything, and `purge` only evidence.
    fn remove(&self) {
        let booted = &self.booted;
        // An event that an earlier run left open would hold an hour.
        let closed = self.station.stored().into_iter().find(|(_, phase)| phase == "closed").unwrap().0;
        booted.sh(&format!("wardwatch clips hold {closed} --reason 'case 12'"));
        let files = || -> Vec<String> {
            let found = booted.sh("cd /var/lib/wardwatch/clips; find * -type f | sort");
            found.lines().map(str::to_owned).collect()
        };
        let all = files();
        booted.sh("dpkg --remove wardwatch");
        assert!(booted.property("wardwatch", "ActiveState") != "active");
        booted.sh("test -e /etc/wardwatch/secrets/box-key.pem -a -e /var/lib/wardwatch/index.sqlite");
        assert!(files().len() >= all.len());

        let said = booted.sh("dpkg --purge wardwatch 2>&1");
        assert!(said.contains("held as evidence"), "{said}");
        let hold = booted.sh("cat /var/lib/wardwatch/holds/*.json");
        let hold: serde_json::Value = serde_json::from_str(&hold).unwrap();
        let held: Vec<&str> =
            hold["paths"].as_array().unwrap().iter().filter_map(|path| path.as_str()).collect();
        let left = files();
        self.figure(
            "footage files before purge, held, after it",
            format!("{}, {}, {}", all.len(), held.len(), left.len()),
        );
        assert!(
            !held.is_empty() && held.iter().all(|path| left.iter().any(|file| file == path)),
            "{held:?} {left:?}"
        );
        assert!(left.len() <= held.len() + 2 && left.len() < all.len(), "{left:?}");
        let entries = booted
            .sh("ls /var/lib/wardwatch; ls -d /etc/wardwatch /etc/systemd/system/wardwatch* 2>&1 || true");
        let entries: Vec<&str> = entries.lines().filter(|line| !line.contains("cannot access")).collect();
        assert_eq!(entries, ["access.jsonl", "clips", "holds"]);
    }

    /// Waits for two more alerts than there are now.
    fn more_alerts(&self) {
        let before = self.station.stored().len();
        wait_until("more alerts are at the post", PATIENCE, || self.station.stored().len() >= before + 2);
    }

    fn catalogue(&self) -> Catalogue {
        Catalogue::open(&self.path("/var/lib/wardwatch")).unwrap()
    }
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

/// `WatchdogSec` of the units.
pub fn watchdog() -> Duration {
    let seconds = UNIT.lines().find_map(|line| line.strip_prefix("WatchdogSec=")).unwrap();
    Duration::from_secs(seconds.parse().unwrap())
}

fn live(release: (&str, &str)) {
    let Some(packages) = packages() else { return };
    let mut life = Life::begin(&packages, release);
    life.commission();
    life.look_around();
    life.hang();
    life.kill();
    life.reload();
    life.change_to(VERSIONS[1]);
    life.change_to(VERSIONS[0]);
    life.newer_index();
    life.judge();
    life.remove();
}

#[test]
fn a_box_lives_on_debian_12() {
    live(RELEASES[0]);
}

#[test]
fn a_box_lives_on_debian_13() {
    live(RELEASES[1]);
}
