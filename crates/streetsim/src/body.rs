//! Bodies of the street's users.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::camera::V3;
use super::figure::Figure;
use super::raster::Rgb;
use super::script::{Item, Pose, Riders};

const SKIN: Rgb = [205.0, 158.0, 122.0];
const TYRE: Rgb = [34.0, 34.0, 38.0];
const GLASS: Rgb = [52.0, 66.0, 82.0];
const RED_LAMP: Rgb = [196.0, 28.0, 24.0];
const CLEAR_LAMP: Rgb = [238.0, 236.0, 220.0];
const STRAW: Rgb = [222.0, 200.0, 142.0];

const SHIRTS: [Rgb; 9] = [
    [226.0, 228.0, 232.0],
    [196.0, 46.0, 44.0],
    [44.0, 92.0, 168.0],
    [236.0, 176.0, 40.0],
    [52.0, 128.0, 84.0],
    [206.0, 108.0, 148.0],
    [62.0, 64.0, 74.0],
    [122.0, 180.0, 210.0],
    [228.0, 118.0, 44.0],
];
const TROUSERS: [Rgb; 5] =
    [[42.0, 46.0, 60.0], [70.0, 84.0, 116.0], [92.0, 84.0, 72.0], [30.0, 30.0, 34.0], [160.0, 150.0, 132.0]];
const PAINTS: [Rgb; 8] = [
    [214.0, 216.0, 220.0],
    [232.0, 232.0, 230.0],
    [44.0, 46.0, 52.0],
    [150.0, 26.0, 30.0],
    [36.0, 70.0, 128.0],
    [128.0, 132.0, 138.0],
    [188.0, 168.0, 120.0],
    [48.0, 92.0, 80.0],
];

fn pick<const N: usize>(rng: &mut ChaCha8Rng, colours: &[Rgb; N]) -> Rgb {
    colours[rng.random_range(0..N)]
}

/// Draws a person on foot. `walked` is the distance walked, in metres: it sets the gait.
///
/// A standing person keeps the legs together; `idle`, -1..=1, moves the hands.
pub(super) fn person(figure: &mut Figure, rng: &mut ChaCha8Rng, walked: f32, (pose, idle): (Pose, f32)) {
    if matches!(pose, Pose::Bent | Pose::Crouched) {
        return low_person(figure, rng, pose == Pose::Crouched, idle);
    }
    let k = rng.random_range(0.93..1.07f32);
    let (shirt, trousers) = (pick(rng, &SHIRTS), pick(rng, &TROUSERS));
    let hat = rng.random_range(0..10);
    let bag = rng.random_range(0..4);
    let tunic = rng.random_bool(0.2);
    let p = |x: f32, y: f32, z: f32| [x * k, y * k, z * k];
    let (mut swing, _) = (walked * std::f32::consts::TAU / 1.35).sin_cos();
    if pose == Pose::Standing {
        swing = 0.16 + 0.10 * idle;
    }
    let load = if let Pose::Carrying(load) = pose { Some(load) } else { None };
    let bob = 0.025 * (1.0 - swing * swing);
    for (side, phase) in [(-1.0, swing), (1.0, -swing)] {
        let hip = p(side * 0.09, 0.0, 0.90 + bob);
        // The leg that swings back bends its knee.
        let bend = (-phase).max(0.0) * 0.20;
        let knee = p(side * 0.10, 0.20 * phase + bend, 0.50 + 0.03 * bend);
        let foot = p(side * 0.10, 0.36 * phase - bend * 0.6, 0.07 + bend * 0.5);
        let toe = p(side * 0.11, 0.36 * phase - bend * 0.6 + 0.16, 0.05 + bend * 0.3);
        figure.limb(&[(hip, 0.105), (knee, 0.08)], trousers);
        figure.limb(&[(knee, 0.08), (foot, 0.06)], trousers);
        figure.limb(&[(foot, 0.06), (toe, 0.05)], [46.0, 38.0, 34.0]);
        let shoulder = p(side * 0.20, 0.0, 1.38 + bob);
        let (elbow, hand) = if load.is_some() {
            (p(side * 0.25, 0.04, 1.12 + bob), p(side * 0.20, 0.30, 1.0 + bob))
        } else {
            (p(side * 0.25, -0.14 * phase, 1.12 + bob), p(side * 0.25, -0.30 * phase + 0.06, 0.88 + bob))
        };
        figure.limb(&[(shoulder, 0.065), (elbow, 0.055)], shirt);
        figure.limb(&[(elbow, 0.05), (hand, 0.042)], SKIN);
        if bag == 0 && side > 0.0 {
            figure
                .limb(&[(p(0.27, hand[1], 0.62), 0.13), (p(0.27, hand[1], 0.74), 0.10)], [212.0, 90.0, 60.0]);
        }
    }
    if tunic {
        figure.limb(&[(p(0.0, 0.0, 0.55), 0.19), (p(0.0, 0.0, 1.0), 0.16)], shirt);
    }
    figure.limb(
        &[
            (p(0.0, 0.0, 0.96 + bob), 0.155),
            (p(-0.09, 0.0, 1.36 + bob), 0.13),
            (p(0.09, 0.0, 1.36 + bob), 0.13),
        ],
        shirt,
    );
    if bag == 1 {
        figure.limb(&[(p(0.0, -0.20, 1.05), 0.14), (p(0.0, -0.20, 1.32), 0.14)], [66.0, 74.0, 96.0]);
    }
    if let Some(load) = load {
        carried(figure, load, p(0.0, 0.34, 0.92 + bob));
    }
    head(figure, p(0.0, 0.02, 1.59 + bob), wear_of(hat, shirt));
}

