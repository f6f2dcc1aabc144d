//! The same recall under weather, poor focus, night and thin lines.

use base::detection::Label;
use base::picture::{Frame, Picture};
use detector::eval::{Seen, figures, picture};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::card::Row;
use super::clip::{frames, path};
use super::clips::{Watched, changed, clips, watch_all};
use super::network::{Network, bar, for_each};
use super::table::{GROUPS, heads, percent};
use super::{encoded, sets};

/// A change of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Clear,
    LowLight,
    Fog,
    Defocus,
    Rain,
    ThinLine,
    InfraRed,
}

const ALL: [(Weather, &str); 7] = [
    (Weather::Clear, "as it is"),
    (Weather::LowLight, "lowered light"),
    (Weather::Fog, "fog"),
    (Weather::Defocus, "defocus"),
    (Weather::Rain, "rain"),
    (Weather::ThinLine, "200 kbit/s"),
    (Weather::InfraRed, "infra-red"),
];

/// The part of the light that is left.
const LOW_LIGHT: f32 = 0.2;
/// The sensor's noise then, in codes of luma.
const LOW_LIGHT_NOISE: f32 = 4.0;
/// Parts of a picture that fog hides at its bottom and at its top.
const FOG: (f32, f32) = (0.35, 0.75);
/// Brightness of the fog.
const FOG_LUMA: f32 = 190.0;
/// Radius of each of the three means that blur a picture, in pixels of a picture 640 wide.
const DEFOCUS: f32 = 2.0;
/// Number of streaks on a picture.
const STREAKS: usize = 400;
/// Their additional brightness.
const STREAK_LUMA: f32 = 45.0;
const INFRA_RED_NOISE: f32 = 3.0;

/// Prints recall on the key frames and on the sets of cameras that no network was trained on, with the loss.
pub fn print(networks: &[Network]) -> Vec<Row> {
    let mut weathers = ALL.to_vec();
    if let Err(error) = encoded::check() {
        eprintln!("the rows of 200 kbit/s are left out: {error}");
        weathers.retain(|(weather, _)| *weather != Weather::ThinLine);
    }
    print_clips(networks, &weathers);
    print_sets(networks, &weathers);
    Vec::new()
}

fn print_clips(networks: &[Network], weathers: &[(Weather, &str)]) {
    let clips = clips();
    let bar = bar("weather, clips", (weathers.len() * clips.len() * networks.len()) as u64);
    let mut by_weather: Vec<Vec<Watched>> =
        weathers.iter().map(|_| networks.iter().map(|_| Watched::default()).collect()).collect();
    for clip in &clips {
        let clear: Vec<Frame> = frames(&path(&clip.name)).collect();
        for ((weather, _), all) in weathers.iter().zip(&mut by_weather) {
            let frames = match weather {
                Weather::ThinLine => encoded::frames(&path(&clip.name)).unwrap(),
                _ => changed(&clear, |at, frame| apply(*weather, &frame.picture, at as u64)),
            };
            let watched = watch_all(networks, clip, &frames, &|| bar.inc(1));
            all.iter_mut().zip(watched).for_each(|(all, watched)| all.subjects.extend(watched.subjects));
        }
    }
    bar.finish_and_clear();
    println!(
        "\nkey frames of the clips under weather: recall in percent, detected with 0.25 / tracked (points lost)"
    );
    println!("{:<16} {:<18}{}", "", "", heads(networks.iter().map(|n| n.name.as_str()), 20));
    for (name, labels) in GROUPS.into_iter().chain([("all", &Label::ALL[..])]) {
        if by_weather[0].iter().all(|watched| watched.counts(labels)[0] == 0) {
            continue;
        }
        for ((_, weather), of_networks) in weathers.iter().zip(&by_weather) {
            print!("{weather:<16} {name:<18}");
            for (watched, clear) in of_networks.iter().zip(&by_weather[0]) {
                let part = |watched: &Watched, of: usize| {
                    let counts = watched.counts(labels);
                    counts[of] as f64 * 100.0 / counts[0].max(1) as f64
                };
                let lost = |of: usize| part(clear, of) - part(watched, of);
                let (detected, tracked) = (part(watched, 1), part(watched, 2));
                print!(" | {detected:>3.0}/{tracked:<3.0} ({:>3.0}/{:<3.0})", lost(1), lost(2));
                print!("{:2}", "");
            }
            println!();
        }
    }
}

