//! View quality on drawn streets: changes that the hour, the weather and traffic may cause, and those that a hand causes.

use analysis::ViewIntegrityMonitor;
use base::picture::{Frame, Picture};
use base::view_quality::ViewQuality;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::conditions::{Condition, SIZE, condition};

/// Second from which on a deed is done to the camera.
const DEED_SECOND: f32 = 20.0;
/// Second from which on the picture is learnt.
const LEARNT_SECOND: f32 = 12.0;
const SECONDS: u32 = 40;

/// Acts against a camera.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Deed {
    Nothing,
    Hand,
    Spray,
    Defocus,
    Turn,
    Nudge,
    Blackout,
    Freeze,
}

struct Spoiler {
    deed: Deed,
    random: ChaCha8Rng,
    frozen: Option<Picture>,
}

impl Spoiler {
    fn new(deed: Deed) -> Self {
        Self { deed, random: ChaCha8Rng::seed_from_u64(7), frozen: None }
    }

    fn spoil(&mut self, frame: Frame) -> Frame {
        let (w, h) = SIZE;
        let mut samples = frame.picture.samples().to_vec();
        let luma = &mut samples[..w * h];
        let before = luma.to_vec();
        let source = |x: usize, y: usize, dx: usize, dy: usize| before[(y + dy) % h * w + (x + dx) % w];
        match self.deed {
            Deed::Nothing => {}
            Deed::Freeze => {
                let picture = self.frozen.get_or_insert_with(|| frame.picture.clone()).clone();
                return Frame { picture, ..frame };
            }
            Deed::Hand => {
                for (at, sample) in luma.iter_mut().enumerate() {
                    let (x, y) = ((at % w) as f32 / w as f32, (at / w) as f32 / h as f32);
                    *sample = (40.0 + 25.0 * (x * 2.0 + y).sin()) as u8;
                }
            }
            Deed::Spray => {
                for (at, sample) in luma.iter_mut().enumerate() {
                    let (x, y) = ((at % w) as f32 / w as f32 - 0.5, (at / w) as f32 / h as f32 - 0.5);
                    let covered = ((0.55 - x.hypot(y)) / 0.1).clamp(0.0, 1.0);
                    *sample = (f32::from(*sample) * (1.0 - covered) + 25.0 * covered) as u8;
                }
            }
            Deed::Defocus => (0..3).for_each(|_| blur(luma, 9)),
            Deed::Turn => (0..w * h).for_each(|at| luma[at] = source(at % w, at / w, 220, 60)),
            Deed::Nudge => (0..w * h).for_each(|at| luma[at] = source(at % w, at / w, 40, 14)),
            Deed::Blackout => luma.iter_mut().for_each(|sample| *sample /= 24),
        }
        for sample in luma {
            *sample = sample.saturating_add_signed(self.random.random_range(-3..=3));
        }
        let Frame { picture, .. } = &frame;
        let spoilt = Picture::new(w as u32, h as u32, picture.format(), picture.colour(), samples).unwrap();
        Frame { picture: spoilt, ..frame }
    }
}

/// Takes the mean over a square, across and down.
fn blur(luma: &mut [u8], reach: usize) {
    let (w, h) = SIZE;
    let before = luma.to_vec();
    for y in 0..h {
        for x in 0..w {
            let across = x.saturating_sub(reach)..(x + reach + 1).min(w);
            let sum: u32 = across.clone().map(|x| u32::from(before[y * w + x])).sum();
            luma[y * w + x] = (sum / across.len() as u32) as u8;
        }
    }
    let before = luma.to_vec();
    for y in 0..h {
        for x in 0..w {
            let down = y.saturating_sub(reach)..(y + reach + 1).min(h);
            let sum: u32 = down.clone().map(|y| u32::from(before[y * w + x])).sum();
            luma[y * w + x] = (sum / down.len() as u32) as u8;
        }
    }
}

