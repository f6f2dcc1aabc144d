//! One scenario through gate and analysis, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use analysis::Gate;
use analysis::rules::RuleSettings;
use base::event::{Event, Phase};
use base::geometry::Rect;
use base::ids::Epoch;
use base::picture::{Frame, Picture};
use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
use streetsim::Scene;
use streetsim::suite::{Rule, Scenario, configuration};
use wardwatch::config;
use wardwatch::infer::Factory;
use wardwatch::infer::{Analysis, InferenceOutcome};

/// Time without a picture after which a stream is lost, as the configuration has it.
const STALL_SECONDS: f64 = 10.0;

/// Time without a picture from which on a camera is reported absent.
const ABSENCE_SECONDS: f64 = 5.0;

/// Results of one scenario.
#[derive(Debug, Default)]
pub struct Said {
    /// Opened events, each with its second.
    pub opened: Vec<(f64, Event)>,
    /// Rules that this build does not know: ids, and the reasons.
    pub unknown: Vec<(String, String)>,
    /// Reasons why rules did not fire: the last reason for each rule and track, and its second.
    pub notes: BTreeMap<(String, String), (f64, String)>,
    pub frames: u64,
    pub inferences: u64,
}

/// Gate and analysis of one camera.
pub struct Watcher {
    gate: Option<Gate>,
    analysis: Analysis,
    pub inferences: u64,
    /// Prints every inference.
    pub traces: bool,
}

impl Watcher {
    pub fn new(factory: &Factory, rules: Vec<RuleSettings>) -> Self {
        let gate = factory.gate_for_camera(&[]);
        let is_gated = gate.is_some();
        let analysis = Analysis::new(camera(), factory.for_camera(&[]), rules, is_gated);
        Self { gate, analysis, inferences: 0, traces: false }
    }

    /// Returns the events that begin or end on this frame.
    pub fn frame(&mut self, frame: &Frame) -> Vec<Event> {
        let check = self.gate.as_mut().map(|gate| gate.check(frame)).unwrap_or_default();
        let after_motion = self.analysis.take_motion(frame, &check);
        let mut events = after_motion.events;
        if after_motion.want.is_some() {
            let inferred = self.analysis.infer(frame).unwrap();
            self.inferences += inferred.parts.len() as u64;
            if self.traces {
                trace(frame, &inferred);
            }
            events.extend(inferred.events);
        }
        events.into_iter().map(|told| told.event).collect()
    }

    /// Reports that there is no picture.
    pub fn absent(&mut self, at: Stamp) -> Vec<Event> {
        self.analysis.absent(at).into_iter().map(|told| told.event).collect()
    }

    /// Reports that the stream is lost.
    pub fn lost(&mut self, at: Stamp) -> Vec<Event> {
        self.analysis.close_all(at).into_iter().map(|told| told.event).collect()
    }
}

/// Prints, in pixels of 640x360, the parts of an inference, its detections and the tracks (`+`: confirmed; `?`: not
/// seen in this inference).
fn trace(frame: &Frame, inferred: &InferenceOutcome) {
    let written = |rect: &Rect| {
        let [x, y, w, h] = [rect.x * 640.0, rect.y * 360.0, rect.w * 640.0, rect.h * 360.0];
        format!("{x:.0},{y:.0} {w:.0}x{h:.0}")
    };
    let parts: Vec<_> = inferred.parts.iter().map(|part| written(&part.crop)).collect();
    println!("  {:>6.1} looks at {}", frame.pts.0 as f64 / 1e9, parts.join("; "));
    for found in &inferred.detections {
        println!("           found {} {:.2} at {}", found.label, found.score, written(&found.rect));
    }
    for track in &inferred.tracks {
        let mark = if track.confirmed { "+" } else { " " };
        let seen = if track.last_seen == frame.at.monotonic { " " } else { "?" };
        println!("           {mark}{seen} {} {} at {}", track.id, track.label, written(&track.rect));
    }
}

