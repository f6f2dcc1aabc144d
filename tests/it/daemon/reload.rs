//! A changed configuration: `wardwatch reload` waits for its outcome, and a daemon that stays up runs what is right of it.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use serde_json::Value;

use super::{Daemon, PATIENCE, config, statuses, street_camera};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::wait_until;

/// Folders of a service, which outlive its daemons, and systemd's end of its messages.
struct Unit {
    folder: tempfile::TempDir,
    heard: Arc<Mutex<String>>,
}

impl Unit {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        for name in ["run", "state"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let heard = Arc::new(Mutex::new(String::new()));
        let hearing = heard.clone();
        // Reads always: a manager that does not holds up the daemon. Ends with the test's process.
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(length) = socket.recv(&mut message) {
                let line = str::from_utf8(&message[..length]).unwrap();
                hearing.lock().unwrap().push_str(&[line, "\n"].concat());
            }
        });
        Self { folder, heard }
    }

    fn start(&self, config: &str, arguments: &[&str]) -> Daemon {
        Daemon::start_with(config, |command| {
            command
                .args(arguments)
                .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
                .env("WATCHDOG_USEC", "1500000")
                .env("RUNTIME_DIRECTORY", self.folder.path().join("run"))
                .env("STATE_DIRECTORY", self.folder.path().join("state"));
        })
    }

    /// Number of messages with this line since the last call.
    fn hears(&self, line: &str) -> usize {
        std::mem::take(&mut *self.heard.lock().unwrap()).matches(line).count()
    }

    fn wardwatch(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
        let runtime_directory = self.folder.path().join("run");
        command.args(arguments).arg("--runtime-directory").arg(runtime_directory).output().unwrap()
    }

    /// Writes a configuration, and has it taken up. Returns the exit code, and the text on standard error.
    fn reload(&self, daemon: &Daemon, config: &str) -> (Option<i32>, String) {
        std::fs::write(daemon.path("wardwatch.toml"), config).unwrap();
        let output = self.wardwatch(&["reload"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Troubles in the state; none where there is no state yet.
    fn troubles(&self) -> Vec<String> {
        let output = self.wardwatch(&["status", "--json"]);
        let state: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let troubles = state["troubles"].as_array().cloned().unwrap_or_default();
        troubles.iter().map(|trouble| trouble.as_str().unwrap().to_owned()).collect()
    }

    fn has_trouble(&self, part: &str) -> bool {
        self.troubles().iter().any(|trouble| trouble.contains(part))
    }
}

/// Process ids of the daemon's sessions.
fn sessions(daemon: &Daemon) -> BTreeSet<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.process.id())).unwrap();
    let children = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")));
    // A thread may end meanwhile.
    let children = children.filter_map(Result::ok).collect::<Vec<_>>().join(" ");
    children.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_reload_waits_for_its_outcome_and_other_zones_do_not_interrupt_recording() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let camera = street_camera(0, 1);
    let unit = Unit::new();
    let good = config(broker.port, &[("cho", camera.port())]);
    let daemon = unit.start(&good, &[]);
    wait_until("footage", PATIENCE, || daemon.footage("cho") > 50_000);
    let before = sessions(&daemon);
    assert_eq!(before.len(), 1, "{before:?}");

    let moved = good.replace("from = [", "name = \"Vạch mới\"\nfrom = [");
    let masked = moved
        .replace("stall_seconds = 5\n", "stall_seconds = 5\nmasks = [[[0, 0], [0.1, 0], [0.1, 0.1]]]\n")
        .replace("Ngã tư", "Ngã ba");
    for changed in [&moved, &masked] {
        assert_eq!(unit.reload(&daemon, changed), (Some(0), String::new()));
        assert_eq!(sessions(&daemon), before, "the session goes on");
    }
    let (code, said) = unit.reload(&daemon, &good.replace("[store]", "[stoer]"));
    assert!(code == Some(1) && said.contains("stoer") && said.contains("wardwatch.toml:"), "{said}");
    wait_until("the fault stands in the status", PATIENCE, || unit.has_trouble("stoer"));
    assert_eq!(sessions(&daemon), before);
    let recorded = daemon.footage("cho");
    wait_until("it is recorded on", PATIENCE, || daemon.footage("cho") > recorded + 50_000);

    let other = masked.replace("stall_seconds = 5", "stall_seconds = 6");
    assert_eq!(unit.reload(&daemon, &other), (Some(0), String::new()));
    wait_until("another stream has another session", PATIENCE, || {
        let now = sessions(&daemon);
        now.len() == 1 && now != before
    });
    wait_until("the fault is gone", PATIENCE, || !unit.has_trouble("stoer"));
}

