//! The ward's hook: a program with JSON on its standard input, or a webhook on the ward's network, called where nobody takes
//! an event. Bounded in time.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, parse_pem};

use crate::events::Level;
use crate::presentation::Presentation;
use crate::storage::StoredEvent;

/// The value of `schema` in a hook's message.
pub const SCHEMA: &str = "wardpost.hook/1";

/// The call where nobody takes an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Called target.
    pub target: Target,
    /// Longest call.
    pub timeout: Duration,
}

/// Target of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A program, with JSON on its standard input.
    Program(PathBuf),
    /// An address that gets a POST with JSON.
    Url {
        /// The address.
        url: String,
        /// PEM file of the authority that signed the certificate of an `https` address.
        ca_file: Option<PathBuf>,
    },
}

/// Reason for which a call failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The program does not start, or its standard input breaks.
    #[error("the hook {} cannot be run: {source}; is it executable for the user of wardpost?", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The program reports a fault.
    #[error("the hook {} failed: {status}; its own words are in the log", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Its end.
        status: ExitStatus,
    },
    /// The call takes too long.
    #[error("the hook {target} took longer than {} s and was ended", timeout.as_secs())]
    Timeout {
        /// Program or address.
        target: String,
        /// The longest time.
        timeout: Duration,
    },
    /// The authority's file cannot be used.
    #[error("the hook's ca_file {}: {problem}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// The address cannot be reached.
    #[error("the hook {url} cannot be reached: {problem}")]
    Unreachable {
        /// The address.
        url: String,
        /// The connection's own words.
        problem: String,
    },
    /// The address does not accept the call.
    #[error("the hook {url} answered {status}")]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
}

impl Hook {
    /// Calls the hook; blocks for `timeout` at most.
    ///
    /// # Errors
    /// It cannot be reached, reports a fault, or takes too long.
    pub fn call(&self, message: &Value) -> Result<(), HookError> {
        match &self.target {
            Target::Program(program) => run(program, message, self.timeout),
            Target::Url { url, ca_file } => post(url, ca_file.as_deref(), message, self.timeout),
        }
    }
}

/// Message to a hook about an event: facts for programs, and a text for people.
pub fn message(event: &StoredEvent, presentation: &Presentation) -> Value {
    let source = &event.source;
    let lead = event.lead.as_ref();
    let alert = lead.map(|lead| &lead.alert);
    json!({
        "schema": SCHEMA,
        "level": Level::Hook.as_str(),
        "event": event.number,
        "ward": source.sender.ward,
        "box": source.sender.box_id,
        "camera": {
            "id": source.camera,
            "name": event.names.camera,
            "lat": alert.and_then(|alert| alert.camera.lat),
            "lon": alert.and_then(|alert| alert.camera.lon),
        },
        "rule": { "id": source.rule, "kind": event.names.rule_kind, "name": event.names.rule },
        "severity": event.severity,
        "alerts": event.span.alerts,
        "first_at": event.span.first_at,
        "last_at": event.span.last_at,
        "waiting_since": event.state.since(),
        "alert": alert.map(|alert| alert.id),
        "text": lead.map(|lead| presentation.line(lead)),
    })
}

fn run(program: &Path, message: &Value, timeout: Duration) -> Result<(), HookError> {
    let failed = |source| HookError::Start { program: program.to_owned(), source };
    // Its own process group: children that it leaves behind end with it.
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // The message fits into a pipe. A program that does not read it may succeed all the same.
        let _ = input.write_all(message.to_string().as_bytes());
    }
    let group = Pid::from_child(&child);
    let (tell, ended) = mpsc::sync_channel(1);
    // It also takes the exit status of a program that is killed.
    let wait = move || {
        // An error means that nobody waits any more.
        let _ = tell.send(child.wait());
    };
    std::thread::Builder::new().name("hook-program".to_owned()).spawn(wait).map_err(failed)?;
    match ended.recv_timeout(timeout) {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(HookError::Failed { program: program.to_owned(), status }),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => {
            // An error means that the group has ended.
            let _ = kill_process_group(group, Signal::KILL);
            Err(HookError::Timeout { target: program.display().to_string(), timeout })
        }
    }
}

