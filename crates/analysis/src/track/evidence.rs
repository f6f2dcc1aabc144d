//! Evidence that a track is a real subject: a history of scores and misses, and its movement.

use super::kalman;
use base::detection::Label;
use base::geometry::{Point, Rect};

/// Score that changes nothing for a track that moves along: with it in every inference, the track is neither more nor
/// less likely a subject.
const EVEN_MOVING: f32 = 0.30;
/// The same for a track that stays in its place: leaves are taken for people again and again, and sway.
const EVEN_STAYING: f32 = 0.37;
/// Cost of an inference that does not find it, in log-odds.
const MISS: f32 = 0.8;
/// Part of the earlier log-odds that counts on the next inference.
const KEPT: f32 = 0.9;
/// Log-odds from which on a track that moves along is a subject.
const ENOUGH_MOVING: f32 = 1.0;
/// Log-odds from which on a track that stays is a subject.
const ENOUGH_STAYING: f32 = 1.2;
/// Score that a car which stays must have had once: a stain on the road is called one with less, for hours.
const SURE_CAR: f32 = 0.55;
/// Score that a subject must have had [`SURE_SCENERY_HITS`] times where the picture is the scenery: a stain, a post, a poster.
/// Examined in a crop of its own, a stain on the road reaches 0.65, and 0.70 once in hours.
const SURE_SCENERY: f32 = 0.7;
/// Number of detections with that score.
const SURE_SCENERY_HITS: u32 = 2;
/// Scores beyond this say no more.
const SCORE_MAX: f32 = 0.95;
/// Minimum distance from its first place of a track that moves along, in sizes.
const TRAVELLED_SIZES: f32 = 0.5;
/// Maximum length of its way, as a multiple of that distance: swaying leaves go to and fro.
const DETOUR_MAX: f32 = 2.0;

/// The history of one track.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    moving: f32,
    staying: f32,
    first: Point,
    last: Point,
    /// In sizes.
    way: f32,
    travels: bool,
    /// Number of detections, and of those among them that hid the scenery.
    hits: u32,
    hid_scenery: u32,
    /// Number of detections with [`SURE_SCENERY`] or more.
    very_sure: u32,
    was_sure: bool,
    best: f32,
}

impl Evidence {
    pub(super) fn new(rect: &Rect) -> Self {
        let centre = rect.centre();
        let (moving, staying, way, best) = (0.0, 0.0, 0.0, 0.0);
        let (first, last, travels, was_sure) = (centre, centre, false, false);
        let (hits, hid_scenery, very_sure) = (0, 0, 0);
        Self { moving, staying, first, last, way, travels, hits, hid_scenery, very_sure, was_sure, best }
    }

    /// Adds an inference that found it here. `is_scenery`: the picture here is what it was minutes ago.
    pub(super) fn seen(&mut self, rect: &Rect, score: f32, is_sure: bool, is_scenery: bool) {
        let odds = log_odds(score.min(SCORE_MAX));
        self.moving = KEPT * self.moving + odds - log_odds(EVEN_MOVING);
        self.staying = KEPT * self.staying + odds - log_odds(EVEN_STAYING);
        self.was_sure |= is_sure;
        self.hits += 1;
        self.hid_scenery += u32::from(!is_scenery);
        self.very_sure += u32::from(score >= SURE_SCENERY);
        self.best = self.best.max(score);
        let (sx, sy) = kalman::scales(rect.w, rect.h);
        let sizes = |a: Point, b: Point| ((a.x - b.x) / sx).hypot((a.y - b.y) / sy);
        let centre = rect.centre();
        self.way += sizes(centre, self.last);
        self.last = centre;
        let away = sizes(centre, self.first);
        self.travels |= !is_scenery && away >= TRAVELLED_SIZES && self.way <= DETOUR_MAX * away;
    }

    /// Adds an inference at its place that did not find it.
    pub(super) fn missed(&mut self) {
        self.moving = KEPT * self.moving - MISS;
        self.staying = KEPT * self.staying - MISS;
    }

    /// Returns true if a detection of it was sure.
    pub(super) fn was_sure(&self) -> bool {
        self.was_sure
    }