fn wear_of(hat: u32, shirt: Rgb) -> Wear {
    match hat {
        0..4 => Wear::Cone,
        4..6 => Wear::Cap(shirt),
        _ => Wear::Hair,
    }
}

/// Draws a person who squats, or bends forward with straight legs; the hands are at work before the feet.
fn low_person(figure: &mut Figure, rng: &mut ChaCha8Rng, squats: bool, idle: f32) {
    let k = rng.random_range(0.93..1.07f32);
    let (shirt, trousers) = (pick(rng, &SHIRTS), pick(rng, &TROUSERS));
    let hat = rng.random_range(0..10);
    let p = |x: f32, y: f32, z: f32| [x * k, y * k, z * k];
    // Hip, knee, foot; shoulder, elbow, hand; then chest and head: y and z of each.
    let [hip, knee, foot, shoulder, elbow, hand, head_at] = if squats {
        [(-0.18, 0.38), (0.30, 0.52), (0.02, 0.07), (0.10, 0.88), (0.34, 0.72), (0.52, 0.52), (0.20, 1.06)]
    } else {
        [(-0.16, 0.90), (0.02, 0.50), (0.0, 0.07), (0.36, 1.14), (0.48, 0.92), (0.54, 0.66), (0.56, 1.22)]
    };
    let work = 0.06 * idle;
    for side in [-1.0, 1.0] {
        let at = |x: f32, (y, z): (f32, f32)| p(side * x, y, z);
        figure.limb(&[(at(0.11, hip), 0.115), (at(0.17, knee), 0.085)], trousers);
        figure.limb(&[(at(0.17, knee), 0.085), (at(0.13, foot), 0.06)], trousers);
        figure.limb(&[(at(0.13, foot), 0.06), (at(0.13, (foot.0 + 0.16, 0.05)), 0.05)], [46.0, 38.0, 34.0]);
        figure.limb(&[(at(0.20, shoulder), 0.065), (at(0.26, elbow), 0.055)], shirt);
        let hand = (hand.0 + work * side, hand.1 + work);
        figure.limb(&[(at(0.26, elbow), 0.05), (at(0.16, hand), 0.045)], SKIN);
    }
    figure.limb(
        &[
            (p(0.0, hip.0, hip.1 + 0.04), 0.165),
            (p(-0.09, shoulder.0, shoulder.1 - 0.02), 0.135),
            (p(0.09, shoulder.0, shoulder.1 - 0.02), 0.135),
        ],
        shirt,
    );
    head(figure, p(0.0, head_at.0, head_at.1), wear_of(hat, shirt));
}

