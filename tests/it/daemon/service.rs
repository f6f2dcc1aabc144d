//! The box as a service: its messages to systemd, and its state for operators and installers.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::Value;
use streetsim::server::{Access, CameraServer, Feed};

use super::{Daemon, PATIENCE, config, street_camera};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::camera::wandering_bar;
use crate::support::wait_until;

/// Stand-in for systemd that keeps the messages to it.
struct Manager {
    folder: tempfile::TempDir,
    socket: UnixDatagram,
    heard: String,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { folder, socket, heard: String::new() }
    }

    /// Runtime directory that systemd makes.
    fn runtime_directory(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn start(&self, config: &str) -> Daemon {
        std::fs::create_dir(self.runtime_directory()).unwrap();
        Daemon::start_with(config, |command| {
            command
                .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
                .env("WATCHDOG_USEC", "1500000")
                .env("RUNTIME_DIRECTORY", self.runtime_directory());
        })
    }

    /// Number of times that it has heard this line so far.
    fn count(&mut self, line: &str) -> usize {
        let mut message = [0; 4096];
        loop {
            match self.socket.recv(&mut message) {
                Ok(length) => self.heard.push_str(str::from_utf8(&message[..length]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.heard.lines().filter(|heard| heard.starts_with(line)).count()
    }
}

fn wardwatch(arguments: &[&str], runtime_directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardwatch"));
    command.args(arguments).arg("--runtime-directory").arg(runtime_directory).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Troubles in `status`, but for the clock: test machines' clocks are theirs.
fn troubles(state: &Value) -> Vec<String> {
    let all =
        state["troubles"].as_array().unwrap().iter().map(|trouble| trouble.as_str().unwrap().to_owned());
    all.filter(|trouble| !trouble.contains("clock")).collect()
}

#[test]
fn systemd_hears_how_the_daemon_is_and_operators_read_it() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let camera = street_camera(0, 1);
    let mut manager = Manager::new();
    let run = manager.runtime_directory();
    let text = config(broker.port, &[("cho", camera.port())]);
    let mut daemon = manager.start(&text);
    wait_until("it is ready", PATIENCE, || manager.count("READY=1") == 1);
    wait_until("the watchdog is fed", PATIENCE, || manager.count("WATCHDOG=1") > 3);
    wait_until("systemctl would say how it is", PATIENCE, || manager.count("STATUS=1 of 1 cameras live") > 0);
    let status = || json(&wardwatch(&["status", "--json"], &run));
    wait_until("all is well", PATIENCE, || {
        let state = status();
        troubles(&state).is_empty() && state["cameras"][0]["frames_total"].as_u64() > Some(0)
    });
    let state = status();
    assert_eq!(state["schema"], "wardwatch.state/1");
    assert_eq!(
        (state["pid"].as_u64(), state["broker"]["connected"].as_bool()),
        (Some(daemon.process.id().into()), Some(true))
    );
    let metrics = std::fs::read_to_string(run.join("wardwatch.prom")).unwrap();
    assert!(metrics.contains("wardwatch_camera_state{camera=\"cho\",state=\"live\"} 1\n"), "{metrics}");
    let text_for_people = String::from_utf8(wardwatch(&["status"], &run).stdout).unwrap();
    assert!(text_for_people.contains("camera   cho: live for"), "{text_for_people}");

    daemon.signal(Signal::HUP);
    wait_until("it reloads, and says when it has", PATIENCE, || {
        manager.count("RELOADING=1") == 1 && manager.count("READY=1") == 2
    });
    assert!(manager.count("MONOTONIC_USEC=") == 1);

    camera.stop();
    wait_until("the camera's loss is told, with its cause", PATIENCE, || {
        let output = wardwatch(&["status", "--json"], &run);
        output.status.code() == Some(3)
            && troubles(&json(&output)).iter().any(|trouble| trouble.contains("camera cho"))
    });

    // A daemon that hangs says nothing, and is found out by that.
    daemon.signal(Signal::STOP);
    wait_until("its silence is told", PATIENCE, || {
        troubles(&status()).iter().any(|trouble| trouble.contains("has said nothing for"))
    });
    let fed = manager.count("WATCHDOG=1");
    daemon.signal(Signal::CONT);
    wait_until("it is fed again", PATIENCE, || manager.count("WATCHDOG=1") > fed);

    daemon.signal(Signal::TERM);
    assert!(daemon.process.wait().unwrap().success());
    assert_eq!(manager.count("STOPPING=1"), 1);
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0, "nothing speaks of a daemon that is gone");
    let output = wardwatch(&["status"], &run);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the daemon does not run"), "{output:?}");
}

#[test]
fn the_doctor_says_what_is_well_and_what_to_do_about_the_rest() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let camera = street_camera(0, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wardwatch.toml");
    let examine = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let arguments = ["doctor", "--json", "--patience", "20", "--config", path.to_str().unwrap()];
        let output = wardwatch(&arguments, &folder.path().join("nowhere"));
        let findings = json(&output).as_array().unwrap().clone();
        assert_eq!(
            output.status.code(),
            Some(if findings.iter().any(|finding| finding["verdict"] == "fail") { 3 } else { 0 }),
            "{findings:?}"
        );
        for finding in &findings {
            let has_remedy = finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty());
            assert_eq!(has_remedy, finding["verdict"] != "pass", "{finding}");
        }
        move |about: &str| {
            let finding = findings
                .iter()
                .find(|finding| finding["about"].as_str().unwrap().starts_with(about))
                .unwrap_or_else(|| panic!("no {about} in {findings:?}"));
            (finding["verdict"].as_str().unwrap().to_owned(), finding["what"].as_str().unwrap().to_owned())
        }
    };

    let found = examine(&config(broker.port, &[("cho", camera.port())]));
    for about in ["configuration", "model", "camera cho", "broker"] {
        assert_eq!(found(about).0, "pass", "{about}: {:?}", found(about));
    }
    // A test machine's disk may be slow and full; the test only asks for a measurement.
    assert!(
        found("disk speed").1.contains(" MB/s written and synced") && found("disk space").1.contains(" GiB")
    );
    let (_, what) = found("inference");
    assert!(what.contains("ms of CPU per inference") && what.contains("each of 1 camera(s)"), "{what}");
    assert!(found("other networks").1.contains("yolox-nano"), "{:?}", found("other networks"));
    let (_, what) = found("camera cho");
    assert!(what.starts_with("h264 ") && what.contains(" Mbit/s"), "{what}");
    assert!(!folder.path().join("store").exists(), "nothing is made");

    let mut text = config(1, &[("cho", camera.port())]).replace("/main\"", "/nowhere\"");
    write!(text, "[detector]\nmodel = \"truncated.toml\"\n").unwrap();
    std::fs::write(folder.path().join("truncated.toml"), "name = \"half\"\n").unwrap();
    let found = examine(&text);
    for (about, cause) in [("camera cho", "nowhere"), ("model", "truncated.toml"), ("broker", "127.0.0.1:1")]
    {
        let (verdict, what) = found(about);
        assert!(verdict == "fail" && (what.contains(cause) || about != "model"), "{about}: {what}");
    }
    let found = examine("[box]\nward = \"x y\"\n");
    assert_eq!(found("configuration").0, "fail");
}

#[test]
fn the_doctor_names_main_and_sub_streams_that_are_exchanged() {
    let folder = tempfile::tempdir().unwrap();
    let server = CameraServer::start(0, &Access::default()).unwrap();
    let feed =
        |width, height| Feed::Drawn { fps: 5, kbit_per_second: 300, draw: wandering_bar(width, height) };
    server.mount("/main", feed(320, 192)).unwrap();
    server.mount("/sub", feed(640, 384)).unwrap();
    let main = format!("main = \"rtsp://127.0.0.1:{}/main\"", server.port());
    let sub = main.replace("main", "sub");
    let path = folder.path().join("wardwatch.toml");
    let text = config(1, &[("cho", server.port())]);
    assert!(text.contains(&main), "{text}");
    let verdicts = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let arguments = ["doctor", "--json", "--patience", "20", "--config", path.to_str().unwrap()];
        let findings = json(&wardwatch(&arguments, &folder.path().join("nowhere")));
        let both = |finding: &&Value| finding["about"] == "camera cho";
        findings.as_array().unwrap().iter().filter(both).cloned().collect::<Vec<_>>()
    };
    let found = verdicts(&text.replace(&main, &format!("{main}\n{sub}")));
    let [fault] = found.as_slice() else { panic!("one finding about both streams: {found:?}") };
    let what = fault["what"].as_str().unwrap();
    assert!(fault["verdict"] == "mind" && what.starts_with("main is 320x192 and sub 640x384"), "{fault}");
    assert!(fault["remedy"].as_str().unwrap().starts_with("exchange main and sub"), "{fault}");
    let right = text.replace(
        &main,
        &format!("{}\n{}", main.replace("/main\"", "/sub\""), sub.replace("/sub\"", "/main\"")),
    );
    assert_eq!(verdicts(&right), Vec::<Value>::new());
}

