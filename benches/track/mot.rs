//! Truth and tracks as text: a line for each box, `frame,id,left,top,width,height,score,group,visible`, as the MOT
//! challenge writes them (pixels of a picture 640x360; frames from 1 on).

use std::fmt::Write as _;
use std::path::Path;

use base::detection::{Detection, Label};
use base::geometry::Rect;
use base::track::Track;
use streetsim::Truth;

const SIZE: (f32, f32) = (640.0, 360.0);
/// Minimum visible part of a truth that is asked for.
const VISIBLE_MIN: f32 = 0.4;
/// Minimum height of such a truth, in pixels.
const HEIGHT_MIN: f32 = 10.0;

/// The files of one street.
#[derive(Default)]
pub struct Texts {
    /// Score 0 where a truth is not asked for.
    truths: String,
    detections: String,
    every: String,
    gated: String,
}

impl Texts {
    pub fn truths(&mut self, frame: u64, truths: &[Truth]) {
        for truth in truths {
            let is_asked = truth.visible >= VISIBLE_MIN && truth.rect.h * SIZE.1 >= HEIGHT_MIN;
            let score = f32::from(u8::from(is_asked));
            line(&mut self.truths, frame, truth.id, &truth.rect, score, truth.label, truth.visible);
        }
    }

    pub fn detections(&mut self, frame: u64, detections: &[Detection]) {
        for found in detections {
            line(&mut self.detections, frame, 0, &found.rect, found.score, found.label, 1.0);
        }
    }

    pub fn every<'a>(&mut self, frame: u64, tracks: impl Iterator<Item = &'a Track>) {
        tracks.for_each(|track| of_track(&mut self.every, frame, track));
    }

    pub fn gated<'a>(&mut self, frame: u64, tracks: impl Iterator<Item = &'a Track>) {
        tracks.for_each(|track| of_track(&mut self.gated, frame, track));
    }

    pub fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let files = [
            ("truths.txt", &self.truths),
            ("detections.txt", &self.detections),
            ("every.txt", &self.every),
            ("gated.txt", &self.gated),
        ];
        files.into_iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
    }
}

fn of_track(text: &mut String, frame: u64, track: &Track) {
    line(text, frame, track.id.0, &track.rect, track.score, track.label, 1.0);
}

fn line(text: &mut String, frame: u64, id: u64, rect: &Rect, score: f32, label: Label, visible: f32) {
    let (w, h) = SIZE;
    let (x, y, w, h) = (rect.x * w, rect.y * h, rect.w * w, rect.h * h);
    let frame = frame + 1;
    let group = group(label);
    writeln!(text, "{frame},{id},{x:.2},{y:.2},{w:.2},{h:.2},{score:.4},{group},{visible:.2}").unwrap();
}

/// Networks confuse the labels within each group.
fn group(label: Label) -> u8 {
    match label {
        Label::Person | Label::TwoWheeler => 1,
        Label::Car | Label::LargeVehicle => 2,
        Label::Moving => 3,
    }
}