/// Draws a thing that lies on the ground.
pub(super) fn thing(figure: &mut Figure, thing: Item) {
    carried(figure, thing, [0.0, 0.0, 0.0]);
}

/// A thing whose underside's middle is at that point.
fn carried(figure: &mut Figure, thing: Item, [x, y, z]: V3) {
    match thing {
        Item::Bag => {
            let cloth = [40.0, 44.0, 70.0];
            figure.limb(
                &[([x - 0.24, y, z + 0.17], 0.16), ([x + 0.24, y, z + 0.17], 0.16), ([x, y, z + 0.24], 0.16)],
                cloth,
            );
            figure.limb(&[([x - 0.1, y, z + 0.40], 0.03), ([x + 0.1, y, z + 0.40], 0.03)], cloth);
        }
        Item::Carton => {
            let faces = figure.block(
                [x - 0.28, y - 0.22, z],
                [x + 0.28, y + 0.22, z + 0.46],
                [0.0, 0.0],
                [190.0, 148.0, 96.0],
            );
            for face in &faces[..4] {
                figure.patch(face, (0.0, 1.0), (0.44, 0.56), [222.0, 204.0, 168.0]);
            }
        }
        Item::Sack => {
            figure.limb(
                &[([x - 0.18, y, z + 0.2], 0.2), ([x + 0.18, y, z + 0.2], 0.2), ([x, y, z + 0.52], 0.15)],
                [226.0, 222.0, 206.0],
            );
        }
    }
}

#[derive(Clone, Copy)]
enum Wear {
    Hair,
    Cap(Rgb),
    Helmet(Rgb),
    Cone,
}

fn head(figure: &mut Figure, at: V3, wear: Wear) {
    let [x, y, z] = at;
    figure.mirror([x, y + 0.11, z], 1.0, 0.05);
    figure.limb(&[([x, y, z - 0.13], 0.06), ([x, y, z - 0.02], 0.06)], SKIN);
    figure.limb(&[([x, y, z], 0.105), ([x, y + 0.01, z + 0.04], 0.105)], SKIN);
    let crown = |figure: &mut Figure, rgb, r| {
        figure.limb(&[([x, y - 0.045, z + 0.03], r), ([x, y - 0.01, z + 0.075], r)], rgb);
    };
    figure.layer += 1;
    match wear {
        Wear::Hair => crown(figure, [28.0, 24.0, 24.0], 0.105),
        Wear::Cap(rgb) => crown(figure, rgb.map(|c| c * 0.7), 0.108),
        Wear::Helmet(rgb) => crown(figure, rgb, 0.135),
        Wear::Cone => {
            let rim: Vec<V3> = (0..16)
                .map(|i| {
                    let (sin, cos) = (i as f32 * std::f32::consts::TAU / 16.0).sin_cos();
                    [x + 0.26 * cos, y + 0.26 * sin, z + 0.06]
                })
                .collect();
            let tip = [x, y, z + 0.25];
            let whole: Vec<V3> = rim.iter().copied().chain([tip]).collect();
            figure.solid(&whole, STRAW, 0.92);
            figure.layer += 1;
            figure.solid(&[rim[6], rim[7], rim[8], rim[9], rim[10], rim[11], tip], STRAW, 1.1);
            figure.layer -= 1;
        }
    }
    figure.layer -= 1;
}

