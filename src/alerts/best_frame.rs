//! Selects the best frame of an event: its subjects are large, sharp and whole. The opening alert shows the frame that
//! completed the evidence, or the latest one before it on which a subject was seen; an event that had to wait shows the
//! best frame so far. The closing alert shows a better frame, if there was one meanwhile. Subjects that are only expected
//! on a frame are marked as such.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::alerts::thumbnail::Mark;
use base::detection::Label;
use base::event::{Event, Phase, Subject};
use base::geometry::Rect;
use base::ids::{AlertId, TrackId};
use base::language::Language;
use base::picture::{Frame, Picture};
use base::time::WallTime;
use base::track::Track;

/// Factor by which a later frame must be better to be sent over a slow link.
const BETTER: f32 = 1.25;
/// A frame on which a subject was seen is shown instead of a later one on which it was not, if it is no older than this.
const SEEN_MAX: Duration = Duration::from_secs(2);
/// Factor on the quality of a subject at the picture's edge, since the rest of it may be outside.
const CUT: f32 = 0.4;
/// Distance from the edge at which a subject counts as cut, as a fraction of the picture.
const EDGE: f32 = 0.004;
/// Mean difference of neighbouring pixels, in codes, of a subject that is half as sharp as can be.
const SHARP_CODES: f32 = 8.0;

/// An event that opened or closed, with its snapshot.
#[derive(Debug, Clone)]
pub struct SentEvent {
    /// The event.
    pub event: Event,
    /// `None` where there is no picture, or none that is better than the one that was sent.
    pub snapshot: Option<Snapshot>,
}

/// A snapshot: a frame with its subjects and bystanders.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The picture; its samples are shared.
    pub picture: Picture,
    /// Time of the frame.
    pub at: WallTime,
    /// Subjects of the event.
    pub subjects: Vec<Shown>,
    /// Persons that are not subjects of the event.
    pub bystanders: Vec<Rect>,
    quality: f32,
}

/// A subject on a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Class of the subject.
    pub label: Label,
    /// Score of the latest detection, 0..=1.
    pub score: f32,
    /// Bounding box on the frame.
    pub rect: Rect,
    /// True if it was not seen on that frame but is expected there.
    pub predicted: bool,
}

/// The best frames of one camera's open events: one each.
#[derive(Debug, Default)]
pub struct BestFrameSelector {
    open: BTreeMap<AlertId, BestFrame>,
    /// The latest frame on which a track was seen, with its tracks.
    seen: Option<(Frame, Vec<Track>)>,
}

#[derive(Debug)]
struct BestFrame {
    best: Snapshot,
    /// Quality of the snapshot that was sent; `None` where the event waits to be sent.
    sent: Option<f32>,
}

impl BestFrameSelector {
    /// Takes in a frame while events are open or wait to be sent: their ids, and the tracks that take part. Events that
    /// opened on the frame have been sent before.
    pub fn consider<'a>(
        &mut self,
        frame: &Frame,
        open: impl Iterator<Item = (AlertId, &'a [TrackId])>,
        tracks: &[Track],
    ) {
        for (id, members) in open {
            let snapshot = Snapshot::of(frame, members, tracks);
            match self.open.get_mut(&id) {
                Some(best_frame) if snapshot.quality > best_frame.best.quality => best_frame.best = snapshot,
                Some(_) => {}
                None => {
                    self.open.insert(id, BestFrame { best: snapshot, sent: None });
                }
            }
        }
        if tracks.iter().any(|track| track.last_seen == frame.at.monotonic) {
            self.seen = Some((frame.clone(), tracks.to_vec()));
        }
    }

    /// Gives each event its snapshot: an opening one this frame, a closing one the best frame if it is better enough.
    pub fn sent_events(
        &mut self,
        frame: Option<&Frame>,
        events: Vec<Event>,
        tracks: &[Track],
    ) -> Vec<SentEvent> {
        events.into_iter().map(|event| self.sent_event(frame, event, tracks)).collect()
    }

