//! A ward's broker and post as processes of their own: Mosquitto, and `wardpost serve` with its page.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base::clock;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wardpost::Storage;
use wardpost::people::{Role, UserName, secret};
use wardpost::storage::{By, NewUser};

use super::wait_until;

/// Killed when dropped.
pub struct Ward {
    place: TempDir,
    broker: Child,
    broker_port: u16,
    page_port: u16,
    server: Option<Child>,
    /// Number of times that the server was started.
    starts: u32,
}

impl Ward {
    /// Starts both, and waits until alerts can be sent.
    pub fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let [broker_port, page_port] = free_ports();
        let broker = format!(
            "listener {broker_port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence false\nset_tcp_nodelay true\n\
             max_queued_messages 100000\n"
        );
        fs::write(place.path().join("mosquitto.conf"), broker).unwrap();
        let post = format!(
            "[broker]\nurl = \"mqtt://127.0.0.1:{broker_port}\"\n\n[post]\nward = \"ben-nghe\"\ndatabase = \"{}\"\n\n\
             [page]\nlisten = \"127.0.0.1:{page_port}\"\n",
            place.path().join("post.sqlite").display()
        );
        fs::write(place.path().join("wardpost.toml"), post).unwrap();
        let broker = Command::new("mosquitto")
            .arg("-c")
            .arg(place.path().join("mosquitto.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        wait_until("the broker answers", || TcpStream::connect(("127.0.0.1", broker_port)).is_ok());
        let mut ward = Self { place, broker, broker_port, page_port, server: None, starts: 0 };
        ward.start_server();
        wait_until("the post hears the boxes", || ward.log().contains("connected to the broker"));
        ward
    }

    /// Starts the post, again if need be, on the same port, and waits until its page answers.
    pub fn start_server(&mut self) {
        self.starts += 1;
        let server = Command::new(env!("CARGO_BIN_EXE_wardpost"))
            .args(["serve", "--config"])
            .arg(self.place.path().join("wardpost.toml"))
            .stderr(File::create(self.log_path()).unwrap())
            .spawn()
            .unwrap();
        self.server = Some(server);
        wait_until("the page answers", || TcpStream::connect(("127.0.0.1", self.page_port)).is_ok());
    }

    /// Ends the post with SIGKILL.
    pub fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Stalls the post: connections stay, and nothing is answered.
    pub fn stall(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends a stall.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let server = self.server.as_ref().expect("it runs");
        kill_process(Pid::from_child(server), signal).unwrap();
    }

    pub fn broker_port(&self) -> u16 {
        self.broker_port
    }

    pub fn page_port(&self) -> u16 {
        self.page_port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.page_port)
    }

    /// The database, beside the post.
    pub fn storage(&self) -> Storage {
        Storage::open_beside(&self.place.path().join("post.sqlite")).unwrap()
    }

    /// Makes an account, and logs it in as the page does after a password. Returns the login's token.
    pub fn log_in(&self, name: &str, role: Role) -> String {
        let (mut storage, token) = (self.storage(), secret::token());
        let user: UserName = name.parse().unwrap();
        let by = By { who: "a test", at: clock::wall() };
        let new = NewUser { name: &user, full_name: name, role, password: None, code: None };
        storage.add_user(&new, by).unwrap();
        storage.begin_login(&secret::digest(&token), &user, "127.0.0.1", clock::wall()).unwrap();
        token
    }

    /// Log lines of the post since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.place.path().join(format!("log-{}", self.starts))
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- wardpost\n{}", self.log());
        }
        for process in self.server.iter_mut().chain([&mut self.broker]) {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn free_ports() -> [u16; 2] {
    // Both are open at once, so that they differ.
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
