//! One measured network, and pictures shared out among threads.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use analysis::track::subjects;
use base::detection::Detection;
use base::detector::Detector;
use base::picture::Picture;
use detector::Manifest;
use indicatif::{ProgressBar, ProgressStyle};
use wardwatch::infer::{DetectorChoice, Factory, Settings};

use super::watch::frame;

/// Detections below this score change no figure that is printed, and cost time.
const SCORE_MIN: f32 = 0.005;

/// Minimum score that the box keeps.
pub const KEPT_SCORE_MIN: f32 = 0.25;

/// A network with its name in the tables.
pub struct Network {
    pub name: String,
    /// Detectors with the box's settings.
    pub factory: Factory,
    /// Detectors that also give the least sure boxes.
    unsure: Factory,
    pub nms_iou: f32,
    /// Hash of its weights.
    pub sha256: String,
}

/// Results of a network on one picture.
pub struct Found {
    /// With the box's labels, riders apart where the network has them apart.
    pub raw: Vec<Detection>,
    /// The detections that the box keeps, with riders and machines merged, as the tracker gets them.
    pub merged: Vec<Detection>,
}

impl Network {
    pub fn load(model: &str) -> Self {
        let choice = DetectorChoice::named(model);
        let settings = Settings::new(choice);
        let manifest = Manifest::resolve(Path::new(model)).unwrap().manifest;
        let stem = Path::new(model).file_stem().map_or(model.into(), |stem| stem.to_string_lossy());
        Self {
            name: stem.into_owned(),
            factory: Factory::new(&settings).unwrap(),
            unsure: Factory::new(&Settings { score_min: Some(SCORE_MIN), ..settings }).unwrap(),
            nms_iou: manifest.nms_iou,
            sha256: manifest.sha256,
        }
    }

    /// Creates a detector for whole pictures; for one thread.
    pub fn looker(&self) -> Looker {
        Looker(self.unsure.for_camera(&[]))
    }
}

/// A network on one thread.
pub struct Looker(Box<dyn Detector>);

impl Looker {
    /// Runs the network on a whole picture.
    pub fn look(&mut self, picture: &Picture) -> Found {
        let raw = self.0.detect(&frame(0.0, picture.clone())).unwrap();
        // As on the box: less sure boxes are dropped first, or they would swallow sure ones.
        let kept: Vec<Detection> = raw.iter().filter(|seen| seen.score >= KEPT_SCORE_MIN).copied().collect();
        let merged = subjects(&kept, self.0.includes_riders());
        Found { raw, merged }
    }
}

/// Does `work` for each item on as many threads as there are processors, each with a looker of every network, under a progress
/// bar. In the items' order.
pub fn for_each<T: Sync, R: Send>(
    what: &str,
    networks: &[Network],
    items: &[T],
    work: impl Fn(&T, &mut [Looker]) -> R + Sync,
) -> Vec<R> {
    let bar = bar(what, items.len() as u64);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut lookers: Vec<Looker> = networks.iter().map(Network::looker).collect();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item, &mut lookers);
                    results.lock().unwrap().push((at, result));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A progress bar; nothing unless stderr is a terminal.
pub fn bar(what: &str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left").unwrap();
    ProgressBar::new(length).with_style(style).with_message(what.to_owned())
}
