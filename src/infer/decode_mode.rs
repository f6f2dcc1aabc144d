//! Chooses the decode mode of a camera that has only one stream: key frames while nothing moves, all frames as soon as
//! something moves, and for a while after.

use std::time::Duration;

use analysis::Gate;
use base::picture::Frame;
use base::time::Monotonic;
use camera::DecodeMode;

/// Time without motion after which key frames will do. Longer than a gap in traffic, since each change of mode costs a
/// GOP's decoding.
const QUIET: Duration = Duration::from_secs(10);

/// Decode mode controller of one stream: checks its frames for motion.
#[derive(Debug)]
pub struct DecodeModeController {
    gate: Gate,
    moved_at: Option<Monotonic>,
    decode_mode: DecodeMode,
}

impl DecodeModeController {
    /// Starts with all frames, until nothing has moved for [`QUIET`].
    pub fn new(gate: Gate) -> Self {
        Self { gate, moved_at: None, decode_mode: DecodeMode::AllFrames }
    }

    /// Checks a frame for motion, and chooses the mode.
    pub fn check(&mut self, frame: &Frame) {
        let check = self.gate.check(frame);
        let now = frame.at.monotonic;
        if check.began_again || !check.regions.is_empty() {
            self.moved_at = Some(now);
        }
        let moved_at = *self.moved_at.get_or_insert(now);
        let is_quiet = now >= moved_at && now.since(moved_at) >= QUIET;
        self.decode_mode = if is_quiet { DecodeMode::KeyframesOnly } else { DecodeMode::AllFrames };
    }

    /// Decode mode after the last frame.
    pub fn decode_mode(&self) -> DecodeMode {
        self.decode_mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::ids::Epoch;
    use base::picture::{Colour, Picture, PixelFormat};
    use base::time::{ClockState, Pts, Stamp, WallTime};

    /// A grey street with a box of 80x80 pixels on it, if any, at this second.
    fn frame(second: f32, thing: Option<usize>) -> Frame {
        let mut samples = vec![90; Picture::byte_count(640, 360)];
        for (y, x) in (100..180).flat_map(|y| (0..80).map(move |x| (y, x))) {
            if let Some(left) = thing {
                samples[y * 640 + left + x] = 200;
            }
        }
        let picture = Picture::new(640, 360, PixelFormat::I420, Colour::default(), samples).unwrap();
        let monotonic = Monotonic::from_nanos(1) + Duration::from_secs_f32(second);
        let at = Stamp { wall: WallTime::from_micros(0), monotonic, clock: ClockState::Unsynced };
        Frame { camera: "c1".parse().unwrap(), epoch: Epoch(1), pts: Pts(0), at, picture }
    }

    #[test]
    fn key_frames_after_ten_quiet_seconds_all_frames_at_the_first_key_frame_with_somebody() {
        let mut controller = DecodeModeController::new(Gate::default());
        let mut mode_at = |second: f32, thing| {
            controller.check(&frame(second, thing));
            controller.decode_mode()
        };
        for step in 0..50 {
            assert_eq!(mode_at(step as f32 * 0.2, None), DecodeMode::AllFrames, "step {step}");
        }
        for step in 5..15 {
            assert_eq!(mode_at(step as f32 * 2.0, None), DecodeMode::KeyframesOnly, "key frame {step}");
        }
        assert_eq!(mode_at(30.0, Some(200)), DecodeMode::AllFrames, "somebody came between two key frames");
        for step in 1..45 {
            assert_eq!(
                mode_at(30.0 + step as f32 * 0.2, None),
                DecodeMode::AllFrames,
                "a gap in traffic, {step}"
            );
        }
        assert_eq!(mode_at(45.0, None), DecodeMode::KeyframesOnly);
    }
}
