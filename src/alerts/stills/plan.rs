//! The choice of key frames for the stills of an alert, and of the part of a picture that shows its subject. Pure.

use std::time::Duration;

use base::alert::Alert;
use base::detection::{Detection, Label};
use base::geometry::Rect;
use base::ids::{AlertId, CameraId};
use base::still::StillKind;
use base::time::WallTime;

/// Time before the event that the first still shows.
const BEFORE: Duration = Duration::from_secs(2);
/// Time after the event that the last still shows.
pub(super) const AFTER: Duration = Duration::from_secs(3);
/// A key frame that lies farther before its time shows another moment: a smart codec may send one in 20 s.
const EARLIER_MAX: Duration = Duration::from_secs(8);
/// Time between the event and the picture of the subject, at most: later it has left its box.
const CROP_APART_MAX: Duration = Duration::from_secs(2);
/// Margin on each side of a subject, as a fraction of its box; a moving subject has left a part of its box.
const MARGIN: f32 = 0.4;
/// Smallest side of a crop, in pixels of the recorded stream.
const CROP_SIDE_MIN: f32 = 160.0;
/// Overlap (IoU) from which a detection on a key frame is the subject of the event.
const SAME_IOU_MIN: f32 = 0.3;
/// Distance of their centres, in sides of the subject's box, up to which a detection of the same size can be the subject.
const REACH: f32 = 2.5;
/// Ratio of two areas from which they are no subject of one size.
const SIZE_RATIO_MAX: f32 = 2.5;

/// Order for the stills of an alert that is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StillsOrder {
    pub alert: AlertId,
    pub camera: CameraId,
    /// Begin of the event.
    pub event_at: WallTime,
    /// The subject that the crop shows; `None` for an event without one.
    pub subject: Option<(Label, Rect)>,
}

impl StillsOrder {
    /// The order of an alert: its first subject that was seen, or that is expected somewhere.
    pub fn of(alert: &Alert) -> Self {
        let seen = alert.subjects.iter().find(|subject| !subject.predicted);
        let subject = seen.or(alert.subjects.first()).map(|subject| (subject.label, subject.rect));
        Self { alert: alert.id, camera: alert.camera.id.clone(), event_at: alert.opened_at, subject }
    }

    /// Span in which its key frames lie: its start, and its end, which does not count.
    pub fn span(&self) -> (WallTime, WallTime) {
        (self.event_at - BEFORE - EARLIER_MAX, self.event_at + AFTER + Duration::from_micros(1))
    }

    /// The key frame of each still, as a place in `times`, which are in order. No picture is chosen both for before and for after.
    pub fn choose(&self, times: &[WallTime]) -> Vec<(StillKind, usize)> {
        let last_until =
            |at: WallTime| times.iter().rposition(|time| *time <= at && at.since(*time) <= EARLIER_MAX);
        let apart = |time: WallTime| time.since(self.event_at).max(self.event_at.since(time));
        let before = last_until(self.event_at - BEFORE);
        let after = last_until(self.event_at + AFTER).filter(|place| times[*place] > self.event_at);
        let nearest = (0..times.len()).min_by_key(|place| apart(times[*place]));
        let crop = nearest.filter(|place| self.subject.is_some() && apart(times[*place]) <= CROP_APART_MAX);
        let chosen = [(StillKind::Before, before), (StillKind::Crop, crop), (StillKind::After, after)];
        chosen.into_iter().filter_map(|(kind, place)| Some((kind, place?))).collect()
    }
}

/// The detection that is certainly the subject: it lies where the event saw it.
pub(super) fn same(subject: (Label, Rect), detections: &[Detection]) -> Option<Rect> {
    let of_label = detections.iter().filter(|detection| detection.label == subject.0);
    let best = of_label.max_by(|a, b| a.rect.iou(&subject.1).total_cmp(&b.rect.iou(&subject.1)))?;
    Some(best.rect).filter(|rect| rect.iou(&subject.1) >= SAME_IOU_MIN)
}