/// A thread that hangs in a system call, as on a dead disk: it opens a pipe without a reader.
#[test]
fn a_thread_that_hangs_starves_the_watchdog() {
    if std::env::var_os("WARDWATCH_FAULTS").is_none() {
        eprintln!("skipped: it takes over a minute: run by `make faults`");
        return;
    }
    let broker = TestBroker::start(&BrokerOptions::default());
    let mut manager = Manager::new();
    let daemon = manager.start(&config(broker.port, &[]));
    wait_until("the watchdog is fed", PATIENCE, || manager.count("WATCHDOG=1") > 1);
    let pipe = manager.runtime_directory().join("status.new");
    wait_until("nobody writes there just now", PATIENCE, || {
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).is_ok()
    });
    wait_until("the journal says who hangs", 2 * PATIENCE, || {
        // A manager that does not read holds up the processes that write to it.
        manager.count("");
        daemon.log().contains("the vitals has got nowhere for")
    });
    let fed = manager.count("WATCHDOG=1");
    let until = Instant::now() + Duration::from_secs(3);
    wait_until("systemd's patience is at its end", PATIENCE, || Instant::now() > until);
    assert_eq!(manager.count("WATCHDOG=1"), fed, "systemd would restart it");

    let read = std::thread::spawn(move || std::fs::read(pipe).unwrap());
    wait_until("it gets on, and is fed again", PATIENCE, || manager.count("WATCHDOG=1") > fed);
    assert!(!read.join().unwrap().is_empty());
}