fn post(url: &str, ca_file: Option<&Path>, message: &Value, timeout: Duration) -> Result<(), HookError> {
    let roots = ca_file.map(authorities).transpose()?.unwrap_or_default();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(wardlink::tls::provider())
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(url.starts_with("https://"))
        // A proxy of the environment leads out of the ward's network.
        .proxy(None)
        .max_redirects(0)
        .user_agent(concat!("wardpost/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(timeout))
        .tls_config(tls)
        .build();
    let request = Agent::new_with_config(config).post(url).header("Content-Type", "application/json");
    match request.send(message.to_string()) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(HookError::Refused { url: url.to_owned(), status: answer.status().as_u16() }),
        Err(ureq::Error::Timeout(_)) => Err(HookError::Timeout { target: url.to_owned(), timeout }),
        Err(error) => Err(HookError::Unreachable { url: url.to_owned(), problem: error.to_string() }),
    }
}

/// Certificates of a PEM file.
fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, HookError> {
    let failed = |problem: String| HookError::Authority { path: path.to_owned(), problem };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(ureq::tls::PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    if found.is_empty() { Err(failed("it has no certificate".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(30);

    fn script(text: &str) -> (tempfile::TempDir, Hook) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("hook");
        std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{text}\n", place.path().display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (place, Hook { target: Target::Program(path), timeout: PATIENT })
    }

    #[test]
    fn a_program_gets_the_message_on_its_standard_input() {
        let (place, hook) = script("cat > got");
        hook.call(&json!({ "text": "Cổng chợ" })).unwrap();
        let got = std::fs::read_to_string(place.path().join("got")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&got).unwrap()["text"], "Cổng chợ");
        // One that reads nothing may succeed.
        script("exit 0").1.call(&json!({ "text": "a".repeat(9000) })).unwrap();
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_says_so() {
        let error = script("exit 7").1.call(&json!({})).unwrap_err().to_string();
        assert!(error.contains("exit status: 7"), "{error}");
        let hook = Hook { target: Target::Program("/nowhere".into()), timeout: PATIENT };
        let error = hook.call(&json!({})).unwrap_err().to_string();
        assert!(error.contains("is it executable"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let (place, hook) = script("sleep 1000 & echo $! > child; sleep 1000");
        let hook = Hook { timeout: Duration::from_secs(2), ..hook };
        let error = hook.call(&json!({})).unwrap_err();
        assert!(matches!(error, HookError::Timeout { .. }), "{error}");
        let child: i32 = std::fs::read_to_string(place.path().join("child")).unwrap().trim().parse().unwrap();
        let stat = format!("/proc/{child}/stat");
        let deadline = Instant::now() + PATIENT;
        // A zombie has ended, too: nobody waits for it in a container.
        while std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
            assert!(Instant::now() < deadline, "the child lives");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An HTTP server for one request: answers with `status`, and returns the request's body.
    fn serve_once(status: u16) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/siren", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            String::from_utf8(body).unwrap()
        });
        (url, thread)
    }

    #[test]
    fn an_address_gets_the_message_and_its_refusal_is_a_fault() {
        for (status, is_fine) in [(204, true), (500, false), (302, false)] {
            let (url, server) = serve_once(status);
            let hook = Hook { target: Target::Url { url, ca_file: None }, timeout: PATIENT };
            let result = hook.call(&json!({ "event": 7 }));
            assert_eq!(result.is_ok(), is_fine, "{status}: {result:?}");
            assert_eq!(server.join().unwrap(), r#"{"event":7}"#);
        }
    }

    #[test]
    fn an_address_that_is_away_or_silent_is_a_fault() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let silent = Hook {
            target: Target::Url { url: url.clone(), ca_file: None },
            timeout: Duration::from_millis(300),
        };
        let error = silent.call(&json!({})).unwrap_err();
        assert!(matches!(error, HookError::Timeout { .. }), "{error}");
        drop(listener);
        let error = Hook { timeout: PATIENT, ..silent }.call(&json!({})).unwrap_err();
        assert!(matches!(error, HookError::Unreachable { .. }), "{error}");
    }
}