    fn sent_event(&mut self, frame: Option<&Frame>, event: Event, tracks: &[Track]) -> SentEvent {
        let snapshot = match event.phase {
            Phase::Opened => {
                let waited = self.open.remove(&event.id).map(|best_frame| best_frame.best);
                let waited = waited.filter(|snapshot| snapshot.quality > 0.0);
                let snapshot = waited.or_else(|| frame.map(|frame| self.opening(frame, &event, tracks)));
                if let Some(snapshot) = snapshot.clone() {
                    self.open.insert(event.id, BestFrame { sent: Some(snapshot.quality), best: snapshot });
                }
                snapshot
            }
            Phase::Closed => {
                let best_frame = self.open.remove(&event.id);
                best_frame
                    .filter(|frame| frame.sent.is_none_or(|sent| frame.best.quality > BETTER * sent))
                    .map(|frame| frame.best)
            }
        };
        SentEvent { event, snapshot }
    }

    /// Snapshot of this frame; or of the latest one on which a subject was seen, where none is seen on this one.
    fn opening(&self, frame: &Frame, event: &Event, tracks: &[Track]) -> Snapshot {
        let members: Vec<TrackId> = event.subjects.iter().map(|subject| subject.track).collect();
        let mut snapshot = Snapshot::of(frame, &members, tracks);
        let is_recent = |seen: &Frame| {
            seen.epoch == frame.epoch && frame.at.monotonic.since(seen.at.monotonic) <= SEEN_MAX
        };
        if let Some((seen, tracks)) = self.seen.as_ref().filter(|(seen, _)| is_recent(seen)) {
            let before = Snapshot::of(seen, &members, tracks);
            if snapshot.quality == 0.0 && before.quality > 0.0 {
                snapshot = before;
            }
        }
        // A static object without a track is shown where the rule saw it.
        for Subject { track, label, score, rect, .. } in &event.subjects {
            if *label == Label::Moving && !tracks.iter().any(|known| known.id == *track) {
                snapshot.subjects.push(Shown { label: *label, score: *score, rect: *rect, predicted: false });
            }
        }
        snapshot
    }
}

impl Snapshot {
    fn of(frame: &Frame, members: &[TrackId], tracks: &[Track]) -> Self {
        let (subjects, others): (Vec<&Track>, Vec<&Track>) =
            tracks.iter().partition(|track| members.contains(&track.id));
        let seen = subjects.iter().filter(|track| track.last_seen == frame.at.monotonic);
        let quality = seen.map(|track| quality(&frame.picture, track)).fold(0.0, f32::max);
        Self {
            picture: frame.picture.clone(),
            at: frame.at.wall,
            subjects: subjects.iter().map(|track| Shown::of(track, frame)).collect(),
            bystanders: others
                .iter()
                .filter(|track| track.label == Label::Person)
                .map(|track| track.rect)
                .collect(),
            quality,
        }
    }

    /// Marks of its subjects, to be drawn.
    pub fn marks(&self, language: Language) -> Vec<Mark> {
        let subjects = self.subjects.iter();
        subjects.map(|s| Mark::of(language, s.label, s.score, s.rect, s.predicted)).collect()
    }
}

impl Shown {
    fn of(track: &Track, frame: &Frame) -> Self {
        let Track { label, score, rect, .. } = *track;
        Self { label, score, rect, predicted: !track.is_seen_at(frame.at.monotonic) }
    }
}