fn camera() -> base::ids::CameraId {
    "street".parse().unwrap()
}

/// The stamp of a second.
pub fn stamp(second: f64) -> Stamp {
    let span = Duration::from_secs_f64(second);
    Stamp {
        wall: WallTime::from_micros(1_777_593_600_000_000) + span,
        monotonic: Monotonic::from_nanos(1_000_000_000) + span,
        clock: ClockState::Synced,
    }
}

/// The frame of a second, in the stream's `epoch`.
pub fn frame(second: f64, epoch: u32, picture: Picture) -> Frame {
    let pts = Pts((second * 1e9) as u64);
    Frame { camera: camera(), epoch: Epoch(epoch), pts, at: stamp(second), picture }
}

/// Returns the rules that this build knows, checked; and the reasons for the others.
pub fn known(scene: &Scene, rules: &[Rule]) -> (Vec<RuleSettings>, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wardwatch.toml");
    let load = |rules: &[&Rule]| {
        std::fs::write(&file, configuration(scene, rules)).unwrap();
        config::load(&file).map_err(|problems| problems.to_string())
    };
    // The configuration itself must be right, or every rule would seem unknown.
    load(&[]).unwrap_or_else(|problems| panic!("the suite's configuration is wrong: {problems}"));
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for rule in rules {
        match load(&[rule]) {
            Ok(settings) => known.extend(settings.rules),
            Err(problems) => unknown.push((rule.id.clone(), problems)),
        }
    }
    (known, unknown)
}

/// Plays a scenario. Pictures are drawn on a thread of their own, a few ahead.
pub fn play(scenario: &Scenario, factory: &Factory, (explains, traces): (bool, bool)) -> Said {
    let scene = Scene::new(scenario.settings.clone());
    let (mut rules, unknown) = known(&scene, &scenario.rules);
    let mut said = Said { unknown, ..Said::default() };
    if rules.is_empty() {
        return said;
    }
    if !scenario.rules.iter().any(|rule| rule.kind == "camera_sabotage") {
        // No event on a street is sabotage.
        let keys = vec!["seconds_min = 5".to_owned()];
        let rule = Rule { id: "always".to_owned(), kind: "camera_sabotage".to_owned(), keys };
        rules.extend(known(&scene, &[rule]).0);
    }
    let fps = f64::from(scene.settings().fps);
    said.frames = (f64::from(scenario.seconds) * fps) as u64;
    let frames = said.frames;
    let mut watcher = Watcher::new(factory, rules);
    watcher.traces = traces;
    if explains {
        watcher.analysis.explain();
    }
    let scene = &scene;
    std::thread::scope(|scope| {
        let (sender, pictures) = std::sync::mpsc::sync_channel(8);
        scope.spawn(move || {
            for index in 0..frames {
                let picture = (!scene.is_lost(index)).then(|| scene.frame(index).0);
                if sender.send((index, picture)).is_err() {
                    return;
                }
            }
        });
        let (mut epoch, mut last_seen, mut is_lost) = (1, 0.0, false);
        for (index, picture) in pictures {
            let second = index as f64 / fps;
            let events = match picture {
                Some(picture) => {
                    epoch += u32::from(std::mem::take(&mut is_lost));
                    last_seen = second;
                    watcher.frame(&frame(second, epoch, picture))
                }
                None if second - last_seen >= STALL_SECONDS && !is_lost => {
                    is_lost = true;
                    watcher.lost(stamp(second))
                }
                None if second - last_seen >= ABSENCE_SECONDS => watcher.absent(stamp(second)),
                None => Vec::new(),
            };
            let opened = events.into_iter().filter(|event| event.phase == Phase::Opened);
            for note in watcher.analysis.notes() {
                let who = note.track.map_or_else(String::new, |track| track.to_string());
                said.notes.insert((note.rule.to_string(), who), (second, note.why.clone()));
            }
            said.opened.extend(opened.map(|event| (second, event)));
        }
    });
    said.inferences = watcher.inferences;
    said
}
