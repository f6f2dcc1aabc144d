//! A broker with its files from `deploy/`, and clients that identify themselves to it with certificates.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use wardlink::Identity;

use crate::publish::LONG;
use crate::support::ceremony::Ceremony;
use crate::support::wait_until;

/// Erlang takes its time.
const START: Duration = Duration::from_secs(90);

/// A program that is prepared, and started and killed at will. It and its helpers are killed when it is dropped.
pub struct Deployed {
    pub name: &'static str,
    pub port: u16,
    place: TempDir,
    command: Box<dyn Fn() -> Command>,
    process: Option<Child>,
    /// Erlang's register of names.
    helper: Option<Child>,
}

impl Deployed {
    /// Mosquitto, with Debian's own main file.
    pub fn mosquitto(ceremony: &Ceremony) -> Self {
        let (place, [port]) = (TempDir::new().unwrap(), free_ports());
        let at = place.path().to_owned();
        let folder = ceremony.folder();
        fs::write(ceremony.file("acl"), include_str!("../../../deploy/mosquitto/acl")).unwrap();
        let file = include_str!("../../../deploy/mosquitto/wardwatch.conf");
        let file = substituted(
            file,
            &[
                ("listener 8883", &format!("listener {port} 127.0.0.1")),
                ("/etc/mosquitto/wardwatch/", &format!("{}/", folder.display())),
            ],
        );
        fs::create_dir(at.join("conf.d")).unwrap();
        fs::write(at.join("conf.d/wardwatch.conf"), file).unwrap();
        let main = format!(
            "user root\npersistence true\npersistence_location {at}/\nlog_dest file {at}/log\nlog_type all\n\
             include_dir {at}/conf.d\n",
            at = at.display()
        );
        fs::write(at.join("mosquitto.conf"), main).unwrap();
        let command = move || {
            let mut command = Command::new("mosquitto");
            command.arg("-c").arg(at.join("mosquitto.conf"));
            command
        };
        Self::new("mosquitto", port, place, command)
    }

    /// NATS, where it is installed.
    pub fn nats(ceremony: &Ceremony) -> Option<Self> {
        let program = installed("nats-server", &["/usr/sbin/nats-server", "/usr/bin/nats-server"])?;
        let (place, [port, inside]) = (TempDir::new().unwrap(), free_ports());
        let at = place.path().to_owned();
        let file = substituted(
            include_str!("../../../deploy/nats/nats-server.conf"),
            &[
                ("port: 8883", &format!("port: {port}")),
                ("host: \"0.0.0.0\"", "host: \"127.0.0.1\""),
                ("127.0.0.1:4222", &format!("127.0.0.1:{inside}")),
                ("/var/lib/nats", &at.join("store").display().to_string()),
                ("/etc/nats/wardwatch", &ceremony.folder().display().to_string()),
            ],
        );
        fs::write(at.join("nats-server.conf"), file).unwrap();
        let command = move || {
            let mut command = Command::new(&program);
            command.arg("-c").arg(at.join("nats-server.conf"));
            command
        };
        Some(Self::new("nats-server", port, place, command))
    }

    /// RabbitMQ, where it is installed.
    pub fn rabbitmq(ceremony: &Ceremony) -> Option<Self> {
        let program = installed("rabbitmq-server", &["/usr/lib/rabbitmq/bin/rabbitmq-server"])?;
        let (place, [port, inside, distribution, names]) = (TempDir::new().unwrap(), free_ports());
        let at = place.path().to_owned();
        let folder = ceremony.folder().display().to_string();
        let definitions = at.join("definitions.json");
        let file = substituted(
            include_str!("../../../deploy/rabbitmq/rabbitmq.conf"),
            &[
                ("ssl.default = 8883", &format!("ssl.default = 127.0.0.1:{port}")),
                ("127.0.0.1:5672", &format!("127.0.0.1:{inside}")),
                ("/etc/rabbitmq/wardwatch", &folder),
                ("/etc/rabbitmq/definitions.json", &definitions.display().to_string()),
            ],
        );
        fs::write(at.join("rabbitmq.conf"), file).unwrap();
        fs::write(&definitions, include_str!("../../../deploy/rabbitmq/definitions.json")).unwrap();
        fs::write(at.join("enabled_plugins"), include_str!("../../../deploy/rabbitmq/enabled_plugins"))
            .unwrap();
        let helper = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &names.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Erlang is installed with it");
        let command = move || {
            let mut command = Command::new(&program);
            // It is killed at will: its data must not be another's.
            command
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .env("LANG", "C.UTF-8")
                .env("HOME", &at)
                .env("RABBITMQ_NODENAME", format!("post{port}@localhost"))
                .env("RABBITMQ_CONFIG_FILE", at.join("rabbitmq.conf"))
                .env("RABBITMQ_ENABLED_PLUGINS_FILE", at.join("enabled_plugins"))
                .env("RABBITMQ_MNESIA_BASE", at.join("mnesia"))
                .env("RABBITMQ_LOG_BASE", &at)
                .env("RABBITMQ_DIST_PORT", distribution.to_string())
                .env("ERL_EPMD_PORT", names.to_string())
                .env("ERL_EPMD_ADDRESS", "127.0.0.1");
            command
        };
        let mut broker = Self::new("rabbitmq-server", port, place, command);
        broker.helper = Some(helper);
        Some(broker)
    }