/// The detection that is most likely the subject, which has moved on since the event. A wrong one shows somebody else, so it is
/// asked for only where nobody is to be hidden.
pub(super) fn likely(subject: (Label, Rect), detections: &[Detection]) -> Option<Rect> {
    let (label, rect) = subject;
    let side = rect.w.max(rect.h);
    let distance = |other: &Rect| {
        let (a, b) = (rect.centre(), other.centre());
        (a.x - b.x).hypot(a.y - b.y)
    };
    let has_its_size = |other: &Rect| {
        let ratio = other.area() / rect.area().max(f32::EPSILON);
        (1.0 / SIZE_RATIO_MAX..=SIZE_RATIO_MAX).contains(&ratio)
    };
    let candidates = detections.iter().filter(|found| found.label == label).map(|found| found.rect);
    let near = candidates.filter(|found| has_its_size(found) && distance(found) <= REACH * side);
    same(subject, detections).or_else(|| near.min_by(|a, b| distance(a).total_cmp(&distance(b))))
}

/// Persons that are to be hidden: all but the subject.
pub(super) fn bystanders(detections: &[Detection], subject: Option<Rect>) -> Vec<Rect> {
    let persons = detections.iter().filter(|found| found.label == Label::Person).map(|found| found.rect);
    persons.filter(|rect| Some(*rect) != subject).collect()
}