/// View qualities from 6 s after the deed on, once the present shows it alone; without a deed, from learning on.
fn measured(condition: Condition, deed: Deed) -> Vec<ViewQuality> {
    let mut view_monitor = ViewIntegrityMonitor::default();
    let (mut before, mut after) = (Spoiler::new(Deed::Nothing), Spoiler::new(deed));
    let all: Vec<(f32, ViewQuality)> = condition
        .frames(SECONDS)
        .map(|(frame, _): (Frame, _)| {
            let second = frame.pts.0 as f32 / 1e9;
            let spoiler = if second < DEED_SECOND { &mut before } else { &mut after };
            (second, view_monitor.measure(&spoiler.spoil(frame)))
        })
        .collect();
    let from = if deed == Deed::Nothing { LEARNT_SECOND } else { DEED_SECOND + 6.0 };
    all.into_iter().filter(|(second, _)| *second > from).map(|(_, view_quality)| view_quality).collect()
}

fn least(all: &[ViewQuality], of: impl Fn(&ViewQuality) -> f32) -> f32 {
    all.iter().map(of).fold(f32::INFINITY, f32::min)
}

fn most(all: &[ViewQuality], of: impl Fn(&ViewQuality) -> f32) -> f32 {
    all.iter().map(of).fold(f32::NEG_INFINITY, f32::max)
}

/// Asserts that the edges stay at their learnt places.
fn hold(name: &str) {
    let all = measured(condition(name), Deed::Nothing);
    let (in_place, sharpness) = (least(&all, |o| o.in_place), least(&all, |o| o.sharpness));
    let same = most(&all, |o| o.same_seconds);
    assert!(in_place >= 0.6 && sharpness >= 0.6 && same <= 1.0, "{name}: {in_place} {sharpness} {same}");
}

macro_rules! hold {
    ($($test:ident $name:literal,)*) => { $(
        #[test]
        fn $test() {
            hold($name);
        }
    )* };
}

hold! {
    dense_traffic_hides_few_edges "day, dense",
    a_cloud_moves_no_edge "day, fast cloud",
    auto_exposure_moves_no_edge "day, auto-exposure",
    a_pole_that_shakes_moves_them_little "night, shaking camera",
    the_switch_to_infra_red_moves_no_edge "dusk, infra-red switch",
    rain_at_night_is_averaged "night, rain",
    beams_hide_few_edges "night, sweeping beams",
}

/// Asserts that edges left their places, and that the other values tell the deed.
fn shows(name: &str) {
    for deed in [Deed::Hand, Deed::Spray, Deed::Defocus, Deed::Turn, Deed::Nudge, Deed::Blackout] {
        let all = measured(condition(name), deed);
        let in_place = most(&all, |o| o.in_place);
        assert!(in_place <= 0.4, "{name}, {deed:?}: {in_place}");
        match deed {
            Deed::Hand | Deed::Spray | Deed::Defocus | Deed::Blackout => {
                let sharpness = most(&all, |o| o.sharpness);
                assert!(sharpness <= 0.5, "{name}, {deed:?}: {sharpness}");
            }
            _ => {
                let sharpness = least(&all, |o| o.sharpness);
                assert!(sharpness >= 0.6, "{name}, {deed:?}: {sharpness}");
            }
        }
        if deed == Deed::Blackout {
            assert!(most(&all, |o| o.luma_mean) < 16.0, "{name}");
        }
    }
}

#[test]
fn what_is_done_to_a_camera_by_day_shows() {
    shows("day");
}

#[test]
fn what_is_done_to_a_camera_at_night_shows() {
    shows("night, noise 10");
}

#[test]
fn a_picture_that_stands_still_is_the_same() {
    let all = measured(condition("day"), Deed::Freeze);
    assert!(most(&all, |o| o.same_seconds) > SECONDS as f32 - DEED_SECOND - 1.0);
    assert!(least(&all, |o| o.in_place) > 0.8, "it shows what it showed");
}
