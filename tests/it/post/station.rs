//! A ward post as a child process, and boxes that publish to its broker.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use base::ack::Ack;
use base::alert::Alert;
use base::event::Phase;
use base::ids::{AlertId, OutboxId};
use base::status::{self, OutboxStatus, Presence, Status};
use base::time::{ClockState, WallTime};
use base::vitals::{self, AccessLogVitals, DiskVitals, MemoryVitals, Vitals};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::broker::{Subscriber, TestBroker};
use crate::support::sample::opened;
use crate::support::wait_until;

pub const LONG: Duration = Duration::from_secs(30);
pub const ACKS: &str = "wardwatch/v1/+/+/ack";

/// `wardpost` and the folder of its files. The daemon is killed when dropped.
pub struct Station {
    pub place: TempDir,
    serve: Option<Child>,
    more: Vec<String>,
    port: u16,
}

impl Station {
    /// Starts `wardpost serve` and waits until it hears the broker.
    pub fn start(broker: &TestBroker, more: &[&str]) -> Self {
        let mut station = Self::prepare(broker, more);
        station.serve();
        station.wait_for_connections(1);
        station
    }

    /// Prepares a station, not yet started.
    pub fn prepare(broker: &TestBroker, more: &[&str]) -> Self {
        Self::at(broker.port, more)
    }

    /// Prepares a station for a broker of any kind, not yet started.
    pub fn at(port: u16, more: &[&str]) -> Self {
        let more = more.iter().map(|one| (*one).to_owned()).collect();
        Self { place: TempDir::new().unwrap(), serve: None, more, port }
    }

    /// Adds arguments of the daemon.
    pub fn add(&mut self, more: &[String]) {
        self.more.extend_from_slice(more);
    }

