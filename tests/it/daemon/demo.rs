//! The demonstration that runs until Ctrl-C, and the commands that it prints.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::wardpost_program;

const PATIENCE: Duration = Duration::from_secs(120);
/// Beginning of a line that is a command.
const TRY: &str = "  $ ";

/// The demonstration; it ends what it started, also where the test fails.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = kill_process(Pid::from_child(&self.0), Signal::INT);
            let _ = self.0.wait();
        }
    }
}

/// The lines of a child's output, as they come.
fn lines(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    heard
}

fn started(command: &str, folder: &Path) -> Child {
    Command::new("sh")
        .args(["-c", &format!("exec {command}")])
        .current_dir(folder)
        // ffplay needs no screen then.
        .envs([("SDL_VIDEODRIVER", "dummy"), ("SDL_AUDIODRIVER", "dummy")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a command of the demonstration until it ends well, or has printed a line that shows that it works.
fn assert_works(command: &str, folder: &Path) {
    let goes_on = ["mosquitto_sub", "wardpost tail", "ffplay"].iter().find(|word| command.contains(**word));
    let mut child = started(command, folder);
    let (output, complaints) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
    match goes_on {
        Some(&"ffplay") => loop {
            let line =
                complaints.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("`{command}` shows no video"));
            if line.contains("Video: h264") {
                break;
            }
        },
        Some(_) => {
            let line = output.recv_timeout(PATIENCE);
            let said: Vec<String> = complaints.try_iter().collect();
            line.unwrap_or_else(|_| panic!("`{command}` prints nothing: {said:?}"));
        }
        None => {
            let status = child.wait().unwrap();
            let said: Vec<String> = complaints.iter().collect();
            // The clock of a test machine may never have been set, which `status` warns of.
            let is_warning = command.contains(" status ") && status.code() == Some(3);
            assert!(status.success() || is_warning, "`{command}`: {status}, {said:?}");
            return;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_demonstration_without_an_end_runs_until_ctrl_c_and_its_commands_work() {
    let post = wardpost_program();
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo(
        Command::new(env!("CARGO_BIN_EXE_wardwatch"))
            .args(["demo", "--seconds", "0", "--output", "my demo"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let said = lines(demo.0.stdout.take().unwrap());
    let mut commands: Vec<String> = Vec::new();
    let mut introduction = Vec::new();
    while commands.len() < 5 {
        let line = said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("five commands: {introduction:?}"));
        commands.extend(line.strip_prefix(TRY).map(str::to_owned));
        introduction.push(line);
    }
    assert!(introduction.iter().any(|line| line.contains("until Ctrl-C")), "{introduction:?}");
    assert!(commands.iter().any(|command| command.starts_with(post.to_str().unwrap())), "{commands:?}");
    commands.iter().for_each(|command| assert_works(command, folder.path()));
    assert!(folder.path().join("my demo/ben-thanh.html").exists());

    assert!(demo.0.try_wait().unwrap().is_none(), "it goes on");
    kill_process(Pid::from_child(&demo.0), Signal::INT).unwrap();
    let until = Instant::now() + PATIENCE;
    let mut last = Vec::new();
    while let Ok(line) = said.recv_timeout(until.saturating_duration_since(Instant::now())) {
        last.push(line);
    }
    assert!(demo.0.wait().unwrap().success(), "{last:?}");
    let play =
        last.iter().find_map(|line| line.strip_prefix(TRY)).expect("it says how to play what it recorded");
    assert_works(play, folder.path());
}
