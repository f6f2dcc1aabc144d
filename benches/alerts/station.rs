//! Broker and ward post as processes of their own.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::clock;
use serde_json::Value;
use tempfile::TempDir;

/// Mosquitto, `wardpost serve`, `wardpost tail`. Killed when dropped.
pub struct Station {
    pub port: u16,
    place: TempDir,
    broker: Child,
    serve: Child,
    tail: Child,
    shown: Arc<Mutex<HashMap<String, i64>>>,
}

impl Station {
    /// Starts them and waits until alerts can be sent.
    pub fn start() -> Self {
        let place = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\nset_tcp_nodelay true\n"
        );
        fs::write(place.path().join("mosquitto.conf"), config).unwrap();
        let broker = Command::new("mosquitto")
            .arg("-c")
            .arg(place.path().join("mosquitto.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let log = place.path().join("log");
        let serve = wardpost(&place, "serve")
            .args(["--broker", &format!("mqtt://127.0.0.1:{port}")])
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        wait_until(|| fs::read_to_string(&log).unwrap_or_default().contains("connected to the broker"));
        let mut tail = wardpost(&place, "tail").arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let shown = Arc::new(Mutex::new(HashMap::new()));
        let (collected, lines) = (Arc::clone(&shown), BufReader::new(tail.stdout.take().unwrap()).lines());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let at_us = clock::wall().as_micros();
                let value: Value = serde_json::from_str(&line).unwrap();
                if let Some(id) = value["message"]["id"].as_str() {
                    collected.lock().unwrap().insert(id.to_owned(), at_us);
                }
            }
        });
        Self { port, place, broker, serve, tail, shown }
    }

    /// Time at which the post had each alert in hand, by id; microseconds since 1970.
    pub fn received(&self) -> HashMap<String, i64> {
        let connection = rusqlite::Connection::open(self.place.path().join("post.sqlite")).unwrap();
        let mut select = connection.prepare("SELECT id, received_us FROM alert").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Time at which `wardpost tail` showed each alert, by id; microseconds since 1970.
    pub fn shown(&self) -> HashMap<String, i64> {
        self.shown.lock().unwrap().clone()
    }

    pub fn wait_for_shown(&self, count: usize) {
        wait_until(|| self.shown.lock().unwrap().len() >= count);
    }

    /// CPU time of `wardpost serve` so far, user and system.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.serve.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // USER_HZ is 100 on every Linux that Rust runs on.
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        for process in [&mut self.tail, &mut self.serve, &mut self.broker] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn wardpost(place: &TempDir, command: &str) -> Command {
    let mut line = Command::new(Path::new(env!("CARGO_BIN_EXE_wardwatch")).with_file_name("wardpost"));
    line.arg(command).arg("--database").arg(place.path().join("post.sqlite"));
    line
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "waited a minute in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}
