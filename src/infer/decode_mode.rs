//! Chooses the decode mode of a camera that has only one stream: key frames while nothing moves, all frames as soon as
//! something moves, and for a while after.

use std::time::Duration;

use analysis::MotionCheck;
use base::time::Monotonic;
use camera::DecodeMode;

/// Time without motion after which key frames will do. Longer than a gap in traffic, since each change of mode costs a
/// GOP's decoding.
const QUIET: Duration = Duration::from_secs(10);

/// Decode mode controller of one stream: follows the motion checks of its frames.
#[derive(Debug)]
pub struct DecodeModeController {
    moved_at: Option<Monotonic>,
    decode_mode: DecodeMode,
}

impl DecodeModeController {
    /// Starts with all frames, until nothing has moved for [`QUIET`].
    pub fn new() -> Self {
        Self { moved_at: None, decode_mode: DecodeMode::AllFrames }
    }

    /// Takes in the motion check of the frame at `now`, and chooses the mode.
    pub fn take_motion(&mut self, now: Monotonic, motion: &MotionCheck) {
        if motion.began_again || !motion.regions.is_empty() {
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
    use crate::infer::motion_check::tests::frame;
    use analysis::Gate;

    #[test]
    fn key_frames_after_ten_quiet_seconds_all_frames_at_the_first_key_frame_with_somebody() {
        let (mut controller, mut gate) = (DecodeModeController::new(), Gate::default());
        let mut mode_at = |second: f32, thing| {
            let frame = frame(second, thing);
            controller.take_motion(frame.at.monotonic, &gate.check(&frame));
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
