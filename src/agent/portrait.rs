//! Which frame shows an event's subjects best: large, sharp, whole. The opening alert shows the frame that completed the
//! evidence; the closing one, if there was a better one meanwhile, that.

use std::collections::BTreeMap;

use crate::domain::detection::Label;
use crate::domain::event::{Event, Phase, Subject};
use crate::domain::geometry::Rect;
use crate::domain::ids::{AlertId, TrackId};
use crate::domain::picture::{Frame, Picture};
use crate::domain::time::WallTime;
use crate::domain::track::Track;

/// A later frame must be this much better to be sent over a thin link.
const BETTER: f32 = 1.25;
/// Of a subject at the picture's edge the rest may be outside.
const CUT: f32 = 0.4;
const EDGE: f32 = 0.004;
/// Differences between neighbours, in codes, at which a subject is half as sharp as can be.
const SHARP_CODES: f32 = 8.0;

/// What began or ended, and a frame that shows it.
#[derive(Debug, Clone)]
pub struct Told {
    /// What began or ended.
    pub event: Event,
    /// `None` where there is no picture, or none that is better than the one that was sent.
    pub shot: Option<Shot>,
}

/// A frame, and who is who on it.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The picture; its samples are shared.
    pub picture: Picture,
    /// When it was taken.
    pub at: WallTime,
    /// Who it is about: label, score, box.
    pub subjects: Vec<(Label, f32, Rect)>,
    /// Persons it is not about.
    pub bystanders: Vec<Rect>,
    quality: f32,
}

/// The best frames of one camera's open events: one each.
#[derive(Debug, Default)]
pub(super) struct Portraits {
    open: BTreeMap<AlertId, Portrait>,
}

#[derive(Debug)]
struct Portrait {
    best: Shot,
    /// Of the one that was sent.
    sent: f32,
}

impl Portraits {
    /// Takes in a frame that was looked at while events are open: their ids, and who takes part.
    pub(super) fn look<'a>(
        &mut self,
        frame: &Frame,
        open: impl Iterator<Item = (AlertId, &'a [TrackId])>,
        tracks: &[Track],
    ) {
        for (id, members) in open {
            let Some(portrait) = self.open.get_mut(&id) else { continue };
            let shot = Shot::of(frame, members, tracks);
            if shot.quality > portrait.best.quality {
                portrait.best = shot;
            }
        }
    }

    /// Gives each event its frame: an opening one this frame, a closing one the best if that is worth it.
    pub(super) fn tell(&mut self, frame: Option<&Frame>, events: Vec<Event>, tracks: &[Track]) -> Vec<Told> {
        events.into_iter().map(|event| self.told(frame, event, tracks)).collect()
    }

    fn told(&mut self, frame: Option<&Frame>, event: Event, tracks: &[Track]) -> Told {
        let shot = match event.phase {
            Phase::Opened => {
                let members: Vec<TrackId> = event.subjects.iter().map(|subject| subject.track).collect();
                let mut shot = frame.map(|frame| Shot::of(frame, &members, tracks));
                // What stands and is no track's is where the rule saw it.
                let is_thing = |subject: &&Subject| {
                    subject.label == Label::Moving && !tracks.iter().any(|track| track.id == subject.track)
                };
                let things = event.subjects.iter().filter(is_thing);
                if let Some(shot) = &mut shot {
                    shot.subjects.extend(things.map(|subject| (subject.label, subject.score, subject.rect)));
                }
                if let Some(shot) = shot.clone() {
                    self.open.insert(event.id, Portrait { sent: shot.quality, best: shot });
                }
                shot
            }
            Phase::Closed => {
                let portrait = self.open.remove(&event.id);
                portrait.filter(|p| p.best.quality > BETTER * p.sent).map(|portrait| portrait.best)
            }
        };
        Told { event, shot }
    }
}

impl Shot {
    fn of(frame: &Frame, members: &[TrackId], tracks: &[Track]) -> Self {
        let (subjects, others): (Vec<&Track>, Vec<&Track>) =
            tracks.iter().partition(|track| members.contains(&track.id));
        let seen = subjects.iter().filter(|track| track.last_seen == frame.at.monotonic);
        let quality = seen.map(|track| quality(&frame.picture, track)).fold(0.0, f32::max);
        Self {
            picture: frame.picture.clone(),
            at: frame.at.wall,
            subjects: subjects.iter().map(|track| (track.label, track.score, track.rect)).collect(),
            bystanders: others
                .iter()
                .filter(|track| track.label == Label::Person)
                .map(|track| track.rect)
                .collect(),
            quality,
        }
    }
}

/// Side in pixels, times how sharp, how whole and how sure.
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
    use crate::domain::event::{RuleRef, Severity};
    use crate::domain::geometry::Point;
    use crate::domain::ids::Epoch;
    use crate::domain::picture::{Colour, PixelFormat};
    use crate::domain::time::{ClockState, Monotonic, Pts, Stamp};

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
            subjects: vec![Subject { track: id, label, score, rect, path: Vec::new() }],
            count: 1,
            zone: None,
            why: String::new(),
        }
    }

    /// What the closing alert shows after these later frames: second, texture, box.
    fn shown_at(later: &[(u64, u8, Rect)]) -> Option<u64> {
        let small = track(1, 1, Rect::new(0.4, 0.4, 0.1, 0.2));
        let opened = event(Phase::Opened, &small);
        let mut portraits = Portraits::default();
        let told = portraits.tell(Some(&frame(1, 40)), vec![opened.clone()], std::slice::from_ref(&small));
        assert_eq!(told[0].shot.as_ref().unwrap().at, stamp(1).wall, "the opening shows its own frame");
        for (second, codes, rect) in later {
            let seen = track(1, *second, *rect);
            let members = [TrackId(1)];
            portraits.look(&frame(*second, *codes), [(opened.id, &members[..])].into_iter(), &[seen]);
        }
        let closed = Event { id: opened.id, ..event(Phase::Closed, &small) };
        let told = portraits.tell(None, vec![closed], &[]);
        assert!(portraits.open.is_empty(), "nothing is kept for what is over");
        told[0].shot.as_ref().map(|shot| shot.at.as_unix_millis() / 1000)
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
            let told =
                Portraits::default().tell(Some(&frame(1, 40)), vec![opened], std::slice::from_ref(&passer));
            told[0].shot.as_ref().unwrap().subjects.iter().map(|subject| subject.2).collect::<Vec<Rect>>()
        };
        assert_eq!(shown(Label::Moving), [thing.rect]);
        assert_eq!(shown(Label::TwoWheeler), [], "who is gone is not where they were");
    }

    #[test]
    fn other_persons_are_bystanders() {
        let subject = track(1, 1, Rect::new(0.1, 0.1, 0.1, 0.2));
        let other = track(2, 1, Rect::new(0.5, 0.1, 0.1, 0.2));
        let car = Track { label: Label::Car, ..track(3, 1, Rect::new(0.7, 0.1, 0.1, 0.2)) };
        let shot = Shot::of(&frame(1, 40), &[TrackId(1)], &[subject, other.clone(), car]);
        assert_eq!(shot.bystanders, [other.rect]);
        assert_eq!(shot.subjects.len(), 1);
    }
}