/// A motorbike or scooter with its rider, perhaps a passenger, perhaps a load; or alone, leaning on its stand.
pub(super) fn two_wheeler(figure: &mut Figure, rng: &mut ChaCha8Rng, lit: bool, riders: Riders) {
    let paint = pick(rng, &PAINTS);
    let (passenger, load) = (rng.random_bool(0.3), rng.random_bool(0.22));
    let (passenger, load) = match riders {
        Riders::Chance => (passenger && !load, load),
        Riders::None | Riders::One => (false, load),
        Riders::Two => (true, false),
    };
    if riders == Riders::None {
        figure.lean = -0.14;
        figure.limb(&[([0.02, -0.05, 0.30], 0.025), ([-0.20, -0.12, 0.02], 0.025)], TYRE);
    }
    for y in [-0.62, 0.62] {
        figure.wheel([0.0, y, 0.29], 0.29, 0.11, TYRE);
        figure.wheel([0.0, y, 0.29], 0.15, 0.125, [150.0, 152.0, 158.0]);
    }
    let dark = [44.0, 44.0, 50.0];
    figure.limb(&[([0.0, -0.62, 0.60], 0.12), ([0.0, -0.10, 0.52], 0.15), ([0.0, 0.18, 0.36], 0.12)], paint);
    figure.limb(&[([0.12, -0.75, 0.34], 0.055), ([0.12, 0.0, 0.28], 0.05)], [120.0, 120.0, 124.0]);
    figure.limb(&[([-0.16, 0.40, 0.48], 0.07), ([0.16, 0.40, 0.48], 0.07), ([0.0, 0.50, 0.92], 0.14)], paint);
    figure.limb(&[([0.0, -0.66, 0.76], 0.10), ([0.0, 0.06, 0.76], 0.11)], dark);
    figure.limb(&[([-0.33, 0.40, 1.02], 0.03), ([0.33, 0.40, 1.02], 0.03)], dark);
    for side in [-0.34, 0.34] {
        figure.limb(&[([side, 0.44, 1.16], 0.055)], dark);
    }
    figure.limb(&[([0.0, -0.84, 0.44], 0.07), ([0.0, -0.80, 0.56], 0.06)], [226.0, 226.0, 220.0]);
    figure.limb(&[([-0.08, -0.78, 0.70], 0.05), ([0.08, -0.78, 0.70], 0.05)], RED_LAMP);
    figure.limb(&[([0.0, 0.63, 0.86], 0.085)], CLEAR_LAMP);
    figure.mirror([0.0, -0.86, 0.50], -1.0, 0.16);
    if lit {
        figure.lamp([0.0, -0.80, 0.70], -1.0, 0.30, [210.0, 26.0, 16.0]);
        figure.lamp([0.0, 0.68, 0.86], 1.0, 0.48, [215.0, 206.0, 170.0]);
    }
    if load {
        let rgb = [[196.0, 154.0, 98.0], [70.0, 150.0, 90.0], [60.0, 110.0, 190.0]][rng.random_range(0..3)];
        figure.block([-0.27, -1.0, 0.82], [0.27, -0.52, 1.28], [0.0, 0.0], rgb);
    }
    if riders == Riders::None {
        return unridden(figure, rng);
    }
    rider(figure, rng, 0.0, true);
    if passenger {
        rider(figure, rng, -0.42, false);
    }
}

/// Draws the parts that a rider hides: the whole seat, the step, the mirrors' stalks, perhaps a helmet left on one of
/// them.
fn unridden(figure: &mut Figure, rng: &mut ChaCha8Rng) {
    let dark = [36.0, 36.0, 40.0];
    figure.limb(&[([0.0, -0.74, 0.80], 0.09), ([0.0, -0.40, 0.83], 0.12), ([0.0, 0.0, 0.77], 0.10)], dark);
    figure.limb(&[([-0.12, 0.26, 0.30], 0.05), ([0.12, 0.26, 0.30], 0.05)], dark);
    for side in [-1.0, 1.0] {
        figure.limb(&[([side * 0.24, 0.40, 1.02], 0.016), ([side * 0.34, 0.44, 1.16], 0.016)], dark);
    }
    if rng.random_bool(0.35) {
        let helmet = pick(rng, &SHIRTS);
        figure.limb(&[([0.34, 0.40, 1.10], 0.13), ([0.34, 0.36, 1.16], 0.13)], helmet);
    }
}

