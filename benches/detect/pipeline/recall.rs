//! How many of the tracks of a run that sees everything another run finds.

use std::collections::BTreeMap;

use wardwatch::domain::detection::Label;
use wardwatch::domain::geometry::Rect;
use wardwatch::domain::ids::TrackId;
use wardwatch::domain::time::Monotonic;
use wardwatch::domain::track::Track;

/// Boxes that overlap by this much are at the same place.
const IOU_MIN: f32 = 0.5;
/// A track that was detected on fewer frames is not asked for.
const FRAMES_MIN: usize = 5;

/// What the definition says, for whoever reads the table.
pub const DEFINITION: &str = "a track of the reference counts if it is confirmed and was detected on at least 5 frames; it \
is found if, on at least half of the frames on which it was confirmed and detected, a confirmed track of the same group \
(person, two-wheeler, four-wheeler) has an IoU of at least 0.5 with it; `by one`: and it is one and the same track on all \
of them";

/// The confirmed tracks of each frame.
#[derive(Default)]
pub struct Run(Vec<(Monotonic, Vec<Track>)>);

/// Tracks of the reference, and how many of them were found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recall {
    pub tracks: usize,
    pub found: usize,
    pub by_one: usize,
}

impl Run {
    pub fn push(&mut self, at: Monotonic, tracks: &[Track]) {
        self.0.push((at, tracks.iter().filter(|track| track.confirmed).cloned().collect()));
    }

    /// What `other` found of this run's tracks. Both are of the same frames.
    pub fn recall_of(&self, other: &Run) -> Recall {
        let mut seen: BTreeMap<TrackId, Vec<(usize, Rect, u8)>> = BTreeMap::new();
        for (index, (at, tracks)) in self.0.iter().enumerate() {
            for track in tracks.iter().filter(|track| track.last_seen == *at) {
                seen.entry(track.id).or_default().push((index, track.rect, group(track.label)));
            }
        }
        let mut recall = Recall::default();
        for frames in seen.values().filter(|frames| frames.len() >= FRAMES_MIN) {
            let mut hits = 0;
            let mut by: BTreeMap<TrackId, usize> = BTreeMap::new();
            for (index, rect, kind) in frames {
                let there = other.0[*index].1.iter();
                let same = there.filter(|t| group(t.label) == *kind && t.rect.iou(rect) >= IOU_MIN);
                let ids: Vec<TrackId> = same.map(|track| track.id).collect();
                hits += usize::from(!ids.is_empty());
                ids.into_iter().for_each(|id| *by.entry(id).or_default() += 1);
            }
            recall.tracks += 1;
            recall.found += usize::from(2 * hits >= frames.len());
            recall.by_one += usize::from(by.values().any(|hits| 2 * hits >= frames.len()));
            if 2 * hits < frames.len() && std::env::var_os("WARDWATCH_BENCH_MISSED").is_some() {
                println!("missed: {hits} of {} frames from {}, {:?}", frames.len(), frames[0].0, frames[0].1);
            }
        }
        recall
    }
}

fn group(label: Label) -> u8 {
    match label {
        Label::Person => 0,
        Label::TwoWheeler => 1,
        Label::Car | Label::LargeVehicle => 2,
        Label::Moving => 3,
    }
}