    /// Starts the daemon, again if need be.
    pub fn serve(&mut self) {
        let log = File::options().create(true).append(true).open(self.place.path().join("log")).unwrap();
        let url = format!("mqtt://127.0.0.1:{}", self.port);
        let mut command = self.command("serve");
        if !self.more.iter().any(|one| one == "--broker") {
            command.args(["--broker", &url]);
        }
        self.serve = Some(command.args(&self.more).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Ends the daemon with kill -9.
    pub fn kill(&mut self) {
        if let Some(mut serve) = self.serve.take() {
            serve.kill().unwrap();
            serve.wait().unwrap();
        }
    }

    /// Stalls the daemon with SIGSTOP: connections stay, and nothing is done.
    pub fn stall(&self) {
        self.signal("-STOP");
    }

    /// Ends a stall.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.serve.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends the daemon with SIGTERM, in order.
    pub fn stop(&mut self) {
        let mut serve = self.serve.take().unwrap();
        assert!(Command::new("kill").arg(serve.id().to_string()).status().unwrap().success());
        assert!(serve.wait().unwrap().success(), "{}", self.log());
    }

    pub fn wait_for_connections(&self, count: usize) {
        wait_until("wardpost is connected", LONG, || {
            self.log().matches("connected to the broker").count() >= count
        });
    }

    /// Log of the daemon.
    pub fn log(&self) -> String {
        fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    pub fn database(&self) -> PathBuf {
        self.place.path().join("post.sqlite")
    }

    /// `wardpost COMMAND` on this database, in Ho Chi Minh City.
    pub fn command(&self, command: &str) -> Command {
        let mut line = Command::new(crate::support::wardpost_program());
        line.arg(command).arg("--database").arg(self.database());
        line.env("TZ", "Asia/Ho_Chi_Minh")
            .env("LANG", "vi_VN.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("RUST_LOG");
        line
    }

    pub fn run(&self, command: &str, more: &[&str]) -> Output {
        self.command(command).args(more).output().unwrap()
    }

    /// Runs a command and returns its JSON.
    pub fn json(&self, command: &str, more: &[&str]) -> Value {
        let output = self.run(command, more);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The ids and phases that are stored, in the order of storing.
    pub fn stored(&self) -> Vec<(String, String)> {
        if !self.database().exists() {
            return Vec::new();
        }
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        connection.busy_timeout(LONG).unwrap();
        let mut select = connection.prepare("SELECT id, phase FROM alert ORDER BY number").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub fn wait_for_stored(&self, count: usize) {
        wait_until("the alerts are stored", LONG, || self.stored().len() >= count);
        assert_eq!(self.stored().len(), count);
    }

    /// Entry of a box in `status`.
    pub fn known(&self, box_id: &str) -> Value {
        let boxes = self.json("status", &["--json"])["boxes"].as_array().unwrap().clone();
        boxes.into_iter().find(|known| known["box"] == box_id).unwrap_or(Value::Null)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- wardpost\n{}", self.log());
        }
    }
}

/// The last acknowledgement of a box, as a subscriber has it.
pub fn last_ack(subscriber: &Subscriber, box_id: &str) -> Option<Ack> {
    let topic = format!("wardwatch/v1/ben-nghe/{box_id}/ack");
    let messages = subscriber.messages();
    let last = messages.iter().rfind(|message| message.topic == topic)?;
    let ack: Ack = serde_json::from_slice(&last.payload).unwrap();
    assert!(ack.is_consistent() && ack.box_id.as_str() == box_id, "{ack:?}");
    Some(ack)
}

pub fn wait_for_ack(subscriber: &Subscriber, box_id: &str, contiguous: u64, highest: u64) -> Ack {
    wait_until(&format!("{box_id} is told {contiguous} of {highest}"), LONG, || {
        last_ack(subscriber, box_id).is_some_and(|ack| ack.contiguous == contiguous && ack.highest == highest)
    });
    last_ack(subscriber, box_id).unwrap()
}

/// An alert of a box of ward ben-nghe that opens now, of that outbox and number.
pub fn alert(box_id: &str, outbox: u128, seq: u64) -> Alert {
    let mut alert = opened("gate", Duration::ZERO).into_alert(OutboxId(uuid::Uuid::from_u128(outbox)), seq);
    alert.id = AlertId::new(base::clock::wall().as_unix_millis());
    alert.opened_at = base::clock::wall();
    alert.box_id = box_id.parse().unwrap();
    alert
}

/// Closing message of an alert.
pub fn end_of(alert: &Alert, seq: u64) -> Alert {
    let closed_at = Some(alert.opened_at + Duration::from_secs(75));
    Alert { phase: Phase::Closed, seq, closed_at, thumbnail: None, ..alert.clone() }
}

pub fn numbers(box_id: &str, outbox: u128, seqs: impl IntoIterator<Item = u64>) -> Vec<Alert> {
    seqs.into_iter().map(|seq| alert(box_id, outbox, seq)).collect()
}

/// Publishes alerts in this order, with QoS 1; returns when the broker has them.
pub fn send(broker: &TestBroker, alerts: &[Alert]) {
    for box_alerts in alerts.chunk_by(|a, b| a.box_id == b.box_id) {
        let mut sending = Sending::start(broker.port, box_alerts[0].box_id.as_str());
        box_alerts.iter().for_each(|alert| sending.put(alert));
        sending.end();
    }
}

/// A box that publishes alert after alert over one connection.
pub struct Sending(Child);

impl Sending {
    pub fn start(port: u16, box_id: &str) -> Self {
        let topic = format!("wardwatch/v1/ben-nghe/{box_id}/alert");
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-l", "-t", &topic]);
        Self(command.stdin(Stdio::piped()).spawn().expect("mosquitto_pub is installed"))
    }

    pub fn put(&mut self, alert: &Alert) {
        let line = serde_json::to_string(alert).unwrap() + "\n";
        self.0.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Waits until the broker has acknowledged all of it.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

/// Publishes one message; `more` has options of mosquitto_pub.
pub fn publish(broker: &TestBroker, topic: &str, payload: &[u8], more: &[&str]) {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-s", "-t", topic]).args(more);
    let mut process = command.stdin(Stdio::piped()).spawn().expect("mosquitto_pub is installed");
    process.stdin.take().unwrap().write_all(payload).unwrap();
    assert!(process.wait().unwrap().success());
}

/// Publishes a box's status: it is there, or it goes.
pub fn publish_status(broker: &TestBroker, box_id: &str, presence: Presence) {
    publish_outbox(broker, box_id, presence, None);
}

/// Publishes the same, with the state of its outbox.
pub fn publish_outbox(broker: &TestBroker, box_id: &str, presence: Presence, outbox: Option<OutboxStatus>) {
    let status = Status {
        schema: status::SCHEMA.to_owned(),
        presence,
        ward: "ben-nghe".parse().unwrap(),
        box_id: box_id.parse().unwrap(),
        version: "0.1.0".into(),
        boot_id: "boot".into(),
        started_at: WallTime::from_micros(1_777_673_643_120_000),
        connection: None,
        cameras: Vec::new(),
        store: None,
        outbox_depth: 0,
        oldest_unacknowledged: None,
        outbox,
        clock: ClockState::Synced,
        configuration_faults: Vec::new(),
        on_test: false,
    };
    let topic = format!("wardwatch/v1/ben-nghe/{box_id}/status");
    publish(broker, &topic, &serde_json::to_vec(&status).unwrap(), &["-q", "1", "-r"]);
}

/// Publishes a box's vitals of a minute.
pub fn publish_vitals(broker: &TestBroker, box_id: &str) {
    publish_vitals_with(broker, box_id, None);
}

/// Publishes a box's vitals of a minute with the end of its access log.
pub fn publish_vitals_with(broker: &TestBroker, box_id: &str, access_log: Option<AccessLogVitals>) {
    let vitals = Vitals {
        schema: vitals::SCHEMA.to_owned(),
        ward: "ben-nghe".parse().unwrap(),
        box_id: box_id.parse().unwrap(),
        at: base::clock::wall(),
        seconds: 60.0,
        disk: DiskVitals { free_bytes: None, clip_bytes: 0, held_bytes: 0, lost_fragments: 0 },
        temperature_celsius: None,
        memory: MemoryVitals::default(),
        throttle: 1.0,
        cameras: Vec::new(),
        health: None,
        access_log,
    };
    let topic = format!("wardwatch/v1/ben-nghe/{box_id}/vitals");
    publish(broker, &topic, &serde_json::to_vec(&vitals).unwrap(), &["-q", "0"]);
}
