//! Hours of a street in which nothing happens.

use std::collections::BTreeMap;
use std::time::Duration;

use base::clock::thread_cpu;
use base::event::Phase;
use streetsim::quiet::Quiet;
use streetsim::suite::usual_rules;
use streetsim::{Scene, Settings};

use super::Asked;
use super::play::{Watcher, frame, known};

const FPS: f32 = 5.0;

/// Results of a part of the hours.
#[derive(Default)]
struct Hours {
    frames: u64,
    inferences: u64,
    alerts: Vec<(f64, String, String)>,
    drawing: Duration,
    looking: Duration,
}

fn settings() -> Settings {
    Settings { seed: 9_000_001, fps: FPS, density: 0.0, ..Settings::default() }
}

/// Creates the street.
pub fn street() -> Quiet {
    Quiet::new(settings())
}

/// Runs `hours` from the hour asked for, in as many parts at once as there are threads.
pub fn print(asked: &Asked, hours: f64) {
    let quiet = street();
    let (rules, unknown) = known(&Scene::new(settings()), &usual_rules());
    let names: Vec<_> = rules.iter().map(|rule| rule.kind.as_str()).collect();
    println!(
        "an empty street at {FPS} fps, {hours} h from {:.1} h on; rules: {}",
        asked.from_hour,
        names.join(", ")
    );
    for (id, _) in &unknown {
        println!("kind not known: {id}");
    }
    let factory = asked.factory();
    let each = hours / asked.threads as f64;
    let parts: Vec<Hours> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..asked.threads)
            .map(|part| {
                let mut watcher = Watcher::new(&factory, rules.clone());
                let quiet = &quiet;
                let from = asked.from_hour + each * part as f64;
                scope.spawn(move || watch(quiet, &mut watcher, from, from + each))
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let all = parts.into_iter().fold(Hours::default(), Hours::plus);
    let mut by_kind = BTreeMap::<&str, u32>::new();
    for (second, kind, why) in &all.alerts {
        *by_kind.entry(kind).or_default() += 1;
        let hour = second / 3600.0;
        println!("FALSE {kind} at {:02}:{:04.1}: {why}", hour as u64, hour.fract() * 60.0);
    }
    let days = all.frames as f64 / f64::from(FPS) / 86_400.0;
    let (frames, cpu) = (all.frames as f64, |time: Duration| time.as_secs_f64() * 1e3 / all.frames as f64);
    println!(
        "{frames} frames, {days:.2} camera-days: {} inferences ({:.0} an hour), CPU a frame: drawing {:.2} ms, \
              looking {:.2} ms",
        all.inferences,
        all.inferences as f64 / days / 24.0,
        cpu(all.drawing),
        cpu(all.looking)
    );
    println!(
        "{} alerts, {:.2} a camera-day; by kind: {by_kind:?}",
        all.alerts.len(),
        all.alerts.len() as f64 / days
    );
}

impl Hours {
    fn plus(mut self, other: Self) -> Self {
        self.frames += other.frames;
        self.inferences += other.inferences;
        self.alerts.extend(other.alerts);
        self.drawing += other.drawing;
        self.looking += other.looking;
        self
    }
}

fn watch(quiet: &Quiet, watcher: &mut Watcher, from: f64, until: f64) -> Hours {
    let mut hours = Hours::default();
    let index = |hour: f64| (hour * 3600.0 * f64::from(FPS)) as u64;
    for index in index(from)..index(until) {
        let start = thread_cpu();
        let picture = quiet.picture(index);
        let drawn = thread_cpu();
        let second = index as f64 / f64::from(FPS);
        let events = watcher.frame(&frame(second, 1, picture));
        hours.looking += thread_cpu().saturating_sub(drawn);
        hours.drawing += drawn.saturating_sub(start);
        hours.frames += 1;
        let opened = events.into_iter().filter(|event| event.phase == Phase::Opened);
        hours.alerts.extend(opened.map(|event| (second, event.rule.kind.clone(), event.why)));
    }
    hours.inferences = watcher.inferences;
    hours
}
