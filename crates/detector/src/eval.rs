//! Evaluation of a network: average precision over a folder of labelled pictures, as COCO defines it.
//!
//! The folder has `images/NAME.jpg` and `labels/NAME.txt`, one line per box: class, centre x, centre y, width, height,
//! all but the class as fractions of the picture. A picture without a label file shows nothing. `unclear/NAME.txt`, if it is
//! there, lists boxes that may be seen or not.

mod agreement;
mod dataset;
mod figures;
mod precision;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::{DetectError, Model, RawDetection, nms};
pub use agreement::{Agreement, KindAgreement};
use base::detection::Label;
use base::geometry::Rect;
use dataset::Entry;
pub use dataset::picture;
pub use figures::{AtScore, Figures, Labelled, Seen, figures, labelled};

/// Detections below this score change no figure that is printed, and cost time.
const EVAL_SCORE_MIN: f32 = 0.005;
/// Maximum detections of one class on one picture, as COCO has it.
const DETECTIONS_MAX: usize = 100;

/// Settings of a measurement.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The product's label for each of the folder's class ids. If given, precision is that of the product's labels, and ids that
    /// are not named are left out; if not, the ids are the network's own classes.
    pub map: Option<BTreeMap<u16, Label>>,
    /// Labels that count as one, as cars and large vehicles where no one tells them apart; only with `map`.
    pub as_one: Vec<Label>,
    /// Threads, at least 1.
    pub threads: usize,
}

/// Result of a measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Pictures analysed.
    pub pictures: usize,
    /// Mean of the classes' average precision at IoU 0.50, 0.55, ... 0.95; 0..=1.
    pub map_50_95: f64,
    /// Mean of the classes' average precision at IoU 0.50.
    pub map_50: f64,
    /// Every class that the folder has boxes of, by name.
    pub classes: Vec<ClassReport>,
}

/// One class's part of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    /// The network's or the product's word for it.
    pub label: String,
    /// Boxes of it in the folder.
    pub boxes: usize,
    /// Average precision at IoU 0.50, 0.55, ... 0.95, averaged.
    pub ap_50_95: f64,
    /// Average precision at IoU 0.50.
    pub ap_50: f64,
}

/// A box of some class, true or found; the score of a true one is 1.
type ClassBox = (u16, f32, Rect);

/// True and found boxes of one picture.
struct Compared {
    truth: Vec<ClassBox>,
    /// May be seen or not.
    unclear: Vec<ClassBox>,
    found: Vec<ClassBox>,
}

/// Measures `model` on `folder`. Blocks until every picture was analysed; `progress` hears of each one, with the number of
/// all, on the thread that analysed it.
pub fn run(
    model: &Model,
    folder: &Path,
    options: &Options,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Report, DetectError> {
    let entries = dataset::entries(folder)?;
    let classes = Classes::new(model, options)?;
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match classes.compare(entry) {
                        Ok(compared) => lock(&results).push((&entry.picture, compared)),
                        Err(error) => {
                            lock(&failure).get_or_insert(error);
                            next.store(entries.len(), Ordering::Relaxed);
                        }
                    }
                    progress(entries.len());
                }
            });
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let mut results = std::mem::take(&mut *lock(&results));
    // The order of the threads does not matter: equal scores are ranked by picture.
    results.sort_by_key(|(picture, _)| *picture);
    let compared: Vec<Compared> = results.into_iter().map(|(_, compared)| compared).collect();
    Ok(classes.report(&compared))
}

/// The classes that are measured: the network's own, or the product's.
struct Classes<'a> {
    model: &'a Model,
    map: Option<&'a BTreeMap<u16, Label>>,
    as_one: &'a [Label],
    labels: Vec<Option<Label>>,
}

impl<'a> Classes<'a> {
    fn new(model: &'a Model, options: &'a Options) -> Result<Self, DetectError> {
        let labels = model.manifest().class_labels();
        Ok(Self { model, map: options.map.as_ref(), as_one: &options.as_one, labels })
    }

