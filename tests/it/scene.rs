//! Scenarios of `scene`: the true subjects, through the tracker and the rules, against the events that must come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use analysis::Scenery;
use analysis::rules::{Kind, Observation, RuleArea, RuleSet, RuleSettings, Schedule, intrusion, tripwire};
use analysis::track::{self, Surroundings, Tracker};
use base::detection::Detection;
use base::event::{Event, Phase, Severity};
use base::geometry::{Point, Rect, Side};
use base::ids::{Epoch, TrackId};
use base::time::{ClockState, Monotonic, Stamp, WallTime};
use base::track::Track;
use jiff::tz::TimeZone;
use rand::{Rng, SeedableRng};
use streetsim::{Expected, ExpectedKind, Scene, Settings, Truth};

const CAMERA: &str = "gate";

fn small_scene(fps: f32, density: f32) -> Scene {
    Scene::new(Settings { width: 320, height: 180, fps, density, ..Settings::default() })
}

fn stamp(frame: u64, fps: f32) -> Stamp {
    let span = Duration::from_secs_f64(frame as f64 / f64::from(fps));
    Stamp {
        wall: WallTime::from_micros(1_777_647_600_000_000) + span,
        monotonic: Monotonic::from_nanos(1_000_000_000) + span,
        clock: ClockState::Synced,
    }
}

/// Returns true for a subject that is large enough and not mostly hidden.
fn can_be_seen(truth: &Truth) -> bool {
    truth.visible > 0.35 && truth.rect.h > 0.04
}

/// A detector: the detection of each true subject, if it sees it.
trait Detector: FnMut(&Truth) -> Option<Detection> {}
impl<F: FnMut(&Truth) -> Option<Detection>> Detector for F {}

fn perfect(truth: &Truth) -> Option<Detection> {
    let score = 0.5 + 0.4 * truth.visible;
    can_be_seen(truth).then_some(Detection { label: truth.label, score, rect: truth.rect })
}

/// Misses one in ten, and trembles by some hundredths of the bounding box's size.
fn trembling() -> impl Detector {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    move |truth| {
        let found = perfect(truth).filter(|_| rng.random_bool(0.9))?;
        let mut tremble = || 0.05 * (0..3).map(|_| rng.random_range(-1.0..1.0f32)).sum::<f32>();
        let Rect { x, y, w, h } = found.rect;
        let rect =
            Rect::new(x + w * tremble(), y + h * tremble(), w * (1.0 + tremble()), h * (1.0 + tremble()));
        Some(Detection { rect, score: (found.score + tremble() * 2.0).clamp(0.0, 1.0), ..found })
    }
}

fn apart(a: Point, b: Point) -> f32 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// True subject of a track: that of its newest detection.
fn whose(track: &Track, truths: &[Truth]) -> Option<u64> {
    let foot = track.path.last()?.foot;
    let away = |t: &Truth| apart(t.rect.foot(), foot);
    let nearest = truths.iter().min_by(|a, b| away(a).total_cmp(&away(b)))?;
    (away(nearest) < 1e-4).then_some(nearest.id)
}

#[test]
fn tracks_follow_the_streets_users_at_5_looks_a_second() {
    let fps = 5.0;
    let scene = small_scene(fps, 1.0);
    let mut tracker = Tracker::new(track::Settings::default());
    // For each true subject: the frame on which it was seen last, and its track there.
    let mut last = BTreeMap::<u64, (u64, TrackId)>::new();
    let (mut looks, mut confirmed) = (BTreeMap::<u64, u32>::new(), BTreeSet::new());
    let (mut switches, mut after_hiding) = (0, 0);
    for frame in 0..450 {
        let (picture, truths) = scene.frame(frame);
        let at = stamp(frame, fps).monotonic;
        for truth in truths.iter().filter(|t| can_be_seen(t)) {
            *looks.entry(truth.id).or_default() += 1;
        }
        let detections: Vec<Detection> = truths.iter().filter_map(perfect).collect();
        let surroundings: Vec<Surroundings> = detections
            .iter()
            .map(|found| Surroundings::of(&picture, &Scenery::default(), &found.rect))
            .collect();
        let whole = [Rect::new(0.0, 0.0, 1.0, 1.0)];
        for track in tracker.take_inference(at, Epoch(1), &whole, &detections, &surroundings) {
            if track.confirmed {
                confirmed.insert(track.id);
            }
            if track.last_seen == at
                && let Some(id) = whose(&track, &truths)
                && let Some((seen, before)) = last.insert(id, (frame, track.id))
                && before != track.id
            {
                let hidden = frame - seen > fps as u64;
                *(if hidden { &mut after_hiding } else { &mut switches }) += 1;
            }
        }
    }
    let actors = looks.values().filter(|looks| **looks >= 4).count();
    eprintln!(
        "{actors} actors, {} confirmed tracks, {switches} id switches in view, {after_hiding} after hiding",
        confirmed.len()
    );
    assert!(actors > 40, "the street is lively: {actors}");
    assert!(confirmed.len().abs_diff(actors) * 8 <= actors, "{} tracks for {actors} actors", confirmed.len());
    assert!(switches * 20 <= actors, "{switches} id switches in view among {actors} actors");
}

