//! A root that systemd-nspawn has booted, behind a link of its own, which leads to this machine and nowhere else.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::machine::Machine;
use super::{emulation, output};
use crate::support::broker::{BrokerOptions, BrokerTls, TestBroker};
use crate::support::ceremony::Ceremony;
use crate::support::wait_until;

/// This machine's end of the link. There is one link at a time: `make test-system` runs one test after the other.
pub const OUTSIDE: &str = "10.231.8.1";
const INSIDE: &str = "10.231.8.2";
const NAMESPACE: &str = "wardwatch-system";
const START: Duration = Duration::from_secs(600);

/// Starts a broker for clients with certificates of that authority only, from the box and from here.
pub fn broker_outside(ceremony: &Ceremony) -> TestBroker {
    let tls = BrokerTls {
        cert_file: ceremony.file("broker-cert.pem"),
        key_file: ceremony.file("broker-key.pem"),
        client_ca_file: Some(ceremony.ca_file()),
    };
    TestBroker::start(&BrokerOptions { tls: Some(tls), address: Some(OUTSIDE), ..BrokerOptions::default() })
}

/// See the module. When dropped, it ends as if its power were cut.
pub struct Booted {
    pub machine: Machine,
    nspawn: Child,
    /// Id of its process 1 on this machine.
    first: String,
}

impl Booted {
    /// Boots it, and waits until systemd has started everything.
    pub fn boot(machine: Machine) -> Self {
        link();
        let log = File::create(machine.root.path().with_extension("log")).unwrap();
        let mut command = machine.nspawn();
        command.args(["--boot", &format!("--network-namespace-path=/run/netns/{NAMESPACE}")]);
        // systemd-nspawn 252 does not know these system calls, and refuses them.
        command.arg("--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let nspawn = command.spawn().expect("systemd-nspawn is installed");
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        let mut booted = Self { machine, nspawn, first: String::new() };
        wait_until("systemd has started", START, || {
            booted.first = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
            if booted.first.is_empty() {
                return false;
            }
            let said = booted.output("systemctl is-system-running").stdout;
            // Under QEMU some units of Debian's own cannot start.
            said.starts_with(b"running") || !emulation().is_empty() && said.starts_with(b"degraded")
        });
        booted
    }

    /// Runs a script in it.
    pub fn output(&self, script: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]);
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]);
        command.args(emulation());
        command.args(["sh", "-ec", script]).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a script. Returns its output, or both outputs of one that fails.
    pub fn try_sh(&self, script: &str) -> Result<String, String> {
        let output = self.output(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout);
        if output.status.success() { Ok(said) } else { Err(format!("{said}\n{}", text(&output.stderr))) }
    }

    /// Output of a script that succeeds, without the last line's end.
    pub fn sh(&self, script: &str) -> String {
        match self.try_sh(script) {
            Ok(said) => said.trim_end().to_owned(),
            Err(said) => panic!("{script}: {said}"),
        }
    }

    /// A property of the unit.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.sh(&format!("systemctl show --property={name} --value {unit}"))
    }

    /// Returns true if the unit is running and ready.
    pub fn is_active(&self, unit: &str) -> bool {
        self.property(unit, "ActiveState") == "active"
    }

    /// Sends SIGSTOP to the unit's daemon. Returns the time until there is another one, which must be within `patience`. The
    /// new daemon is ready when this returns.
    pub fn hang(&self, unit: &str, patience: Duration) -> Duration {
        let before = self.property(unit, "MainPID");
        let stopped = Instant::now();
        self.sh(&format!("kill -STOP {before}"));
        wait_until("the daemon that stood still is replaced", patience, || {
            let now = self.property(unit, "MainPID");
            now != before && now != "0"
        });
        let took = stopped.elapsed();
        wait_until("it is ready", START, || self.is_active(unit));
        assert!(self.log(unit).contains("Watchdog timeout"));
        took
    }

    /// The unit's log.
    pub fn log(&self, unit: &str) -> String {
        self.sh(&format!("journalctl --no-pager -o cat -u {unit}"))
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for unit in ["wardwatch", "wardpost"] {
                let log =
                    self.try_sh(&format!("journalctl --no-pager -u {unit} | tail -n 60")).unwrap_or_default();
                eprintln!("--- {unit}\n{log}");
            }
        }
        if !self.first.is_empty() {
            let _ = Command::new("kill").args(["-9", &self.first]).status();
        } else {
            let _ = self.nspawn.kill();
        }
        let _ = self.nspawn.wait();
        let _ = fs::remove_file(self.machine.root.path().with_extension("log"));
        let _ = Command::new("ip").args(["netns", "delete", NAMESPACE]).status();
    }
}

/// Makes a network namespace with a link to this machine anew.
fn link() {
    let ip = |line: &str| output(Command::new("ip").args(line.split(' ')));
    let _ = Command::new("ip").args(["netns", "delete", NAMESPACE]).output();
    let _ = Command::new("ip").args(["link", "delete", "ww-system"]).output();
    ip(&format!("netns add {NAMESPACE}"));
    ip(&format!("link add ww-system type veth peer name host0 netns {NAMESPACE}"));
    ip(&format!("address add {OUTSIDE}/30 dev ww-system"));
    ip("link set ww-system up");
    ip(&format!("-n {NAMESPACE} address add {INSIDE}/30 dev host0"));
    ip(&format!("-n {NAMESPACE} link set host0 up"));
    ip(&format!("-n {NAMESPACE} link set lo up"));
}

/// Leads connections to this end of the link to a port that listens on 127.0.0.1 alone.
pub struct Forward {
    pub port: u16,
    is_over: Arc<AtomicBool>,
}

impl Forward {
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind((OUTSIDE, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if of_thread.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(far) = TcpStream::connect(("127.0.0.1", target)) {
                    carry(&near, &far);
                    carry(&far, &near);
                }
            }
        });
        Self { port, is_over }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((OUTSIDE, self.port));
    }
}

fn carry(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
        let _ = from.shutdown(std::net::Shutdown::Both);
    });
}
