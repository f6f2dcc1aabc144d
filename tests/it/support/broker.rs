//! A real broker: Mosquitto, with the configuration that a test asks for.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::wait_until;

const START: Duration = Duration::from_secs(10);

/// Settings of a test's broker.
#[derive(Debug, Clone, Default)]
pub struct BrokerOptions {
    /// User and password; without them, all clients may connect.
    pub password: Option<(String, String)>,
    /// TLS.
    pub tls: Option<BrokerTls>,
    /// The broker keeps nothing over a restart.
    pub forgets: bool,
    /// Address for boxes; 127.0.0.1 if it is not given.
    pub address: Option<&'static str>,
    /// More lines of its configuration, for all listeners.
    pub more: &'static str,
}

/// The broker's side of TLS; PEM files.
#[derive(Debug, Clone)]
pub struct BrokerTls {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Authority of the boxes' certificates; a box without one of its certificates is refused.
    pub client_ca_file: Option<PathBuf>,
}

/// Mosquitto on free ports of 127.0.0.1: one as the options say, and an open one for subscribers. It keeps its
/// sessions over a restart. Killed when dropped.
pub struct TestBroker {
    /// Port for boxes.
    pub port: u16,
    /// Port for posts.
    pub inside_port: u16,
    address: &'static str,
    place: TempDir,
    process: Option<Child>,
}

impl TestBroker {
    /// Prepares a broker, not yet started; the port is refused until then.
    pub fn prepare(options: &BrokerOptions) -> Self {
        let place = TempDir::new().unwrap();
        let [port, inside_port] = free_ports();
        let config = config(place.path(), port, inside_port, options);
        fs::write(place.path().join("mosquitto.conf"), config).unwrap();
        let address = options.address.unwrap_or("127.0.0.1");
        Self { port, inside_port, address, place, process: None }
    }

    /// Starts a broker and waits until it answers.
    pub fn start(options: &BrokerOptions) -> Self {
        let mut broker = Self::prepare(options);
        broker.run();
        broker
    }

    /// Starts the broker, again if need be, on the same ports.
    pub fn run(&mut self) {
        let process = Command::new("mosquitto")
            .arg("-c")
            .arg(self.place.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        self.process = Some(process);
        let ends = [(self.address, self.port), ("127.0.0.1", self.inside_port)];
        wait_until("mosquitto answers", START, || ends.iter().all(|end| TcpStream::connect(end).is_ok()));
    }

    /// Ends the broker with kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Deletes all that a killed broker has written to its disk.
    pub fn forget(&self) {
        let _ = fs::remove_file(self.place.path().join("mosquitto.db"));
    }

    /// Number of alert messages that boxes have handed to it, repetitions included.
    pub fn alerts_taken(&self) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines()
            .filter(|line| {
                line.contains("Received PUBLISH from ") && line.contains("_box-") && line.contains("/alert'")
            })
            .count()
    }

    /// Writes sessions and messages to the disk, as they are now.
    pub fn save(&self) {
        let database = self.place.path().join("mosquitto.db");
        let _ = fs::remove_file(&database);
        self.signal("-USR1");
        wait_until("the broker's database is saved", START, || database.exists());
    }

    /// Stalls the broker: connections stay, and nothing is answered.
    pub fn stall(&self) {
        self.signal("-STOP");
    }

    /// Ends a stall.
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    /// Collects the messages that are published below `topic` from now on, and those retained there. Keeps its session
    /// when the broker restarts.
    pub fn subscriber(&self, topic: &str) -> Subscriber {
        let subscriber = Subscriber::start(self.inside_port, topic);
        let log = self.log();
        wait_until("the subscription stands", START, || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.lines().any(|line| line.contains("Sending SUBACK to") && line.ends_with(&subscriber.id))
        });
        subscriber
    }

    /// Publishes a message, retained.
    pub fn publish(&self, topic: &str, payload: &[u8]) {
        let mut process = Command::new("mosquitto_pub")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.inside_port.to_string(),
                "-q",
                "1",
                "-r",
                "-t",
                topic,
                "-s",
            ])
            .stdin(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub is installed");
        process.stdin.take().unwrap().write_all(payload).unwrap();
        assert!(process.wait().unwrap().success());
    }

    /// Number of times that this client closed its connection as MQTT wants it: without a will.
    pub fn goodbyes(&self, client: &str) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains("Received DISCONNECT from") && line.ends_with(client)).count()
    }

    /// Number of connections that the broker ended because another client came under the same id.
    pub fn takeovers(&self) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains("already connected, closing old connection")).count()
    }

    /// Number of times that boxes have tried to connect.
    pub fn connections(&self) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let port = format!("on port {}", self.port);
        log.lines().filter(|line| line.contains("New connection from") && line.contains(&port)).count()
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("log")
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- mosquitto\n{}", fs::read_to_string(self.log()).unwrap_or_default());
        }
    }
}

/// A message as a subscriber got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    /// True if it was there before the subscription.
    pub retained: bool,
    pub payload: Vec<u8>,
}

/// `mosquitto_sub`. Killed when dropped.
pub struct Subscriber {
    id: String,
    process: Child,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Subscriber {
    /// Messages that have come so far.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    fn start(port: u16, topic: &str) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let id = format!("post-{}", COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let mut process = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-i", &id, "-c", "-q", "1", "-t", topic])
            .args(["-F", "%r %t %x"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto_sub is installed");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&messages);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                collected.lock().unwrap().push(parse(&line));
            }
        });
        Self { id, process, messages }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn parse(line: &str) -> Message {
    let mut parts = line.split(' ');
    let mut part = || parts.next().unwrap_or_default();
    let (retained, topic, hex) = (part() == "1", part().to_owned(), part());
    Message {
        topic,
        retained,
        payload: (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect(),
    }
}

fn free_ports() -> [u16; 2] {
    // Both are open at once, so that they differ.
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn config(place: &Path, port: u16, inside_port: u16, options: &BrokerOptions) -> String {
    let mut lines = vec![
        // As root, mosquitto would become a user that cannot read the folder.
        "user root".to_owned(),
        "per_listener_settings true".to_owned(),
        format!("persistence {}", !options.forgets),
        format!("persistence_location {}/", place.display()),
        "max_queued_messages 10000".to_owned(),
        format!("log_dest file {}", place.join("log").display()),
        "log_type all".to_owned(),
        options.more.to_owned(),
        format!("listener {inside_port} 127.0.0.1"),
        "allow_anonymous true".to_owned(),
        format!("listener {port} {}", options.address.unwrap_or("127.0.0.1")),
        format!("allow_anonymous {}", options.password.is_none()),
    ];
    if let Some((user, password)) = &options.password {
        let file = place.join("passwords");
        let made =
            Command::new("mosquitto_passwd").arg("-b").arg("-c").arg(&file).args([user, password]).status();
        assert!(made.expect("mosquitto_passwd is installed").success());
        lines.push(format!("password_file {}", file.display()));
    }
    if let Some(tls) = &options.tls {
        lines.push(format!("certfile {}", tls.cert_file.display()));
        lines.push(format!("keyfile {}", tls.key_file.display()));
        if let Some(ca_file) = &tls.client_ca_file {
            lines.push(format!("cafile {}", ca_file.display()));
            lines.push("require_certificate true".to_owned());
        }
    }
    lines.join("\n") + "\n"
}