fn rider(figure: &mut Figure, rng: &mut ChaCha8Rng, y: f32, steers: bool) {
    let (shirt, trousers) = (pick(rng, &SHIRTS), pick(rng, &TROUSERS));
    let helmet = pick(rng, &SHIRTS);
    for side in [-1.0, 1.0] {
        let (hip, knee) = ([side * 0.11, y - 0.15, 0.86], [side * 0.23, y + 0.24, 0.74]);
        let foot = [side * 0.20, y + 0.10, 0.32];
        figure.limb(&[(hip, 0.11), (knee, 0.09)], trousers);
        figure.limb(&[(knee, 0.085), (foot, 0.06)], trousers);
        figure.limb(&[(foot, 0.06), ([foot[0], foot[1] + 0.14, 0.29], 0.05)], [50.0, 42.0, 38.0]);
        let (shoulder, elbow) = ([side * 0.20, y - 0.06, 1.36], [side * 0.31, y + 0.08, 1.13]);
        let hand = if steers { [side * 0.30, y + 0.38, 1.05] } else { [side * 0.16, y + 0.24, 1.0] };
        figure.limb(&[(shoulder, 0.075), (elbow, 0.06)], shirt);
        figure.limb(&[(elbow, 0.055), (hand, 0.045)], if steers { shirt } else { SKIN });
    }
    figure.limb(
        &[([0.0, y - 0.18, 0.92], 0.17), ([-0.10, y - 0.07, 1.34], 0.135), ([0.10, y - 0.07, 1.34], 0.135)],
        shirt,
    );
    let wear = if rng.random_range(0..12) == 0 { Wear::Cone } else { Wear::Helmet(helmet) };
    head(figure, [0.0, y - 0.02, 1.58], wear);
}

/// A car: saloon, hatchback or taxi.
pub(super) fn car(figure: &mut Figure, rng: &mut ChaCha8Rng, lit: bool) {
    let paint = pick(rng, &PAINTS);
    let tall = rng.random_range(0.0..0.22f32);
    let hatch = rng.random_bool(0.4);
    let (w, front, back) = (0.88, 2.1, -2.1);
    figure.block([-w + 0.06, back + 0.1, 0.12], [w - 0.06, front - 0.1, 0.5], [0.0, 0.0], [26.0, 26.0, 30.0]);
    for (x, y) in [(-w + 0.07, -1.3), (w - 0.07, -1.3), (-w + 0.07, 1.3), (w - 0.07, 1.3)] {
        figure.wheel([x, y, 0.32], 0.32, 0.2, TYRE);
    }
    figure.layer = 1;
    let body = figure.block([-w, back, 0.34], [w, front, 0.88 + tall * 0.4], [0.06, 0.08], paint);
    figure.layer = 2;
    for side in &body[..2] {
        for at in [0.19, 0.81] {
            figure.patch(side, (at - 0.085, at + 0.085), (-0.06, 0.45), TYRE);
        }
        figure.patch(side, (0.04, 0.96), (0.0, 0.10), paint.map(|c| c * 0.6));
    }
    let (front_face, back_face) = (&body[2], &body[3]);
    for (face, lamp) in [(front_face, CLEAR_LAMP), (back_face, RED_LAMP)] {
        figure.patch(face, (0.03, 0.22), (0.52, 0.82), lamp);
        figure.patch(face, (0.78, 0.97), (0.52, 0.82), lamp);
        figure.patch(face, (0.0, 1.0), (0.0, 0.22), paint.map(|c| c * 0.55));
        figure.patch(face, (0.38, 0.62), (0.22, 0.42), [230.0, 230.0, 224.0]);
    }
    figure.patch(front_face, (0.28, 0.72), (0.50, 0.78), [40.0, 42.0, 46.0]);
    figure.layer = 3;
    let (rear, z) = (if hatch { back + 0.06 } else { back + 0.75 }, 0.86 + tall * 0.4);
    let cabin = figure.block([-w + 0.07, rear, z], [w - 0.07, 1.05, 1.44 + tall], [0.17, 0.42], paint);
    figure.layer = 4;
    for side in &cabin[..2] {
        figure.patch(side, (0.10, 0.48), (0.16, 0.86), GLASS);
        figure.patch(side, (0.53, 0.90), (0.16, 0.86), GLASS);
    }
    figure.patch(&cabin[2], (0.06, 0.94), (0.10, 0.92), GLASS.map(|c| c * 1.25));
    figure.patch(&cabin[3], (0.08, 0.92), (0.14, 0.90), GLASS);
    lamps(figure, w - 0.2, front, back, 0.66, lit);
}