#[test]
fn a_reload_without_a_daemon_says_so() {
    let unit = Unit::new();
    let output = unit.wardwatch(&["reload"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("systemctl start wardwatch"), "{said}");
    let left = r#"{"schema":"wardwatch.configuration/1","pid":PID,"read_at":"2026-05-01T00:00:00Z","read_at_nanos":1,
        "in_force":"whole","faults":[]}"#;
    // A process that has the number of a daemon that was killed.
    let file = unit.folder.path().join("run/configuration.json");
    std::fs::write(file, left.replace("PID", &std::process::id().to_string())).unwrap();
    let output = unit.wardwatch(&["reload"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("is no daemon"), "{said}");
}

#[test]
fn a_daemon_that_stays_up_records_what_it_can() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let (first, second) = (street_camera(0, 1), street_camera(0, 2));
    let unit = Unit::new();
    let store = format!("directory = \"{}\"", unit.folder.path().join("store").display());
    let good = config(broker.port, &[("cho", first.port()), ("cau", second.port())])
        .replace("directory = \"store\"", &store);
    let locked = good.replace(
        "name = \"Ngã tư cau\"\n",
        "name = \"Ngã tư cau\"\nuser = \"viewer\"\npassword_file = \"credential:secrets_cau\"\n",
    );

    // A secret that is missing costs its camera.
    let mut daemon = unit.start(&locked, &["--stay-up"]);
    wait_until("systemd hears that it is ready", PATIENCE, || unit.hears("READY=1") > 0);
    wait_until("one camera is recorded", PATIENCE, || footage(&unit, "cho") > 50_000);
    wait_until("the other one is said to be off", PATIENCE, || {
        unit.has_trouble("camera cau is not recorded")
    });
    wait_until("the post hears of it", PATIENCE, || {
        statuses(&subscriber).last().is_some_and(|status| {
            status.configuration_faults.iter().any(|fault| fault.contains("secrets/cau"))
        })
    });
    assert_eq!(footage(&unit, "cau"), 0);
    let (code, said) = unit.reload(&daemon, &locked);
    assert!(code == Some(1) && said.contains("camera.cau.password_file"), "{said}");
    assert_eq!(unit.reload(&daemon, &good), (Some(0), String::new()));
    wait_until("both are recorded", PATIENCE, || footage(&unit, "cau") > 50_000);
    daemon.signal(Signal::TERM);
    assert!(daemon.process.wait().unwrap().success());

    // A file that is not TOML costs nothing where there is a copy of the one before.
    let recorded = footage(&unit, "cau");
    let broken = good.replace("[store]", "[store");
    let mut daemon = unit.start(&broken, &["--stay-up"]);
    wait_until("it is recorded as before", PATIENCE, || footage(&unit, "cau") > recorded + 50_000);
    wait_until("the earlier one is in force", PATIENCE, || {
        unit.has_trouble("stays in force, which had no fault")
    });
    daemon.signal(Signal::TERM);
    assert!(daemon.process.wait().unwrap().success());

    // Without a copy nothing runs, until there is something that can.
    std::fs::remove_file(unit.folder.path().join("state/configuration.json")).unwrap();
    let daemon = unit.start(&broken, &["--stay-up"]);
    wait_until("it is up", PATIENCE, || unit.has_trouble("nothing is recorded"));
    assert!(unit.has_trouble("wardwatch.toml:"), "{:?}", unit.troubles());
    unit.hears("");
    wait_until("the watchdog is fed", PATIENCE, || unit.hears("WATCHDOG=1") > 0);
    let recorded = footage(&unit, "cho");
    assert_eq!(unit.reload(&daemon, &broken).0, Some(1));
    assert_eq!(unit.reload(&daemon, &good), (Some(0), String::new()));
    wait_until("it records", PATIENCE, || footage(&unit, "cho") > recorded + 50_000);
}

/// Bytes of the camera's footage in the unit's store.
fn footage(unit: &Unit, camera: &str) -> usize {
    super::footage_in(&unit.folder.path().join("store"), camera)
}

/// A daemon on a terminal ends at once with all faults.
#[test]
fn without_stay_up_a_fault_ends_the_daemon() {
    let unit = Unit::new();
    let mut daemon = unit.start(&config(1883, &[]).replace("[store]", "[stoer]"), &[]);
    assert_eq!(daemon.process.wait().unwrap().code(), Some(1));
    assert!(daemon.log().contains("stoer"), "{}", daemon.log());
    assert!(!Path::new(&unit.folder.path().join("run/configuration.json")).exists());
}
