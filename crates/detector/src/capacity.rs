//! Cost of a network on this machine, and the rate of inferences that this allows each camera. Measures the network that is
//! there, and estimates others by their multiplications. `model bench` and `doctor` give the same figures.

use std::time::Duration;

use super::error::DetectError;
use super::manifest::{Manifest, Work};
use super::model::Model;
use base::detector::InputSize;
use base::geometry::Rect;
use base::picture::{Colour, Picture, PixelFormat};

/// Cost of a multiplication of a depthwise convolution, in multiplications of a dense one. With this the known networks' times in
/// models/README.md follow from street-nano's within a quarter.
const DEPTHWISE: f64 = 12.0;

/// A picture of the size of cameras' sub streams, with a pattern on it.
pub fn picture() -> Picture {
    let (width, height) = (640, 360);
    let mut samples = vec![128; Picture::byte_count(width, height)];
    for (at, luma) in samples.iter_mut().take((width * height) as usize).enumerate() {
        *luma = (at * 7 % 251) as u8;
    }
    Picture::new(width, height, PixelFormat::I420, Colour::default(), samples)
        .expect("the samples were counted for this size")
}

/// CPU time of one inference on a whole picture, the median of `runs`; `clock` returns the CPU time that this thread has used.
pub fn inference_time(
    model: &Model,
    runs: usize,
    clock: &dyn Fn() -> Duration,
) -> Result<Duration, DetectError> {
    let picture = picture();
    let mut spent = Vec::with_capacity(runs);
    // The first is not counted: it allocates the memory that the others use.
    for round in 0..=runs.max(1) {
        let begun = clock();
        let prepared = model.prepare(&picture, Rect::new(0.0, 0.0, 1.0, 1.0), model.input_sizes()[0])?;
        model.infer(prepared, 0.3)?;
        if round > 0 {
            spent.push(clock().saturating_sub(begun));
        }
    }
    spent.sort_unstable();
    Ok(spent[spent.len() / 2])
}

/// Inferences per second that `cores` make at this CPU time each.
pub fn inferences_per_second(inference: Duration, cores: f64) -> f64 {
    cores / inference.as_secs_f64().max(1e-9)
}

/// Estimates the time of an inference with another network from the time and the work of one that was measured.
pub fn estimated(measured: Duration, work: Work, other: Work) -> Duration {
    measured.mul_f64(effort(other) / effort(work).max(1e-9))
}

/// Multiplications of a known network at `size`: in proportion to its pixels.
pub fn work_at(manifest: &Manifest, size: InputSize) -> Option<Work> {
    let work = manifest.work?;
    let own = (manifest.input.width * manifest.input.height) as f64;
    let times = (size.width * size.height) as f64 / own;
    Some(Work { dense: work.dense * times, depthwise: work.depthwise * times })
}

fn effort(work: Work) -> f64 {
    work.dense + DEPTHWISE * work.depthwise
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn a_network_is_measured_and_others_are_estimated_from_it() {
        let network = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/detect/tiny_yolox.toml");
        let model = Model::load(std::path::Path::new(network)).unwrap();
        let times = std::cell::Cell::new(0);
        // The first inference does not count and is not timed to its end; then 9, 7 and 8 ms.
        let ends = [0u64, 10, 19, 19, 26, 26, 34];
        let measured = inference_time(&model, 3, &|| {
            times.set(times.get() + 1);
            Duration::from_millis(ends[times.get() - 1])
        });
        let measured = measured.unwrap();
        assert_eq!(measured, Duration::from_millis(8));
        assert_eq!(inferences_per_second(measured, 2.0), 250.0);
        let twice = Work { dense: 2.0 * model.work().dense, depthwise: 2.0 * model.work().depthwise };
        assert_eq!(estimated(measured, model.work(), twice), Duration::from_millis(16));
        let dense = Work { dense: 4.0, depthwise: 0.0 };
        let depthwise = Work { dense: 0.0, depthwise: 4.0 };
        assert!(estimated(measured, dense, depthwise) > 2 * measured, "single channels take longer");
    }

    /// The CPU times of models/README.md, in ms, and each network's multiplications in millions.
    #[test]
    fn estimates_are_within_a_quarter_of_what_was_measured() {
        let street = (10.1, Work { dense: 515.6, depthwise: 0.0 });
        for (ms, dense, depthwise) in [
            (24.9, 715.5, 26.5),
            (18.5, 503.9, 18.7),
            (30.7, 792.6, 49.6),
            (22.4, 481.7, 77.7),
            (25.8, 704.3, 57.8),
            (5.8, 106.5, 14.9),
        ] {
            let inference = Duration::from_secs_f64(street.0 / 1e3);
            let estimate = estimated(inference, street.1, Work { dense, depthwise }).as_secs_f64() * 1e3;
            assert!((0.75..1.25).contains(&(estimate / ms)), "{estimate} for {ms}");
        }
    }

    #[test]
    fn work_grows_with_pixels_and_is_known_of_what_can_be_brought() {
        for (_, manifest) in catalogue() {
            let Some(download) = &manifest.download else { continue };
            let [width, height] = download.size;
            let own = InputSize { width: manifest.input.width, height: manifest.input.height };
            assert_eq!(work_at(&manifest, own), manifest.work, "{}", download.name);
            let larger = work_at(&manifest, InputSize { width, height }).unwrap();
            assert!(larger.dense > manifest.work.unwrap().dense, "{}", download.name);
        }
    }
}