fn lamps(figure: &mut Figure, x: f32, front: f32, back: f32, z: f32, lit: bool) {
    figure.mirror([0.0, back - 0.02, z - 0.12], -1.0, 0.26);
    figure.mirror([0.0, front + 0.02, z - 0.22], 1.0, 0.22);
    if lit {
        for side in [-x, x] {
            figure.lamp([side, front + 0.05, z], 1.0, 0.62, [225.0, 218.0, 186.0]);
            figure.lamp([side, back - 0.05, z], -1.0, 0.34, [190.0, 20.0, 12.0]);
        }
    }
}

/// A city bus.
pub(super) fn bus(figure: &mut Figure, rng: &mut ChaCha8Rng, lit: bool) {
    let paint = [[38.0, 132.0, 84.0], [206.0, 62.0, 48.0], [228.0, 180.0, 52.0], [52.0, 110.0, 176.0]]
        [rng.random_range(0..4)];
    let (w, half) = (1.2, 4.4);
    for (x, y) in [(-w, -2.6), (w, -2.6), (-w, 2.9), (w, 2.9)] {
        figure.wheel([x * 0.93, y, 0.46], 0.46, 0.22, TYRE);
    }
    figure.layer = 1;
    let body = figure.block([-w, -half, 0.32], [w, half, 2.95], [0.05, 0.05], paint);
    figure.layer = 2;
    for side in &body[..2] {
        figure.patch(side, (0.0, 1.0), (0.02, 0.16), [232.0, 232.0, 228.0]);
        for i in 0..6 {
            let u = 0.04 + i as f32 * 0.157;
            figure.patch(side, (u, u + 0.135), (0.45, 0.84), GLASS);
        }
        for at in [0.2, 0.83] {
            figure.patch(side, (at - 0.055, at + 0.055), (-0.05, 0.23), TYRE);
        }
    }
    figure.patch(&body[2], (0.05, 0.95), (0.38, 0.80), GLASS.map(|c| c * 1.2));
    figure.patch(&body[2], (0.22, 0.78), (0.85, 0.96), [246.0, 190.0, 70.0]);
    figure.patch(&body[3], (0.10, 0.90), (0.52, 0.84), GLASS);
    figure.patch(&body[3], (0.12, 0.88), (0.20, 0.42), paint.map(|c| c * 0.65));
    for (face, lamp) in [(&body[2], CLEAR_LAMP), (&body[3], RED_LAMP)] {
        figure.patch(face, (0.03, 0.16), (0.10, 0.22), lamp);
        figure.patch(face, (0.84, 0.97), (0.10, 0.22), lamp);
        figure.patch(face, (0.40, 0.60), (0.05, 0.12), [240.0, 214.0, 90.0]);
    }
    let roof = body[4];
    figure.patch(&roof, (0.25, 0.75), (0.35, 0.62), [214.0, 214.0, 212.0]);
    lamps(figure, w - 0.25, half, -half, 0.75, lit);
}