    /// Returns true if it is a subject, given its label. Leaves are taken for people; hardly ever for cars, which
    /// stand half hidden in rows: for these one detection that is sure enough will do. For a subject that is only
    /// known to move the score says nothing. What hardly ever hid the scenery may be part of it.
    pub(super) fn is_enough(&self, label: Label) -> bool {
        let stays = match label {
            Label::Person | Label::TwoWheeler => self.staying >= ENOUGH_STAYING,
            Label::Car | Label::LargeVehicle => self.best >= SURE_CAR,
            Label::Moving => true,
        };
        let may_be_scenery = 2 * self.hid_scenery <= self.hits && self.very_sure < SURE_SCENERY_HITS;
        (self.travels && self.moving >= ENOUGH_MOVING) || (self.was_sure && stays && !may_be_scenery)
    }
}

fn log_odds(part: f32) -> f32 {
    let part = part.clamp(0.01, 0.99);
    (part / (1.0 - part)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of inferences after which it is a subject; scores of 0 are misses.
    fn enough_after(scores: impl IntoIterator<Item = f32>, place: impl Fn(usize) -> f32) -> Option<usize> {
        is_one_after(Label::Person, false, scores, place)
    }

    fn is_one_after(
        label: Label,
        is_scenery: bool,
        scores: impl IntoIterator<Item = f32>,
        place: impl Fn(usize) -> f32,
    ) -> Option<usize> {
        let at = |i: usize| Rect::new(0.4 + place(i), 0.4, 0.04, 0.12);
        let mut evidence = Evidence::new(&at(0));
        for (i, score) in scores.into_iter().enumerate() {
            if score > 0.0 {
                evidence.seen(&at(i), score, score >= 0.45, is_scenery);
            } else {
                evidence.missed();
            }
            if evidence.is_enough(label) {
                return Some(i + 1);
            }
        }
        None
    }

    #[test]
    fn who_walks_is_somebody_also_if_never_sure() {
        let walks = |i: usize| 0.012 * i as f32;
        assert!(enough_after([0.38; 20], walks).is_some_and(|inferences| inferences <= 6));
        assert_eq!(enough_after([0.38; 200], |_| 0.0), None, "and what stays is not");
        assert_eq!(enough_after([0.27; 200], walks), None, "nor what is hardly seen");
    }

    #[test]
    fn who_stands_is_somebody_if_sure() {
        assert!(enough_after([0.7; 9], |_| 0.0).is_some_and(|inferences| inferences <= 3));
        assert!(enough_after([0.55; 9], |_| 0.0).is_some_and(|inferences| inferences <= 4));
    }

    #[test]
    fn what_sways_and_is_seen_by_turns_is_nobody() {
        let sways = |i: usize| 0.02 * (i as f32 * 0.9).sin();
        let flickers = (0..500).map(|i| if i % 2 == 0 { 0.55 } else { 0.0 });
        assert_eq!(enough_after(flickers, sways), None);
        assert_eq!(enough_after([0.4; 500], sways), None);
    }

    /// Scores as street-nano gave them to an oil stain on an empty car park.
    #[test]
    fn a_stain_is_no_car_and_a_car_that_comes_or_is_sure_once_is() {
        let stain = [0.31, 0.27, 0.36, 0.41, 0.45, 0.47, 0.41, 0.37, 0.46, 0.50, 0.45];
        let hours = || stain.iter().copied().cycle().take(20_000);
        assert_eq!(is_one_after(Label::Car, false, hours(), |_| 0.0), None);
        assert!(
            is_one_after(Label::Car, false, hours(), |i| 0.012 * i as f32)
                .is_some_and(|inferences| inferences < 12)
        );
        assert!(is_one_after(Label::Car, false, [0.47, 0.44, 0.6], |_| 0.0).is_some());
    }

    /// Scores of the same stain in crops of its own, by another network, which takes it for a two-wheeler.
    #[test]
    fn scenery_is_no_subject_unless_it_is_very_sure() {
        let stain = || [0.46, 0.42, 0.57, 0.61, 0.43, 0.65, 0.58].into_iter().cycle().take(20_000);
        let once_more = || stain().chain([0.72]).chain(stain());
        let jumps = |i: usize| if i < 9 { 0.0 } else { 0.2 };
        for label in [Label::Person, Label::TwoWheeler, Label::Car] {
            assert_eq!(is_one_after(label, true, stain(), |_| 0.0), None, "{label}");
            assert_eq!(is_one_after(label, true, once_more(), |_| 0.0), None, "{label}: sure once in hours");
            assert_eq!(
                is_one_after(label, true, stain(), jumps),
                None,
                "{label}: from one stain to the next"
            );
            assert!(is_one_after(label, false, stain(), |_| 0.0).is_some(), "{label}: it hides the scenery");
            assert!(is_one_after(label, true, [0.75; 9], |_| 0.0).is_some(), "{label}: it is very sure");
        }
    }
}
