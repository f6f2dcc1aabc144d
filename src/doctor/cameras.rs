//! Checks that each camera gives a picture, and reports its format and bit rate.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use super::Finding;
use crate::config;
use crate::run::Surroundings;
use crate::telemetry::state::State;
use base::channel;
use base::fragment::{Fragment, FragmentStart, StreamFacts, StreamHealth, StreamRole};
use base::ids::CameraId;
use base::picture::Frame;
use base::status::{InputCounts, StreamState};
use base::stream_pair;
use camera::{SessionProgram, StreamReport, StreamSettings, StreamSink, prepare, supervise};

/// Distance of key frames above which a power cut costs more than it should.
const GOP_MAX: Duration = Duration::from_secs(4);
/// Messages of the streams that may wait; more are dropped.
const HEARD_MAX: usize = 256;

/// Reports the cameras' states by the daemon. Always `None`: the daemon does not report how many bytes they send.
pub(super) fn as_reported(
    settings: &config::Settings,
    state: &State,
    say: &mut dyn FnMut(Finding),
) -> Option<f64> {
    for camera in &settings.cameras {
        let id = &camera.camera.id;
        let about = format!("camera {id}");
        let reported = state.status.cameras.iter().find(|reported| reported.id == *id);
        say(match reported {
            Some(reported) if reported.state == StreamState::Live && !reported.notes.is_empty() => {
                Finding::warning(about, reported.notes.join("; "), "see `wardwatch status`")
            }
            Some(reported) if matches!(reported.state, StreamState::Live | StreamState::Ended) => {
                let skipped = reported.input.and_then(|input| input.in_words());
                let skipped = skipped.map_or(String::new(), |words| format!("; {words}"));
                Finding::ok(about, format!("live since {}, as the daemon says{skipped}", reported.since))
            }
            Some(reported) => {
                let why = reported.reason.as_deref().unwrap_or("no picture yet");
                Finding::failed(about, why, "see `wardwatch status`")
            }
            None => Finding::failed(about, "the daemon does not know it", "systemctl reload wardwatch"),
        });
    }
    None
}

/// Connects to all streams at once. Returns the bytes a second of all recorded streams together; `None` where one of
/// them sent nothing.
pub(super) fn connect(
    settings: &config::Settings,
    surroundings: &Surroundings,
    patience: Duration,
    say: &mut dyn FnMut(Finding),
) -> Option<f64> {
    let registry = std::env::temp_dir().join(format!("wardwatch-doctor-{}.bin", std::process::id()));
    let mut program = SessionProgram::current(registry.clone());
    program.user = surroundings.session_user;
    if let Some(given) = &surroundings.program {
        program.program.clone_from(given);
    }
    let sum = match prepare(&program) {
        Ok(()) => listen(settings, &program, patience, say),
        Err(error) => {
            say(Finding::failed("cameras", error.to_string(), "install what is missing"));
            None
        }
    };
    // Fails where it was never written.
    let _ = std::fs::remove_file(registry);
    sum
}

fn listen(
    settings: &config::Settings,
    program: &SessionProgram,
    patience: Duration,
    say: &mut dyn FnMut(Finding),
) -> Option<f64> {
    let streams: Vec<StreamSettings> =
        settings.cameras.iter().flat_map(|camera| camera.streams.iter().cloned()).collect();
    let (tell, heard) = channel::blocking(HEARD_MAX);
    let mut handles = Vec::new();
    for (number, stream) in streams.iter().enumerate() {
        let ear = Ear { number, tell: tell.clone() };
        handles.push(supervise(stream.clone(), program.clone(), Box::new(ear)));
    }
    let outcomes = collect(&streams, &heard, Instant::now() + patience);
    drop(heard);
    handles.iter().for_each(camera::StreamHandle::ask_to_stop);
    handles.into_iter().for_each(camera::StreamHandle::stop);

    let mut sum = Some(0.0);
    for (stream, outcome) in streams.iter().zip(&outcomes) {
        say(outcome.finding(stream, patience));
        if stream.record {
            sum = sum.zip(outcome.bytes_per_second()).map(|(sum, rate)| sum + rate);
        }
    }
    let facts = |camera: &CameraId, role| {
        let mut known = streams.iter().zip(&outcomes);
        known.find(|(stream, _)| stream.camera == *camera && stream.role == role)?.1.facts.as_ref()
    };
    for camera in settings.cameras.iter().map(|camera| &camera.camera.id) {
        let both = facts(camera, StreamRole::Main).zip(facts(camera, StreamRole::Sub));
        if let Some(fault) = both.and_then(|(main, sub)| stream_pair::fault(main, sub)) {
            say(Finding::warning(format!("camera {camera}"), fault.what, fault.remedy));
        }
    }
    sum
}

/// Observations of one stream.
#[derive(Debug, Default)]
struct Outcome {
    facts: Option<StreamFacts>,
    reason: Option<String>,
    health: StreamHealth,
    is_misconfigured: bool,
    /// Number of fragments; `bytes` and `duration` are their sums.
    fragments: u64,
    /// True if a GOP came in parts.
    is_gop_long: bool,
    bytes: u64,
    duration: Duration,
    frames: u64,
    input: InputCounts,
}