    fn new(name: &'static str, port: u16, place: TempDir, command: impl Fn() -> Command + 'static) -> Self {
        Self { name, port, place, command: Box::new(command), process: None, helper: None }
    }

    /// Starts it, again if need be, and waits until it answers.
    pub fn run(&mut self) {
        let said = File::options().create(true).append(true).open(self.place.path().join("said")).unwrap();
        let mut command = (self.command)();
        // A group of its own: a script may have started the program.
        command.process_group(0).stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        self.process = Some(command.spawn().unwrap());
        wait_until("the broker answers", START, || {
            let status = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(status.is_none(), "{} ended: {status:?}\n{}", self.name, self.log());
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// Ends the program and its helpers with kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let group = format!("-{}", process.id());
            assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
            process.wait().unwrap();
            wait_until("the port is free", LONG, || TcpStream::connect(("127.0.0.1", self.port)).is_err());
        }
    }

    /// Returns its log and its outputs.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.place.path().join(name)).unwrap_or_default();
        read("said") + &read("log")
    }

    /// Publishes with QoS 1, retained, under another's client id.
    pub fn publish(&self, ceremony: &Ceremony, own: &Identity, topic: &str, payload: &str) {
        let mut command = Command::new("mosquitto_pub");
        let output = proving(&mut command, ceremony, own, self.port)
            .args(["-i", "liar", "-q", "1", "-r", "-t", topic, "-m", payload])
            .output()
            .unwrap();
        assert!(output.status.success(), "{topic}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut helper) = self.helper.take() {
            let _ = helper.kill();
            let _ = helper.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.log());
        }
    }
}

/// `mosquitto_sub` with a certificate. Killed when dropped.
pub struct Listener {
    process: Child,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Listens below a topic. Retained messages come first. Of Mosquitto alone, because its log says when it listens.
    pub fn start(ceremony: &Ceremony, own: &Identity, broker: &Deployed, topic: &str) -> Self {
        let listening = || broker.log().matches("Sending SUBACK to").count();
        let before = listening();
        let mut command = Command::new("mosquitto_sub");
        let mut process = proving(&mut command, ceremony, own, broker.port)
            .args(["-i", "liar", "-q", "1", "-t", topic, "-F", "%t"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let of_thread = Arc::clone(&heard);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| of_thread.lock().unwrap().push(line));
        });
        wait_until("the subscription stands", LONG, || listening() > before);
        Self { process, heard }
    }

    /// Topics of the messages that have come.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub fn wait_for(&self, topic: &str) {
        wait_until(topic, LONG, || self.heard().iter().any(|heard| heard == topic));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn proving<'c>(command: &'c mut Command, ceremony: &Ceremony, own: &Identity, port: u16) -> &'c mut Command {
    command.args(["-h", "localhost", "-p", &port.to_string(), "--cafile"]).arg(ceremony.ca_file());
    command.arg("--cert").arg(&own.cert_file).arg("--key").arg(&own.key_file)
}

/// Makes changes to a file. Each place must be there: the files of `deploy/` are under test.
fn substituted(file: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(file.to_owned(), |file, (from, to)| {
        assert!(file.contains(from), "{from} is not in it any more");
        file.replace(from, to)
    })
}

fn installed(package: &str, programs: &[&str]) -> Option<PathBuf> {
    let found = programs.iter().map(Path::new).find(|program| program.exists());
    if found.is_none() {
        eprintln!("skipped: {package} is not installed (scripts/setup packages.faults.debian)");
    }
    found.map(Path::to_owned)
}

fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    // All at once, so that they differ.
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