    fn compare(&self, entry: &Entry) -> Result<Compared, DetectError> {
        let picture = dataset::picture(&entry.picture)?;
        let (truth, unclear) = (self.boxes(&entry.labels)?, self.boxes(&entry.unclear)?);
        let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
        let prepared = self.model.prepare(&picture, whole, self.model.input_sizes()[0])?;
        let found = self.model.infer(prepared, EVAL_SCORE_MIN)?;
        let found: Vec<RawDetection> = found
            .into_iter()
            .filter_map(|raw| Some(RawDetection { class: self.of_network(raw.class)?, ..raw }))
            .collect();
        let kept = nms::suppress(found, self.model.manifest().nms_iou, |class| class);
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        let first = kept.into_iter().filter(|raw| {
            let count = counts.entry(raw.class).or_default();
            *count += 1;
            *count <= DETECTIONS_MAX
        });
        let found = first.map(|raw| (raw.class, raw.score, raw.rect)).collect();
        Ok(Compared { truth, unclear, found })
    }

    fn boxes(&self, path: &Path) -> Result<Vec<ClassBox>, DetectError> {
        let mut boxes = Vec::new();
        for (class, rect) in dataset::boxes(path)? {
            if let Some(class) = self.of_truth(class, path)? {
                boxes.push((class, 1.0, rect));
            }
        }
        Ok(boxes)
    }

    fn of_truth(&self, class: u16, path: &Path) -> Result<Option<u16>, DetectError> {
        match self.map {
            Some(map) => Ok(map.get(&class).map(|label| self.joined(*label) as u16)),
            None if usize::from(class) < self.labels.len() => Ok(Some(class)),
            None => Err(DetectError::Dataset {
                place: path.display().to_string(),
                problem: format!(
                    "class {class} is none of the network's {}: say what the folder's classes mean, as \
                     --map 0=two-wheeler,1=car",
                    self.labels.len()
                ),
            }),
        }
    }

    fn of_network(&self, class: u16) -> Option<u16> {
        match self.map {
            Some(map) => {
                let label = self.labels.get(usize::from(class)).copied().flatten()?;
                map.values()
                    .any(|wanted| self.joined(*wanted) == self.joined(label))
                    .then(|| self.joined(label) as u16)
            }
            None => Some(class),
        }
    }

    /// Returns the label that stands for this one: itself, or the first of those that count as one with it.
    fn joined(&self, label: Label) -> Label {
        if self.as_one.contains(&label) { self.as_one[0] } else { label }
    }

    fn word(&self, label: Label) -> String {
        let words: Vec<&str> = self.as_one.iter().map(|label| label.as_str()).collect();
        if self.as_one.contains(&label) { words.join(" or ") } else { label.to_string() }
    }

    fn name(&self, class: u16) -> String {
        match self.map {
            Some(_) => Label::ALL.iter().find(|label| **label as u16 == class).map(|label| self.word(*label)),
            None => self.model.manifest().labels.get(usize::from(class)).cloned(),
        }
        .unwrap_or_default()
    }

    fn report(&self, compared: &[Compared]) -> Report {
        let mut boxes: BTreeMap<u16, usize> = BTreeMap::new();
        for (class, _, _) in compared.iter().flat_map(|picture| &picture.truth) {
            *boxes.entry(*class).or_default() += 1;
        }
        let classes: Vec<ClassReport> = boxes
            .into_iter()
            .map(|(class, boxes)| {
                let (ap_50_95, ap_50) = precision::of_class(class, compared);
                ClassReport { label: self.name(class), boxes, ap_50_95, ap_50 }
            })
            .collect();
        let mean =
            |ap: fn(&ClassReport) -> f64| classes.iter().map(ap).sum::<f64>() / classes.len().max(1) as f64;
        Report {
            pictures: compared.len(),
            map_50_95: mean(|class| class.ap_50_95),
            map_50: mean(|class| class.ap_50),
            classes,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Values are put in whole; a panic elsewhere leaves none half-done.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
