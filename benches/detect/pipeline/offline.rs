//! Clips in virtual time, without a budget.

use std::path::Path;
use std::time::Duration;

use analysis::Gate;
use analysis::regions::InferenceArea;
use base::alert::ModelRef;
use base::clock::thread_cpu;
use base::detection::Detection;
use base::detector::InferenceError;
use base::detector::{Detector, InferenceResult, InputSize};
use base::ids::Epoch;
use base::picture::Frame;
use base::time::{ClockState, Monotonic, Stamp, WallTime};
use wardwatch::infer::Analysis;
use wardwatch::infer::{DetectorChoice, Factory, Settings};

use super::Asked;
use super::recall::{DEFINITION, Recall, Run};

const FPS: f64 = 5.0;

/// Cost of a run over a clip.
#[derive(Default)]
struct Cost {
    examined: u64,
    inferences: u64,
    pixels: u64,
    check: Duration,
    inference_time: Duration,
}

/// Prints a line for each clip, and one for all.
pub fn print(asked: &Asked) {
    println!("\nclips at {FPS} fps in virtual time; recall: {DEFINITION}");
    println!(
        "{:<36} frames  moving  tracks  found  by one | gated:  seen  infer.  Mpixel  check s  inf. s | every frame: \
         Mpixel  inf. s | CPU ratio",
        "clip"
    );
    let mut clips: Vec<_> =
        std::fs::read_dir(&asked.clips).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    let mut all = (Recall::default(), Cost::default(), Cost::default());
    for clip in clips.iter().filter(|clip| clip.extension().is_some_and(|extension| extension == "mp4")) {
        let frames = frames_of(clip);
        let (reference, every) =
            through(&frames, Analysis::new(camera(), detector(asked), Vec::new(), false), None);
        let gate = Some(Gate::default());
        let (gated, cost) =
            through(&frames, Analysis::new(camera(), detector(asked), Vec::new(), true), gate);
        let recall = reference.recall_of(&gated);
        let mut gate = Gate::default();
        let moving = frames.iter().filter(|frame| !gate.check(frame).regions.is_empty()).count();
        let name = clip.file_stem().unwrap().to_string_lossy();
        line(&name, frames.len(), moving, recall, &cost, &every);
        let (r, c, e) = &mut all;
        *r = Recall {
            tracks: r.tracks + recall.tracks,
            found: r.found + recall.found,
            by_one: r.by_one + recall.by_one,
        };
        c.add(&cost);
        e.add(&every);
    }
    line("all", 0, 0, all.0, &all.1, &all.2);
}

impl Cost {
    fn add(&mut self, other: &Self) {
        self.examined += other.examined;
        self.inferences += other.inferences;
        self.pixels += other.pixels;
        self.check += other.check;
        self.inference_time += other.inference_time;
    }
}

fn line(name: &str, frames: usize, moving: usize, recall: Recall, cost: &Cost, every: &Cost) {
    let part = |found: usize| found as f64 * 100.0 / recall.tracks.max(1) as f64;
    let ratio =
        every.inference_time.as_secs_f64() / (cost.inference_time + cost.check).as_secs_f64().max(1e-9);
    println!(
        "{name:<36} {frames:>6}  {moving:>6}  {:>6}  {:>4.0}%  {:>5.0}% | {:>12}  {:>6}  {:>6.1}  {:>8.2}  {:>6.2} | \
         {:>19.1}  {:>6.2} | {ratio:>6.1}",
        recall.tracks,
        part(recall.found),
        part(recall.by_one),
        cost.examined,
        cost.inferences,
        cost.pixels as f64 / 1e6,
        cost.check.as_secs_f64(),
        cost.inference_time.as_secs_f64(),
        every.pixels as f64 / 1e6,
        every.inference_time.as_secs_f64(),
    );
}

fn camera() -> base::ids::CameraId {
    "bench".parse().unwrap()
}

fn frames_of(clip: &Path) -> Vec<Frame> {
    let mut reader = camera::read_pictures(clip).unwrap();
    let (mut frames, mut due) = (Vec::new(), 0.0);
    while let Some((pts, picture)) = reader.next_picture().unwrap() {
        let since_start = Duration::from_nanos(pts.0);
        if since_start.as_secs_f64() + 0.01 < due {
            continue;
        }
        due = (due + 1.0 / FPS).max(since_start.as_secs_f64());
        let at = Stamp {
            wall: WallTime::from_micros(1_777_673_643_120_000) + since_start,
            monotonic: Monotonic::from_nanos(1_000_000_000) + since_start,
            clock: ClockState::Unsynced,
        };
        frames.push(Frame { camera: camera(), epoch: Epoch(1), pts, at, picture });
    }
    frames
}

fn through(frames: &[Frame], mut analysis: Analysis, mut gate: Option<Gate>) -> (Run, Cost) {
    let (mut run, mut cost) = (Run::default(), Cost::default());
    for frame in frames {
        let start = thread_cpu();
        let check = gate.as_mut().map(|gate| gate.check(frame)).unwrap_or_default();
        let after_motion = analysis.take_motion(frame, &check);
        let after_check = thread_cpu();
        cost.check += after_check - start;
        if after_motion.want.is_none() {
            run.push(frame.at.monotonic, &after_motion.tracks);
            continue;
        }
        let inferred = analysis.infer(frame).unwrap();
        cost.inference_time += thread_cpu() - after_check;
        cost.examined += 1;
        cost.inferences += inferred.parts.len() as u64;
        cost.pixels += inferred.pixels();
        run.push(frame.at.monotonic, &inferred.tracks);
    }
    (run, cost)
}

/// The model's own detector; or one of several networks, each with a size of its own.
fn detector(asked: &Asked) -> Box<dyn Detector> {
    let of = |path: &Path| {
        let choice = DetectorChoice::Network(path.to_owned());
        let settings = Settings { score_min: Some(asked.score_min), ..Settings::new(choice) };
        Factory::new(&settings).unwrap().for_camera(&[])
    };
    if asked.sizes.is_empty() {
        return of(&asked.model);
    }
    let paths = std::iter::once(&asked.model).chain(&asked.sizes);
    let sized: Vec<(InputSize, Box<dyn Detector>)> =
        paths.map(|path| of(path)).map(|detector| (detector.input_sizes()[0], detector)).collect();
    let sizes = sized.iter().map(|(size, _)| *size).collect();
    Box::new(Several { sizes, sized: sized.into_iter().map(|(_, detector)| detector).collect() })
}

/// Networks of one family that stand for one with several input sizes. Boxes that two inferences see are not merged.
struct Several {
    sizes: Vec<InputSize>,
    sized: Vec<Box<dyn Detector>>,
}

impl Detector for Several {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, InferenceError> {
        self.sized[0].detect(frame)
    }

    fn infer(&mut self, frame: &Frame, areas: &[InferenceArea]) -> Result<InferenceResult, InferenceError> {
        let mut sight = InferenceResult::default();
        for area in areas {
            let of_size = self.sizes.iter().position(|size| *size == area.size).unwrap();
            let InferenceResult { detections, cut } = self.sized[of_size].infer(frame, &[*area])?;
            let new = |found: &Detection| {
                !sight.detections.iter().any(|d| d.label == found.label && d.rect.iou(&found.rect) > 0.65)
            };
            let new: Vec<Detection> = detections.into_iter().filter(new).collect();
            sight.detections.extend(new);
            sight.cut.extend(cut);
        }
        Ok(sight)
    }

    fn input_sizes(&self) -> &[InputSize] {
        &self.sizes
    }

    fn model(&self) -> ModelRef {
        self.sized[0].model()
    }
}