impl Outcome {
    /// True if no further message is needed.
    fn is_complete(&self, stream: &StreamSettings) -> bool {
        let is_recorded = !stream.record || self.fragments >= 2;
        let is_seen = stream.watch_fps_max.is_none() || self.frames > 0;
        self.is_misconfigured || (self.facts.is_some() && is_recorded && is_seen)
    }

    fn bytes_per_second(&self) -> Option<f64> {
        (self.fragments > 0 && !self.duration.is_zero())
            .then(|| self.bytes as f64 / self.duration.as_secs_f64())
    }

    fn finding(&self, stream: &StreamSettings, patience: Duration) -> Finding {
        let about = format!("camera {} ({})", stream.camera, stream.role);
        let Some(facts) = &self.facts else {
            let silent = || format!("nothing came for {} s", patience.as_secs());
            let reason = self.reason.clone().unwrap_or_else(silent);
            // Most reasons end with the remedy.
            let usual = "does another player show this stream?";
            let (what, remedy) = reason.rsplit_once("; ").unwrap_or((&reason, usual));
            return Finding::failed(about, what, remedy);
        };
        let picture = format!("{:?} {}x{}", facts.codec, facts.width, facts.height).to_lowercase();
        if stream.watch_fps_max.is_some() && self.frames == 0 {
            let remedy =
                "is a decoder for it installed (gstreamer1.0-libav)? does the camera send key frames?";
            return Finding::failed(
                about,
                format!("{picture}, and no picture of it could be decoded"),
                remedy,
            );
        }
        let Some(rate) = self.bytes_per_second() else {
            return if stream.record {
                let remedy = "does the camera send key frames? set its key frame interval to 1 or 2 s";
                Finding::failed(
                    about,
                    format!("{picture}, and no fragment within {} s", patience.as_secs()),
                    remedy,
                )
            } else {
                Finding::ok(about, picture)
            };
        };
        let gop = self.duration / u32::try_from(self.fragments).unwrap_or(1).max(1);
        let skipped = self.input.in_words().map_or(String::new(), |words| format!("; {words}"));
        let what =
            format!("{picture}, {:.1} Mbit/s, fragments of {:.1} s{skipped}", rate * 8e-6, gop.as_secs_f64());
        if self.is_gop_long || gop > GOP_MAX {
            return Finding::warning(
                about,
                what,
                "set the camera's key frame interval to 1 or 2 s: what is not whole cannot be sought in",
            );
        }
        match self.health.notes(self.facts.as_ref()).as_slice() {
            [] => Finding::ok(about, what),
            notes => {
                Finding::warning(about, format!("{what}; {}", notes.join("; ")), "see the camera's settings")
            }
        }
    }
}

fn collect(streams: &[StreamSettings], heard: &Receiver<(usize, Heard)>, until: Instant) -> Vec<Outcome> {
    let mut outcomes: BTreeMap<usize, Outcome> =
        (0..streams.len()).map(|at| (at, Outcome::default())).collect();
    while outcomes.iter().any(|(number, outcome)| !outcome.is_complete(&streams[*number])) {
        let left = until.saturating_duration_since(Instant::now());
        let Ok((number, said)) = heard.recv_timeout(left) else { break };
        let outcome = outcomes.entry(number).or_default();
        match said {
            Heard::Report(report) => {
                outcome.facts = report.facts.or(outcome.facts.take());
                outcome.is_misconfigured = report.state == StreamState::Misconfigured;
                outcome.reason = report.reason.or(outcome.reason.take());
                outcome.health = report.health;
            }
            Heard::Fragment(bytes, duration, start) => {
                outcome.is_gop_long |= start == FragmentStart::Continued;
                outcome.fragments += 1;
                outcome.bytes += bytes;
                outcome.duration += duration;
            }
            Heard::Frame => outcome.frames += 1,
            Heard::Input(input) => outcome.input = input,
        }
    }
    outcomes.into_values().collect()
}

/// A message of a stream.
enum Heard {
    Report(StreamReport),
    /// Bytes, their duration, and the fragment's start.
    Fragment(u64, Duration, FragmentStart),
    Frame,
    Input(InputCounts),
}

/// Passes a stream's messages on.
struct Ear {
    number: usize,
    tell: SyncSender<(usize, Heard)>,
}

impl Ear {
    fn say(&self, heard: Heard) {
        // Fails where the queue is full, or is not read any more.
        let _ = self.tell.try_send((self.number, heard));
    }
}

impl StreamSink for Ear {
    fn fragment(&mut self, fragment: Fragment) {
        self.say(Heard::Fragment(fragment.bytes.len() as u64, fragment.duration, fragment.start));
    }

    fn frame(&mut self, _: Frame) {
        self.say(Heard::Frame);
    }

    fn report(&mut self, report: StreamReport) {
        self.say(Heard::Report(report));
    }

    fn input(&mut self, _: &CameraId, _: StreamRole, input: InputCounts) {
        self.say(Heard::Input(input));
    }
}