/// A large box lorry.
pub(super) fn lorry(figure: &mut Figure, rng: &mut ChaCha8Rng, lit: bool) {
    let away = figure.shows_its_back();
    let paint = pick(rng, &PAINTS);
    let load = [[196.0, 92.0, 44.0], [52.0, 92.0, 142.0], [178.0, 182.0, 184.0]][rng.random_range(0..3)];
    let w = 1.22;
    for (x, y) in [(-w, -3.9), (w, -3.9), (-w, -2.7), (w, -2.7), (-w, 3.6), (w, 3.6)] {
        figure.wheel([x * 0.9, y, 0.50], 0.50, 0.30, TYRE);
    }
    figure.block([-0.8, -4.8, 0.5], [0.8, 4.6, 0.95], [0.0, 0.0], [40.0, 40.0, 44.0]);
    let (cab_layer, load_layer) = if away { (1, 3) } else { (3, 1) };
    figure.layer = cab_layer;
    let cab = figure.block([-w + 0.05, 2.9, 0.5], [w - 0.05, 4.9, 2.9], [0.06, 0.10], paint);
    figure.layer += 1;
    for side in &cab[..2] {
        figure.patch(side, (0.30, 0.85), (0.52, 0.88), GLASS);
    }
    figure.patch(&cab[2], (0.05, 0.95), (0.50, 0.90), GLASS.map(|c| c * 1.2));
    figure.patch(&cab[2], (0.20, 0.80), (0.20, 0.42), paint.map(|c| c * 0.6));
    figure.layer = load_layer;
    let cargo = figure.block([-w, -4.9, 0.95], [w, 2.75, 3.95], [0.0, 0.0], load);
    figure.layer += 1;
    // The box's ribs.
    for side in &cargo[..2] {
        for rib in 0..14 {
            let u = 0.02 + rib as f32 * 0.07;
            figure.patch(side, (u, u + 0.025), (0.03, 0.97), load.map(|c| c * 0.84));
        }
    }
    for u in [(0.03, 0.49), (0.51, 0.97)] {
        figure.patch(&cargo[3], u, (0.03, 0.97), load.map(|c| c * 0.88));
    }
    figure.layer = 3;
    lamps(figure, w - 0.25, 4.9, -4.9, 0.85, lit);
}

/// A small truck: a cab and a load.
pub(super) fn truck(figure: &mut Figure, rng: &mut ChaCha8Rng, lit: bool) {
    let away = figure.shows_its_back();
    let paint = pick(rng, &PAINTS);
    let load = [[206.0, 208.0, 210.0], [84.0, 116.0, 92.0], [64.0, 98.0, 150.0]][rng.random_range(0..3)];
    let w = 1.0;
    for (x, y) in [(-w, -1.7), (w, -1.7), (-w, 1.9), (w, 1.9)] {
        figure.wheel([x * 0.9, y, 0.40], 0.40, 0.26, TYRE);
    }
    figure.block([-0.7, -2.9, 0.45], [0.7, 2.8, 0.75], [0.0, 0.0], [40.0, 40.0, 44.0]);
    // The nearer of the two covers the other.
    let (cab_layer, load_layer) = if away { (1, 3) } else { (3, 1) };
    figure.layer = cab_layer;
    let cab = figure.block([-w + 0.08, 1.2, 0.45], [w - 0.08, 2.9, 2.05], [0.10, 0.14], paint);
    figure.layer += 1;
    for side in &cab[..2] {
        figure.patch(side, (0.25, 0.80), (0.50, 0.90), GLASS);
    }
    figure.patch(&cab[2], (0.05, 0.95), (0.48, 0.92), GLASS.map(|c| c * 1.2));
    for u in [0.04, 0.80] {
        figure.patch(&cab[2], (u, u + 0.16), (0.14, 0.28), CLEAR_LAMP);
    }
    figure.layer = load_layer;
    let cargo = figure.block([-w, -3.0, 0.78], [w, 1.1, 2.55], [0.0, 0.0], load);
    figure.layer += 1;
    figure.patch(&cargo[3], (0.04, 0.49), (0.06, 0.96), load.map(|c| c * 0.86));
    figure.patch(&cargo[3], (0.51, 0.96), (0.06, 0.96), load.map(|c| c * 0.86));
    for side in &cargo[..2] {
        figure.patch(side, (0.05, 0.95), (0.42, 0.58), load.map(|c| c * 0.75));
    }
    figure.layer = 3;
    if away {
        for x in [-0.8, 0.8] {
            figure.limb(&[([x, -3.0, 0.68], 0.09)], RED_LAMP);
        }
    }
    lamps(figure, w - 0.25, 2.9, -3.0, 0.72, lit);
}