/// The part of a picture of this size that shows a subject: left, top, width and height in pixels. `None` for a box that is not
/// on the picture.
pub(super) fn crop(subject: Rect, (width, height): (u32, u32)) -> Option<[u32; 4]> {
    let is_finite = <[f32; 4]>::from(subject).iter().all(|value| value.is_finite());
    let rect = is_finite.then(|| subject.clamped()).filter(|rect| rect.area() > 0.0)?;
    let along = |start: f32, length: f32, pixels: u32| {
        let pixels_all = pixels as f32;
        let side = (length * (1.0 + 2.0 * MARGIN) * pixels_all).max(CROP_SIDE_MIN).min(pixels_all);
        let first = ((start + length / 2.0) * pixels_all - side / 2.0).clamp(0.0, pixels_all - side);
        (first as u32, (side as u32).max(1))
    };
    let (left, w) = along(rect.x, rect.w, width);
    let (top, h) = along(rect.y, rect.h, height);
    Some([left, top, w, h])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENT: i64 = 1_777_673_643_120_000;

    fn order() -> StillsOrder {
        StillsOrder {
            alert: AlertId::new(5),
            camera: "gate".parse().unwrap(),
            event_at: WallTime::from_micros(EVENT),
            subject: Some((Label::Person, Rect::new(0.4, 0.4, 0.1, 0.2))),
        }
    }

    /// Times of the chosen key frames, in tenths of a second from the event, of key frames at such times.
    fn chosen(order: &StillsOrder, tenths: &[i64]) -> Vec<(StillKind, i64)> {
        let times: Vec<WallTime> =
            tenths.iter().map(|tenth| WallTime::from_micros(EVENT + tenth * 100_000)).collect();
        order.choose(&times).into_iter().map(|(kind, place)| (kind, tenths[place])).collect()
    }

    #[test]
    fn the_key_frames_before_their_times_and_the_nearest_to_the_event_are_chosen() {
        use StillKind::{After, Before, Crop};
        let order = order();
        let every_second: Vec<i64> = (-8..6).map(|second| 10 * second + 3).collect();
        assert_eq!(chosen(&order, &every_second), [(Before, -27), (Crop, 3), (After, 23)]);
        assert_eq!(chosen(&order, &[-20, 0, 30]), [(Before, -20), (Crop, 0), (After, 30)], "the time counts");
        // A GOP of 4 s: the subject is shown by the picture after the event.
        assert_eq!(chosen(&order, &[-62, -22, 18, 58]), [(Before, -22), (Crop, 18), (After, 18)]);
        // A smart codec: one picture 6 s before the event is no picture after it, and the subject was elsewhere.
        assert_eq!(chosen(&order, &[-260, -60]), [(Before, -60)]);
        assert_eq!(chosen(&order, &[-101, 40]), [], "the one is too old, the other too late");
        assert_eq!(chosen(&order, &[]), []);
        let without = StillsOrder { subject: None, ..order };
        assert_eq!(chosen(&without, &[-20, 0, 30]), [(Before, -20), (After, 30)]);
    }

    #[test]
    fn all_chosen_key_frames_lie_in_the_span() {
        let (order, tenths) = (order(), Vec::from_iter(-150..60));
        let (from, to) = order.span();
        for first in 0..tenths.len() {
            for (kind, tenth) in chosen(&order, &tenths[first..]) {
                let at = WallTime::from_micros(EVENT + tenth * 100_000);
                assert!(at >= from && at < to, "{kind:?} {tenth}");
            }
        }
    }

    fn found(label: Label, rect: Rect) -> Detection {
        Detection { label, score: 0.8, rect }
    }

    #[test]
    fn somebody_else_is_not_taken_for_the_subject_where_persons_are_hidden() {
        let subject = (Label::Person, Rect::new(0.4, 0.4, 0.1, 0.2));
        let itself = found(Label::Person, Rect::new(0.42, 0.41, 0.1, 0.2));
        let moved = found(Label::Person, Rect::new(0.6, 0.4, 0.1, 0.2));
        let far = found(Label::Person, Rect::new(0.0, 0.0, 0.02, 0.04));
        let car = found(Label::Car, subject.1);
        let all = [far, moved, itself, car];
        assert_eq!(same(subject, &all), Some(itself.rect));
        assert_eq!(bystanders(&all, same(subject, &all)), [far.rect, moved.rect]);
        assert_eq!(same(subject, &[far, moved, car]), None);
        assert_eq!(bystanders(&[far, moved, car], None), [far.rect, moved.rect], "then nobody is shown");
        assert_eq!(likely(subject, &[far, moved, car]), Some(moved.rect));
        assert_eq!(likely(subject, &[far, car]), None);
    }

    proptest! {
        /// A crop lies on the picture, has its smallest side where there is room, and shows the subject.
        #[test]
        fn a_crop_shows_its_subject(
            x in -0.2f32..1.1, y in -0.2f32..1.1, w in 0.0f32..1.2, h in 0.0f32..1.2,
            width in 1u32..4000, height in 1u32..2200,
        ) {
            let subject = Rect::new(x, y, w, h);
            let visible = subject.clamped();
            let Some([left, top, cw, ch]) = crop(subject, (width, height)) else {
                prop_assert!(visible.area() <= 0.0);
                return Ok(());
            };
            prop_assert!(left + cw <= width && top + ch <= height && cw >= 1 && ch >= 1);
            prop_assert!(cw >= width.min(159) && ch >= height.min(159));
            let centre = visible.centre();
            let (cx, cy) = (centre.x * width as f32, centre.y * height as f32);
            prop_assert!(cx >= left as f32 - 1.0 && cx <= (left + cw) as f32 + 1.0);
            prop_assert!(cy >= top as f32 - 1.0 && cy <= (top + ch) as f32 + 1.0);
            prop_assert!(left as f32 <= visible.x * width as f32 + 1.0);
            prop_assert!((left + cw) as f32 >= visible.right() * width as f32 - 2.0);
        }
    }

    #[test]
    fn a_box_that_is_no_box_gives_no_crop() {
        for rect in
            [Rect::new(f32::NAN, 0.0, 0.1, 0.1), Rect::new(2.0, 0.0, 0.1, 0.1), Rect::new(0.1, 0.1, 0.0, 0.1)]
        {
            assert_eq!(crop(rect, (640, 360)), None);
        }
    }
}
