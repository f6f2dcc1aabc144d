//! The motion gate, condition by condition: the part of the moving subjects that it covers, its regions on streets without
//! motion, and its CPU time a picture.

use std::time::Duration;

use analysis::{Gate, GateSettings};
use rustix::time::{ClockId, clock_gettime};

use crate::conditions::{CONDITIONS, Condition, Effect, Score, clock_mask, condition};

/// Seconds of each street.
const SECONDS: u32 = 60;
/// Pictures at the start that do not count: the gate learns.
const LEARNING_SECONDS: f32 = 3.0;

/// Prints the table; `only` those rows that have this in their name.
pub fn print(only: Option<&str>) {
    println!(
        "motion gate, 640x360 at 5 looks a second, {SECONDS} s a street; a subject is covered by half or more"
    );
    println!(
        "{:<28} {:>9} {:>9} {:>14} {:>7} {:>7} {:>12} {:>12} {:>6} {:>6}",
        "", "covered", "small", "within 5 looks", "ever", "false", "quiet looks", "quiet area", "again", "us"
    );
    let masked = Condition { name: "day, clock under a mask", ..condition("day, burnt-in clock") };
    let conditions = CONDITIONS.iter().chain([&masked]);
    for condition in conditions.filter(|c| only.is_none_or(|only| c.name.contains(only))) {
        let is_masked = condition.effect == Effect::Clock && condition.name.contains("mask");
        let masks = if is_masked { vec![clock_mask()] } else { Vec::new() };
        let gate = || Gate::new(GateSettings { masks: masks.clone() });
        let (busy, busy_time) = run(*condition, gate());
        let (quiet, quiet_time) = run(condition.quiet(), gate());
        let micros = (busy_time + quiet_time).as_secs_f64() * 1e6 / f64::from(busy.frames + quiet.frames);
        println!(
            "{:<28} {:>8.1}% {:>8.1}% {:>6.1}% of {:>3} {:>6.1}% {:>7} {:>8}/{:<3} {:>12.2} {:>3}+{:<2} {:>6.0}",
            condition.name,
            Score::percent(busy.seen),
            Score::percent(busy.small),
            Score::percent(busy.passages),
            busy.passages.0,
            Score::percent(busy.ever),
            busy.false_regions,
            quiet.false_frames,
            quiet.frames,
            quiet.false_area,
            busy.began_again,
            quiet.began_again,
            micros,
        );
    }
}

fn run(condition: Condition, mut gate: Gate) -> (Score, Duration) {
    let (mut score, mut time) = (Score::default(), Duration::ZERO);
    for (frame, truths) in condition.frames(SECONDS) {
        let start = cpu_time();
        let check = gate.check(&frame);
        time += cpu_time().saturating_sub(start);
        if frame.pts.0 as f32 / 1e9 >= LEARNING_SECONDS {
            score.add(&check, &truths);
        }
    }
    (score.finished(), time)
}

/// CPU time that this thread has used so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