/// Side in pixels, times sharpness, score and, at the edge, [`CUT`].
fn quality(picture: &Picture, track: &Track) -> f32 {
    let rect = track.rect.clamped();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let is_cut = rect.x < EDGE || rect.y < EDGE || rect.right() > 1.0 - EDGE || rect.bottom() > 1.0 - EDGE;
    let pixel = |part: f32, size: usize| ((part * size as f32) as usize).min(size);
    let columns = pixel(rect.x, width)..pixel(rect.right(), width);
    let (mut sum, mut count) = (0u64, 0u64);
    for row in (pixel(rect.y, height)..pixel(rect.bottom(), height)).step_by(2) {
        let row = &picture.luma()[row * width..][columns.clone()];
        sum += row.windows(2).map(|pair| u64::from(pair[0].abs_diff(pair[1]))).sum::<u64>();
        count += row.len().saturating_sub(1) as u64;
    }
    let codes = sum as f32 / count.max(1) as f32;
    let side = (rect.area() * (width * height) as f32).sqrt();
    side * codes / (codes + SHARP_CODES) * track.score * if is_cut { CUT } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::event::{RuleRef, Severity};
    use base::geometry::Point;
    use base::ids::Epoch;
    use base::picture::{Colour, PixelFormat};
    use base::time::{ClockState, Monotonic, Pts, Stamp};

    fn stamp(second: u64) -> Stamp {
        let monotonic = Monotonic::from_nanos(second * 1_000_000_000);
        Stamp { wall: WallTime::from_micros(second as i64 * 1_000_000), monotonic, clock: ClockState::Synced }
    }

    /// Texture of so many codes everywhere.
    fn frame(second: u64, codes: u8) -> Frame {
        let mut samples = vec![100; Picture::byte_count(160, 90)];
        samples[..160 * 90].iter_mut().step_by(2).for_each(|sample| *sample += codes);
        let picture = Picture::new(160, 90, PixelFormat::I420, Colour::default(), samples).unwrap();
        Frame { camera: "c".parse().unwrap(), epoch: Epoch(1), pts: Pts(0), at: stamp(second), picture }
    }

    fn track(id: u64, second: u64, rect: Rect) -> Track {
        let at = stamp(second).monotonic;
        Track {
            id: TrackId(id),
            label: Label::Person,
            score: 0.8,
            rect,
            velocity: Point::new(0.0, 0.0),
            confirmed: true,
            first_seen: at,
            last_seen: at,
            path: Vec::new(),
        }
    }

    fn event(phase: Phase, track: &Track) -> Event {
        let Track { id, label, score, rect, .. } = *track;
        Event {
            id: AlertId::new(5),
            phase,
            camera: "c".parse().unwrap(),
            rule: RuleRef { id: "r".parse().unwrap(), kind: "intrusion".into(), name: "r".into() },
            severity: Severity::Notice,
            opened_at: stamp(1),
            closed_at: (phase == Phase::Closed).then(|| stamp(9)),
            subjects: vec![Subject { track: id, label, score, rect, predicted: false, path: Vec::new() }],
            follows: None,
            count: 1,
            zone: None,
            why: String::new(),
            reason: None,
        }
    }

    /// Second of the frame that the closing alert shows after these later frames: second, texture, box.
    fn shown_at(later: &[(u64, u8, Rect)]) -> Option<u64> {
        let small = track(1, 1, Rect::new(0.4, 0.4, 0.1, 0.2));
        let opened = event(Phase::Opened, &small);
        let mut best_frames = BestFrameSelector::default();
        let sent =
            best_frames.sent_events(Some(&frame(1, 40)), vec![opened.clone()], std::slice::from_ref(&small));
        assert_eq!(sent[0].snapshot.as_ref().unwrap().at, stamp(1).wall, "the opening shows its own frame");
        for (second, codes, rect) in later {
            let seen = track(1, *second, *rect);
            let members = [TrackId(1)];
            best_frames.consider(&frame(*second, *codes), [(opened.id, &members[..])].into_iter(), &[seen]);
        }
        let closed = Event { id: opened.id, ..event(Phase::Closed, &small) };
        let sent = best_frames.sent_events(None, vec![closed], &[]);
        assert!(best_frames.open.is_empty(), "nothing is kept for what is over");
        sent[0].snapshot.as_ref().map(|snapshot| snapshot.at.as_unix_millis() / 1000)
    }

    #[test]
    fn the_largest_sharp_and_whole_subject_is_shown_at_the_end() {
        let large = Rect::new(0.3, 0.3, 0.2, 0.4);
        assert_eq!(shown_at(&[(2, 40, large), (3, 4, large)]), Some(2), "blurred is worse");
        assert_eq!(
            shown_at(&[(2, 40, Rect::new(0.0, 0.3, 0.2, 0.4)), (3, 30, large)]),
            Some(3),
            "cut is worse"
        );
        assert_eq!(shown_at(&[(2, 40, Rect::new(0.4, 0.4, 0.11, 0.21))]), None, "hardly better is not sent");
        assert_eq!(shown_at(&[]), None);
    }

    #[test]
    fn a_thing_that_is_no_track_is_shown_where_it_stands() {
        let passer = track(1, 1, Rect::new(0.1, 0.1, 0.1, 0.2));
        let thing = track(9, 1, Rect::new(0.5, 0.5, 0.1, 0.1));
        let shown = |label| {
            let opened = event(Phase::Opened, &Track { label, ..thing.clone() });
            let sent = BestFrameSelector::default().sent_events(
                Some(&frame(1, 40)),
                vec![opened],
                std::slice::from_ref(&passer),
            );
            sent[0]
                .snapshot
                .as_ref()
                .unwrap()
                .subjects
                .iter()
                .map(|subject| subject.rect)
                .collect::<Vec<Rect>>()
        };
        assert_eq!(shown(Label::Moving), [thing.rect]);
        assert_eq!(shown(Label::TwoWheeler), [], "who is gone is not where they were");
    }

    #[test]
    fn an_event_that_waited_shows_its_best_frame_so_far() {
        let large = track(1, 3, Rect::new(0.3, 0.3, 0.2, 0.4));
        let held = event(Phase::Opened, &large);
        let mut best_frames = BestFrameSelector::default();
        let members = [TrackId(1)];
        for (second, rect) in
            [(2, Rect::new(0.4, 0.4, 0.1, 0.2)), (3, large.rect), (4, Rect::new(0.9, 0.4, 0.1, 0.2))]
        {
            let seen = track(1, second, rect);
            best_frames.consider(&frame(second, 40), [(held.id, &members[..])].into_iter(), &[seen]);
        }
        let sent = best_frames.sent_events(Some(&frame(9, 40)), vec![held], &[]);
        let snapshot = sent[0].snapshot.as_ref().unwrap();
        assert_eq!((snapshot.at, snapshot.subjects[0].rect), (stamp(3).wall, large.rect));
    }

    #[test]
    fn who_is_only_expected_is_shown_where_he_was_seen_or_is_marked() {
        let seen = track(1, 3, Rect::new(0.3, 0.3, 0.2, 0.4));
        let opened = event(Phase::Opened, &seen);
        let shown = |before: Option<u64>, now: u64| {
            let mut best_frames = BestFrameSelector::default();
            if let Some(second) = before {
                best_frames.consider(&frame(second, 40), std::iter::empty(), std::slice::from_ref(&seen));
            }
            let sent = best_frames.sent_events(
                Some(&frame(now, 40)),
                vec![opened.clone()],
                std::slice::from_ref(&seen),
            );
            let snapshot = sent[0].snapshot.clone().unwrap();
            (snapshot.at, snapshot.subjects[0].predicted)
        };
        assert_eq!(shown(None, 3), (stamp(3).wall, false));
        assert_eq!(shown(Some(3), 4), (stamp(3).wall, false), "where he was seen a second ago");
        assert_eq!(shown(Some(3), 9), (stamp(9).wall, true), "which is too long ago");
        assert_eq!(shown(None, 4), (stamp(4).wall, true));
    }

    #[test]
    fn other_persons_are_bystanders() {
        let subject = track(1, 1, Rect::new(0.1, 0.1, 0.1, 0.2));
        let other = track(2, 1, Rect::new(0.5, 0.1, 0.1, 0.2));
        let car = Track { label: Label::Car, ..track(3, 1, Rect::new(0.7, 0.1, 0.1, 0.2)) };
        let snapshot = Snapshot::of(&frame(1, 40), &[TrackId(1)], &[subject, other.clone(), car]);
        assert_eq!(snapshot.bystanders, [other.rect]);
        assert_eq!(snapshot.subjects.len(), 1);
    }
}
