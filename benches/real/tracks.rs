//! `sf_street.mp4` with the tracks that its authors drew.

use std::collections::BTreeMap;

use base::detection::Label;
use base::geometry::Rect;
use base::picture::Frame;
use streetsim::Truth;
use wardwatch::infer::Factory;

use super::card::Row;
use super::clip::{frames, path, shared};
use super::mot::Texts;
use super::network::Network;
use super::sets;
use super::watch::{Every, Gated};
use super::{score, truth};

const CLIP: &str = "sf_street";
/// Frame rate of the tracks' file.
const FPS: f64 = 25.0;
const SIZE: (f32, f32) = (1280.0, 720.0);
/// Distance, in frames, of those that are in the set with the unclear subjects.
const UNCLEAR_EVERY: u64 = 12;

/// Prints a table of IDF1, MOTA and HOTA: as the box runs, with every frame whole, and ByteTrack on the latter's
/// boxes.
pub fn print(networks: &[Network]) -> Vec<Row> {
    println!(
        "\n{CLIP}.mp4, 5 looks a second: `gated` as the box runs, `every` each frame whole, ByteTrack on the same detections. \
         What is lower than\n10 pixels of 640x360 is not asked for, nor who walks on the pavement, whom the tracks leave out"
    );
    let truths = truths();
    let frames: Vec<Frame> = frames(&path(CLIP)).collect();
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for network in networks {
            let (truths, frames, folder) = (&truths, &frames, folder.path());
            scope.spawn(move || play(&network.factory, frames, truths).write(&folder.join(&network.name)));
        }
    });
    score::score(folder.path(), true);
    Vec::new()
}

fn play(factory: &Factory, frames: &[Frame], truths: &BTreeMap<u64, Vec<Truth>>) -> Texts {
    let (mut every, mut gated) = (Every::new(factory), Gated::new(factory, Vec::new()));
    let mut texts = Texts::default();
    for (index, frame) in frames.iter().enumerate() {
        let index = index as u64;
        let number = (frame.pts.0 as f64 * 1e-9 * FPS).round() as u64;
        let (detections, tracks) = every.frame(frame);
        texts.truths(index, truths.get(&number).map_or(&[], Vec::as_slice));
        texts.detections(index, &detections);
        texts.every(
            index,
            tracks.iter().filter(|track| track.confirmed && track.last_seen == frame.at.monotonic),
        );
        let tracks = gated.frame(frame);
        texts.gated(index, tracks.iter().filter(|track| track.confirmed && gated.is_there(track)));
    }
    texts
}

/// Subjects by frame of the file; those of visibility 0 are not asked for.
fn truths() -> BTreeMap<u64, Vec<Truth>> {
    let mut truths: BTreeMap<u64, Vec<Truth>> = BTreeMap::new();
    let file = path(&format!("{CLIP}_tracks")).with_extension("csv");
    for line in std::fs::read_to_string(file).unwrap().lines().skip(1) {
        let words: Vec<&str> = line.split(',').collect();
        let [x, y, w, h] = truth::numbers::<f32>(&words[3..7])[..] else { panic!("{line}") };
        let rect = Rect::new(x / SIZE.0, y / SIZE.1, w / SIZE.0, h / SIZE.1);
        let id = words[1].parse::<u64>().unwrap() + 1;
        let label = label(words[2]);
        truths.entry(words[0].parse().unwrap()).or_default().push(Truth { id, label, rect, visible: 1.0 });
    }
    let unclear = unclear();
    for (frame, truths) in &mut truths {
        let nearest = (frame + UNCLEAR_EVERY / 2) / UNCLEAR_EVERY;
        let last = unclear.len().saturating_sub(1);
        truths.extend(unclear.get((nearest as usize).min(last)).into_iter().flatten().cloned());
    }
    truths
}

fn label(class: &str) -> Label {
    match class {
        "0" => Label::Person,
        "2" => Label::Car,
        "3" => Label::LargeVehicle,
        _ => panic!("class {class} of {CLIP}_tracks.csv is not known"),
    }
}

/// Unclear subjects of every twelfth frame, in the frames' order.
fn unclear() -> Vec<Vec<Truth>> {
    let name = format!("street_val/{CLIP}");
    let Some(set) = sets::sets().into_iter().find(|set| set.name == name) else {
        eprintln!("{} has no {name}: who walks on the pavement counts as nobody", shared().display());
        return Vec::new();
    };
    let of = |boxes: Vec<base::detection::Detection>| {
        boxes
            .into_iter()
            .enumerate()
            .map(|(at, seen): (usize, base::detection::Detection)| Truth {
                id: 1_000_000 + at as u64,
                label: seen.label,
                rect: seen.rect,
                visible: 0.0,
            })
            .collect()
    };
    set.pictures.into_iter().map(|labelled| of(labelled.unclear)).collect()
}