fn rules(scene: &Scene) -> RuleSet {
    let places = scene.places();
    let rule = |id: &str, place, kind| RuleSettings {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        camera: CAMERA.parse().unwrap(),
        labels: BTreeSet::new(),
        severity: Severity::Warning,
        schedule: Schedule::always(TimeZone::UTC),
        cool_down: Duration::ZERO,
        place,
        ground: None,
        kind,
        night: None,
    };
    let wire = |direction| Kind::Tripwire(tripwire::Params { direction });
    let yard = Kind::Intrusion(intrusion::Params { seconds_min: streetsim::INTRUSION_SECONDS });
    let all = vec![
        rule("yard", RuleArea::Zone(places.zone), yard),
        rule("away", RuleArea::Tripwire(places.tripwire.clone()), wire(tripwire::Direction::RightToLeft)),
        rule("towards", RuleArea::Tripwire(places.tripwire), wire(tripwire::Direction::LeftToRight)),
    ];
    RuleSet::new(CAMERA.parse().unwrap(), all)
}

/// A subject in an event: the rule, the frame that completed the evidence, the true subject.
type Told = (&'static str, u64, u64);

/// Subjects in the rules' events; and for each true subject, the frames on which the detector saw it.
fn told(
    scene: &Scene,
    frames: u64,
    mut detector: impl Detector,
) -> (BTreeSet<Told>, BTreeMap<u64, Vec<u64>>) {
    let fps = scene.settings().fps;
    let (mut tracker, mut rules) = (Tracker::new(track::Settings::default()), rules(scene));
    let (mut told, mut seen) = (BTreeSet::new(), BTreeMap::<u64, Vec<u64>>::new());
    // Foot points identify their true subject and frame: no two of a second are the same.
    let mut feet = Vec::<(Point, u64, u64)>::new();
    let (mut open, mut joined) = (BTreeSet::new(), BTreeSet::new());
    for frame in 0..frames {
        let at = stamp(frame, fps);
        let (_, truths) = scene.frame(frame);
        let mut detections = Vec::new();
        for (truth, detection) in truths.iter().filter_map(|t| Some((t, detector(t)?))) {
            seen.entry(truth.id).or_default().push(frame);
            feet.push((detection.rect.clamped().foot(), frame, truth.id));
            detections.push(detection);
        }
        let tracks = tracker.take_whole(at.monotonic, Epoch(1), &detections);
        let mut events = rules.step(&Observation {
            at,
            epoch: Epoch(1),
            tracks: &tracks,
            static_objects: &[],
            view_quality: None,
        });
        for event in rules.open() {
            let rule = RULES.into_iter().find(|name| *name == event.rule.id.as_str()).unwrap();
            for subject in event.subjects.iter().filter(|subject| joined.insert((event.id, subject.track))) {
                let foot = subject.path.last().unwrap();
                let of_this_second = feet.iter().filter(|(_, seen, _)| seen + fps as u64 > frame);
                let (_, frame, truth) =
                    *of_this_second.min_by(|a, b| apart(a.0, *foot).total_cmp(&apart(b.0, *foot))).unwrap();
                assert!(told.insert((rule, frame, truth)), "{rule} tells twice of {truth}");
            }
        }
        if frame + 1 == frames {
            events.extend(rules.close_all(at));
        }
        for Event { id, phase, .. } in events {
            match phase {
                Phase::Opened => assert!(open.insert(id), "an id is used twice"),
                Phase::Closed => assert!(open.remove(&id), "an event opens before it closes"),
            }
        }
    }
    assert!(open.is_empty(), "all events are closed at the end");
    (told, seen)
}

const RULES: [&str; 3] = ["yard", "away", "towards"];

/// Comparison of the rules' events with the truth.
#[derive(Debug)]
struct Verdict {
    expected: usize,
    /// Subjects that were hidden all of the second before: no rule can tell of them.
    invisible: usize,
    missed: Vec<Expected>,
    in_vain: BTreeSet<Told>,
}

fn judge(fps: f32, seconds: f32, detector: impl Detector) -> Verdict {
    let frames = (seconds * fps) as u64;
    let scene = small_scene(fps, 1.0);
    let (mut told, seen) = told(&scene, frames, detector);
    // Evidence may take a little longer to complete if a subject was hidden at the moment itself.
    let slack = (fps * 1.5) as u64;
    let expected = scene.expectations(0..frames);
    let (mut missed, mut invisible) = (Vec::new(), 0);
    for wanted in &expected {
        let rule = match wanted.kind {
            ExpectedKind::Intrusion => "yard",
            ExpectedKind::Tripwire(Side::Left) => "away",
            ExpectedKind::Tripwire(Side::Right) => "towards",
        };
        let near = |(name, frame, truth): &&Told| {
            *name == rule && *truth == wanted.truth && frame.abs_diff(wanted.frame) <= slack
        };
        if let Some(found) = told.iter().find(near).copied() {
            told.remove(&found);
            continue;
        }
        let second = wanted.frame.saturating_sub(fps as u64)..wanted.frame;
        let in_sight =
            seen.get(&wanted.truth).is_some_and(|frames| frames.iter().any(|f| second.contains(f)));
        if !in_sight {
            invisible += 1;
        } else if wanted.frame + slack < frames {
            // An event at the very end is told of later.
            missed.push(*wanted);
        }
    }
    Verdict { expected: expected.len(), invisible, missed, in_vain: told }
}

#[test]
fn rules_say_what_really_happens_and_nothing_else() {
    for fps in [10.0, 5.0] {
        let verdict = judge(fps, 120.0, perfect);
        eprintln!("{fps} looks a second: {verdict:?}");
        assert!(verdict.expected > 60 && verdict.invisible * 10 < verdict.expected);
        assert!(verdict.missed.is_empty() && verdict.in_vain.is_empty(), "{fps} looks a second: {verdict:?}");
    }
}

#[test]
fn a_trembling_detector_costs_the_rules_little() {
    let verdict = judge(5.0, 120.0, trembling());
    eprintln!("{verdict:?}");
    let wrong = verdict.missed.len() + verdict.in_vain.len();
    assert!(verdict.expected > 60 && wrong * 25 <= verdict.expected, "{verdict:?}");
}
