//! One street in virtual time: every frame whole, and as the box runs.

use streetsim::Scene;
use wardwatch::infer::Factory;

use super::mot::Texts;
use super::scenes::{FPS, SECONDS, Street};
use super::watch::{Every, Gated, frame};

/// Cost of a street.
#[derive(Default)]
pub struct Cost {
    pub frames: u64,
    pub gated_inferences: u64,
}

/// Plays a street. Pictures are drawn on a thread of their own, a few ahead.
pub fn play(street: &Street, factory: &Factory) -> (Texts, Cost) {
    let scene = Scene::new(street.settings.clone());
    let frames = (SECONDS * FPS) as u64;
    let (mut every, mut gated) = (Every::new(factory), Gated::new(factory, Vec::new()));
    let mut texts = Texts::default();
    std::thread::scope(|scope| {
        let (sender, pictures) = std::sync::mpsc::sync_channel(8);
        let scene = &scene;
        scope.spawn(move || (0..frames).try_for_each(|index| sender.send((index, scene.frame(index)))));
        for (index, (picture, truths)) in pictures {
            let frame = frame(index as f64 / f64::from(FPS), picture);
            let (detections, tracks) = every.frame(&frame);
            texts.truths(index, &truths);
            texts.detections(index, &detections);
            texts.every(
                index,
                tracks.iter().filter(|track| track.confirmed && track.last_seen == frame.at.monotonic),
            );
            let tracks = gated.frame(&frame);
            texts.gated(index, tracks.iter().filter(|track| track.confirmed && gated.is_there(track)));
        }
    });
    (texts, Cost { frames, gated_inferences: gated.inferences })
}
