//! Recall of tracks: those of a run that sees everything are the reference; counts the ones that another run finds.

use std::collections::{BTreeMap, BTreeSet};

use base::detection::Label;
use base::geometry::Rect;
use base::ids::TrackId;
use base::time::Monotonic;
use base::track::Track;

/// Boxes that overlap by this much are at the same place.
const IOU_MIN: f32 = 0.5;
/// Minimum frames with a detection of a track that is asked for.
const FRAMES_MIN: usize = 5;

/// The definition, for the reader of the table.
pub const DEFINITION: &str = "a track of the reference counts if it was confirmed and detected on at least 5 frames. It is \
found if, on at least half of the frames on which it was detected from its confirmation on, a track of the same group \
(person, two-wheeler, four-wheeler) that was confirmed at some time has an IoU of at least 0.5 with it. Between two looks \
that saw it, a track's box lies on the straight line between them, as it does for the rules; before the first and after the \
last one it is nowhere, unless it is confirmed and lives on, at rest or as predicted. `by one`: and it is one and the same \
track on all of these frames";

/// One box of a track.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Monotonic,
    rect: Rect,
    kind: u8,
    confirmed: bool,
    detected: bool,
}

/// The boxes of all tracks, frame by frame.
#[derive(Default)]
pub struct Run {
    tracks: BTreeMap<TrackId, Vec<Seen>>,
    confirmed: BTreeSet<TrackId>,
}

/// Tracks of the reference, and those that were found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recall {
    pub tracks: usize,
    pub found: usize,
    pub by_one: usize,
}

impl Run {
    /// Takes the tracks of a frame in.
    pub fn push(&mut self, at: Monotonic, tracks: &[Track]) {
        for track in tracks {
            let kind = group(track.label);
            let (rect, confirmed, detected) = (track.rect, track.confirmed, track.last_seen == at);
            let seen = Seen { at, rect, kind, confirmed, detected };
            self.tracks.entry(track.id).or_default().push(seen);
            if confirmed {
                self.confirmed.insert(track.id);
            }
        }
    }

    /// Recall of `other` for this run's tracks.
    pub fn recall_of(&self, other: &Run) -> Recall {
        let mut recall = Recall::default();
        for boxes in self.tracks.values() {
            let asked: Vec<&Seen> = boxes.iter().filter(|seen| seen.confirmed && seen.detected).collect();
            if asked.len() < FRAMES_MIN {
                continue;
            }
            let mut hits = 0;
            let mut by: BTreeMap<TrackId, usize> = BTreeMap::new();
            for seen in &asked {
                let candidates = other.confirmed.iter().filter(|id| {
                    let found = other.place(**id, seen.at);
                    found.is_some_and(|(rect, kind)| kind == seen.kind && rect.iou(&seen.rect) >= IOU_MIN)
                });
                let ids: Vec<TrackId> = candidates.copied().collect();
                hits += usize::from(!ids.is_empty());
                ids.into_iter().for_each(|id| *by.entry(id).or_default() += 1);
            }
            recall.tracks += 1;
            recall.found += usize::from(2 * hits >= asked.len());
            recall.by_one += usize::from(by.values().any(|hits| 2 * hits >= asked.len()));
            if 2 * hits < asked.len() {
                let Seen { at, rect, .. } = asked[0];
                let seconds = at.as_nanos() as f64 * 1e-9 - 1.0;
                println!(
                    "  missed: {hits} of {} frames, from {seconds:.1} s at {:?}",
                    asked.len(),
                    <[f32; 4]>::from(*rect)
                );
            }
        }
        recall
    }

    /// Place of a track at that time.
    fn place(&self, id: TrackId, at: Monotonic) -> Option<(Rect, u8)> {
        let boxes = self.tracks.get(&id)?;
        let before = boxes.iter().rev().find(|seen| seen.at <= at && seen.detected)?;
        if before.at == at {
            return Some((before.rect, before.kind));
        }
        if let Some(after) = boxes.iter().find(|seen| seen.at > at && seen.detected) {
            let part = at.since(before.at).as_secs_f32() / after.at.since(before.at).as_secs_f32();
            let mix = |a: f32, b: f32| a + (b - a) * part;
            let (a, b) = (before.rect, after.rect);
            let rect = Rect::new(mix(a.x, b.x), mix(a.y, b.y), mix(a.w, b.w), mix(a.h, b.h));
            return Some((rect, after.kind));
        }
        let now = boxes.iter().find(|seen| seen.at == at && seen.confirmed)?;
        Some((now.rect, now.kind))
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