fn print_sets(networks: &[Network], weathers: &[(Weather, &str)]) {
    let sets = sets::sets();
    let pictures: Vec<_> =
        sets.iter().filter(|set| set.name.starts_with("street_val/")).flat_map(|set| &set.pictures).collect();
    println!("\nstreet_val under weather: recall in percent at 0.25, riders merged (points lost)");
    println!("{:<16} {:<18}{}", "", "", heads(networks.iter().map(|n| n.name.as_str()), 20));
    let mut clear: Vec<Vec<f64>> = Vec::new();
    for &(weather, name) in weathers {
        let looked = for_each(&format!("weather, sets: {name}"), networks, &pictures, |labelled, lookers| {
            let shown = match weather {
                Weather::ThinLine => encoded::still(&labelled.picture).unwrap(),
                _ => apply(weather, &picture(&labelled.picture).unwrap(), 0),
            };
            lookers.iter_mut().map(|looker| looker.look(&shown).merged).collect::<Vec<_>>()
        });
        let recall: Vec<Vec<f64>> = (0..networks.len())
            .map(|network| {
                let seen: Vec<Seen> = pictures
                    .iter()
                    .zip(&looked)
                    .map(|(labelled, found)| Seen {
                        truth: labelled.truth.clone(),
                        unclear: labelled.unclear.clone(),
                        found: found[network].clone(),
                    })
                    .collect();
                let nms_iou = networks[network].nms_iou;
                GROUPS
                    .iter()
                    .map(|(_, labels)| figures(labels, &seen, &[0.25], nms_iou).at[0].recall().unwrap_or(0.0))
                    .collect()
            })
            .collect();
        if clear.is_empty() {
            clear.clone_from(&recall);
        }
        for (at, (label, _)) in GROUPS.iter().enumerate() {
            print!("{name:<16} {label:<18}");
            for (of_network, clear) in recall.iter().zip(&clear) {
                let lost = (clear[at] - of_network[at]) * 100.0;
                print!(" | {:>3} ({lost:>3.0}){:11}", percent(Some(of_network[at])), "");
            }
            println!();
        }
    }
}

/// Applies a weather to a picture; chance is by `index`. Each chroma sample is treated alike, so that both layouts
/// fit.
fn apply(weather: Weather, picture: &Picture, index: u64) -> Picture {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let mut samples = picture.samples().to_vec();
    let (luma, chroma) = samples.split_at_mut(w * h);
    let black = if picture.colour().full_range { 0.0 } else { 16.0 };
    let mut dice = ChaCha8Rng::seed_from_u64(index);
    match weather {
        Weather::Clear | Weather::ThinLine => {}
        Weather::LowLight => {
            each(luma, |_, y| black + (y - black) * LOW_LIGHT + noise(&mut dice, LOW_LIGHT_NOISE));
            each(chroma, |_, c| 128.0 + (c - 128.0) * 2.0 * LOW_LIGHT);
        }
        Weather::Fog => {
            each(luma, |at, y| {
                let part = FOG.0 + (FOG.1 - FOG.0) * (1.0 - (at / w) as f32 / h as f32);
                y * (1.0 - part) + FOG_LUMA * part
            });
            each(chroma, |_, c| 128.0 + (c - 128.0) * 0.5);
        }
        Weather::Defocus => blur(luma, w, (DEFOCUS * w as f32 / 640.0).round().max(1.0) as usize),
        Weather::Rain => {
            each(luma, |_, y| FOG_LUMA * 0.15 + y * 0.8);
            rain(luma, w, &mut dice);
        }
        Weather::InfraRed => {
            each(luma, |at, y| {
                let (x, row) = ((at % w) as f32 / w as f32 - 0.5, (at / w) as f32 / h as f32 - 0.55);
                let lit = 0.4 + 0.75 * (-5.0 * (x * x + row * row)).exp();
                black + (y - black) * lit + noise(&mut dice, INFRA_RED_NOISE)
            });
            chroma.fill(128);
        }
    }
    Picture::new(w as u32, h as u32, picture.format(), picture.colour(), samples).unwrap()
}

fn each(samples: &mut [u8], mut value: impl FnMut(usize, f32) -> f32) {
    samples.iter_mut().enumerate().for_each(|(at, s)| *s = (value(at, f32::from(*s)) + 0.5) as u8);
}

/// Returns about normal noise of that standard deviation.
fn noise(dice: &mut ChaCha8Rng, deviation: f32) -> f32 {
    let bits: u32 = dice.random();
    let sum: u32 = bits.to_le_bytes().into_iter().map(u32::from).sum();
    (sum as f32 - 510.0) / 147.8 * deviation
}

/// Three means over `2 * radius + 1` samples, across and down: nearly a normal blur.
fn blur(luma: &mut [u8], w: usize, radius: usize) {
    let h = luma.len() / w;
    let mut line = Vec::new();
    let mut along = |luma: &mut [u8], first: usize, step: usize, length: usize| {
        line.clear();
        line.extend((0..length).map(|at| u32::from(luma[first + at * step])));
        for at in 0..length {
            let part = &line[at.saturating_sub(radius)..(at + radius + 1).min(length)];
            luma[first + at * step] = (part.iter().sum::<u32>() / part.len() as u32) as u8;
        }
    };
    for _ in 0..3 {
        (0..h).for_each(|row| along(luma, row * w, 1, w));
        (0..w).for_each(|column| along(luma, column, w, h));
    }
}

fn rain(luma: &mut [u8], w: usize, dice: &mut ChaCha8Rng) {
    let h = luma.len() / w;
    let scale = w as f32 / 640.0;
    for _ in 0..STREAKS {
        let (x, y) = (dice.random_range(0.0..w as f32), dice.random_range(0.0..h as f32));
        let length = (dice.random_range(8.0..26.0) * scale) as usize;
        for step in 0..length {
            let (x, y) = ((x + step as f32 * 0.15) as usize, y as usize + step);
            if x < w && y < h {
                let at = y * w + x;
                luma[at] = (f32::from(luma[at]) + STREAK_LUMA).min(255.0) as u8;
            }
        }
    }
}
