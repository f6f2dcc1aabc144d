//! Comparison of a camera's main and sub streams. Pure; called by the doctor and by the status of the running box.

use super::fragment::StreamFacts;

/// Largest difference of two widths over heights, as a part of the larger one, at which zones still fit both pictures.
const SHAPE_DIFFERENCE_MAX: f32 = 0.04;
/// Width in pixels of the sub stream that a remedy suggests.
const SUB_WIDTH: u32 = 640;

/// A fault of two streams of one camera, with what is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFault {
    /// The fault, with its numbers.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

/// Looks for a sub stream that is larger than the main stream, as large as it, or of another shape. `None` where a size is
/// not known yet.
pub fn fault(main: &StreamFacts, sub: &StreamFacts) -> Option<PairFault> {
    let pixels = |facts: &StreamFacts| u64::from(facts.width) * u64::from(facts.height);
    if pixels(main) == 0 || pixels(sub) == 0 {
        return None;
    }
    let sizes = format!("main is {}x{} and sub {}x{}", main.width, main.height, sub.width, sub.height);
    if pixels(sub) > pixels(main) {
        let what = format!("{sizes}: the smaller picture is recorded, and would be the evidence");
        return Some(PairFault { what, remedy: "exchange main and sub in the camera's table".to_owned() });
    }
    if pixels(sub) == pixels(main) {
        let what = format!("{sizes}: a picture of full size is decoded for the analysis");
        let remedy = format!("set the camera's sub stream to {}, or take sub out", suggestion(main));
        return Some(PairFault { what, remedy });
    }
    let shape = |facts: &StreamFacts| facts.width as f32 / facts.height as f32;
    let (wide, narrow) = (shape(main).max(shape(sub)), shape(main).min(shape(sub)));
    ((wide - narrow) / wide > SHAPE_DIFFERENCE_MAX).then(|| PairFault {
        what: format!("{sizes}, which is another shape: what is drawn for one picture may not fit the other"),
        remedy: format!("set the camera's sub stream to {}", suggestion(main)),
    })
}

/// A size of the main stream's shape, in multiples of 8 pixels.
fn suggestion(main: &StreamFacts) -> String {
    let height = (SUB_WIDTH as f32 * main.height as f32 / main.width as f32 / 8.0).round() * 8.0;
    format!("{SUB_WIDTH}x{height}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fragment::{Codec, TimeSource};

    fn fault_of(main: (u32, u32), sub: (u32, u32)) -> Option<PairFault> {
        let facts =
            |(width, height)| StreamFacts { codec: Codec::H264, width, height, time: TimeSource::Camera };
        fault(&facts(main), &facts(sub))
    }

    #[test]
    fn usual_pairs_are_right() {
        for (main, sub) in [
            ((1920, 1080), (640, 360)),
            ((2688, 1520), (640, 360)),
            ((2560, 1920), (640, 480)),
            ((1920, 1088), (640, 360)),
            ((1080, 1920), (360, 640)),
            ((0, 0), (640, 360)),
        ] {
            assert_eq!(fault_of(main, sub), None, "{main:?} {sub:?}");
        }
    }

    #[test]
    fn swapped_equal_and_squeezed_streams_are_faults_with_their_remedies() {
        let swapped = fault_of((640, 360), (1920, 1080)).unwrap();
        assert!(
            swapped.what.contains("main is 640x360") && swapped.remedy.contains("exchange"),
            "{swapped:?}"
        );
        let equal = fault_of((1920, 1080), (1920, 1080)).unwrap();
        assert!(equal.what.contains("full size") && equal.remedy.contains("640x360"), "{equal:?}");
        let squeezed = fault_of((1920, 1080), (704, 576)).unwrap();
        assert!(
            squeezed.what.contains("another shape") && squeezed.remedy.contains("640x360"),
            "{squeezed:?}"
        );
        assert!(fault_of((2560, 1920), (640, 360)).unwrap().remedy.contains("640x480"));
    }
}
