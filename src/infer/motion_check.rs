//! The motion check of one stream: the gate runs once per frame, and both its users get the result.
//!
//! The analysis learns which parts of the frame need inference; the decode mode controller learns when key frames will do.
//! The scheduler's [`Input`](super::Input) owns one, and calls it on the thread that delivers the frames.

use super::decode_mode::DecodeModeController;
use analysis::{Gate, GateSettings, MotionCheck};
use base::geometry::Polygon;
use base::picture::Frame;
use camera::DecodeMode;

/// Motion check of one stream.
#[derive(Debug)]
pub struct MotionChecker {
    /// `None` where nobody uses the result.
    gate: Option<Gate>,
    masks: Vec<Polygon>,
    /// False where every frame is analysed.
    gates_analysis: bool,
    /// `None` where all frames are always decoded.
    controller: Option<DecodeModeController>,
}

impl MotionChecker {
    /// A check for the analysis with `gates_analysis`, and for the decode mode with `controls_decoding`. Motion in `masks`
    /// does not count.
    pub fn new(masks: &[Polygon], gates_analysis: bool, controls_decoding: bool) -> Self {
        let is_used = gates_analysis || controls_decoding;
        Self {
            gate: is_used.then(|| Gate::new(GateSettings { masks: masks.to_vec() })),
            masks: masks.to_vec(),
            gates_analysis,
            controller: controls_decoding.then(DecodeModeController::new),
        }
    }

    /// Takes other masks. The gate begins anew only where they differ.
    pub fn set_masks(&mut self, masks: &[Polygon]) {
        if self.gate.is_some() && self.masks != masks {
            self.gate = Some(Gate::new(GateSettings { masks: masks.to_vec() }));
        }
        self.masks = masks.to_vec();
    }

    /// Checks a frame. Returns the result for the analysis, which is empty where every frame is analysed.
    pub fn check(&mut self, frame: &Frame) -> MotionCheck {
        let Some(gate) = &mut self.gate else { return MotionCheck::default() };
        let motion = gate.check(frame);
        if let Some(controller) = &mut self.controller {
            controller.take_motion(frame.at.monotonic, &motion);
        }
        if self.gates_analysis { motion } else { MotionCheck::default() }
    }

    /// Decode mode after the last frame.
    pub fn decode_mode(&self) -> DecodeMode {
        self.controller.as_ref().map_or(DecodeMode::AllFrames, DecodeModeController::decode_mode)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use base::ids::Epoch;
    use base::picture::{Colour, Picture, PixelFormat};
    use base::time::{ClockState, Monotonic, Pts, Stamp, WallTime};
    use std::time::Duration;

    /// A grey street with a box of 80x80 pixels on it, if any, at this second.
    pub fn frame(second: f32, thing: Option<usize>) -> Frame {
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

    /// Twenty quiet seconds, a box that crosses and leaves, quiet again, and a new session: two frames a second.
    fn street() -> Vec<Frame> {
        let mut frames = Vec::new();
        for step in 0..120u16 {
            let thing = (40..56).contains(&step).then(|| usize::from(step - 40) * 30);
            let epoch = Epoch(if step < 100 { 1 } else { 2 });
            frames.push(Frame { epoch, ..frame(f32::from(step) * 0.5, thing) });
        }
        frames
    }

    #[test]
    fn other_masks_count_from_the_next_frame_on_and_the_same_ones_disturb_nothing() {
        let everywhere = vec![[0.0, 0.0].into(), [1.0, 0.0].into(), [1.0, 1.0].into(), [0.0, 1.0].into()];
        let everywhere = [Polygon::new(everywhere).unwrap()];
        let moving = |masks: &[Polygon]| {
            let mut checker = MotionChecker::new(&[], true, false);
            let mut found = 0;
            for frame in &street()[..60] {
                checker.set_masks(masks);
                found += usize::from(!checker.check(frame).regions.is_empty());
            }
            found
        };
        assert!(moving(&[]) > 5, "the gate keeps its background: {}", moving(&[]));
        assert_eq!(moving(&everywhere), 0);
    }

    /// The reference is a gate of its own for each user; equal gates give equal results, so one run stands for both.
    #[test]
    fn one_check_gives_both_users_the_result_of_a_gate_of_their_own() {
        let corners = vec![[0.0, 0.0].into(), [0.1, 0.0].into(), [0.1, 1.0].into(), [0.0, 1.0].into()];
        let masks = [Polygon::new(corners).unwrap()];
        let frames = street();
        let mut gate = Gate::new(GateSettings { masks: masks.to_vec() });
        let reference: Vec<MotionCheck> = frames.iter().map(|frame| gate.check(frame)).collect();
        for (gates_analysis, controls_decoding) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            let mut shared = MotionChecker::new(&masks, gates_analysis, controls_decoding);
            let mut controller = DecodeModeController::new();
            let (mut moving, mut modes) = (0, Vec::new());
            for (frame, expected) in frames.iter().zip(&reference) {
                let found = shared.check(frame);
                let for_analysis = if gates_analysis { expected.clone() } else { MotionCheck::default() };
                assert_eq!(found, for_analysis, "at {:?}", frame.at);
                controller.take_motion(frame.at.monotonic, expected);
                let mode = if controls_decoding { controller.decode_mode() } else { DecodeMode::AllFrames };
                assert_eq!(shared.decode_mode(), mode, "at {:?}", frame.at);
                moving += usize::from(!found.regions.is_empty());
                modes.push(mode);
            }
            modes.dedup();
            assert_eq!(moving > 0, gates_analysis, "the box is seen to move");
            assert_eq!(modes.len() > 3, controls_decoding, "the mode changes: {modes:?}");
        }
    }
}
