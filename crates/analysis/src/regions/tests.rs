use proptest::prelude::*;

use super::*;
use crate::gate::MotionRegion;
use base::ids::TrackId;

const CASES: u32 = 10_000;
const SIZES: [InputSize; 3] = [
    InputSize { width: 640, height: 384 },
    InputSize { width: 320, height: 192 },
    InputSize { width: 224, height: 128 },
];
const SUB: (u32, u32) = (640, 360);
const MAIN: (u32, u32) = (1920, 1080);

fn at(seconds: f32) -> Monotonic {
    Monotonic::from_nanos(1_000_000_000) + Duration::from_secs_f32(seconds)
}

fn view(seconds: f32, picture: (u32, u32), tracks: &[Forecast]) -> PlannerInput<'_> {
    PlannerInput { at: at(seconds), picture, sizes: &SIZES, tracks, speed_matters: false }
}

fn motion(rects: &[Rect]) -> MotionCheck {
    let regions = rects.iter().map(|rect| MotionRegion { rect: *rect, score: 0.8 }).collect();
    MotionCheck { regions, ..MotionCheck::default() }
}

fn track(rect: Rect, inferred_seconds: f32) -> Forecast {
    Forecast {
        id: TrackId(1),
        rect,
        speed: 0.5,
        confirmed: true,
        at_rest: false,
        missed: false,
        inferred_at: at(inferred_seconds),
    }
}

/// A planner that has just had an inference on the whole of a still picture.
fn fresh() -> Planner {
    let mut planner = Planner::new();
    let plan = planner.plan(&view(0.0, SUB, &[])).unwrap();
    assert!(plan.is_whole && plan.urgency == Urgency::Still);
    planner.inferred(at(0.0), &plan, &[], &[], &[]);
    planner
}

#[test]
fn a_still_picture_gets_an_inference_every_few_seconds() {
    let mut planner = fresh();
    let mut inferences = Vec::new();
    for i in 1..=300 {
        let seconds = i as f32 * 0.2;
        planner.take_motion(at(seconds), &motion(&[]), &[]);
        if let Some(plan) = planner.plan(&view(seconds, SUB, &[])) {
            assert!(plan.is_whole);
            inferences.push(seconds);
            planner.inferred(at(seconds), &plan, &[], &[], &[]);
        }
    }
    assert_eq!(inferences, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
}

#[test]
fn a_gate_that_began_again_wants_the_whole_picture_but_not_all_the_time() {
    let mut planner = fresh();
    let anew = MotionCheck { began_again: true, ..MotionCheck::default() };
    let mut inferences = 0;
    for i in 1..=25 {
        let seconds = i as f32 * 0.2;
        planner.take_motion(at(seconds), &anew, &[]);
        if let Some(plan) = planner.plan(&view(seconds, SUB, &[])) {
            assert!(plan.is_whole);
            inferences += 1;
            planner.inferred(at(seconds), &plan, &[], &[], &[]);
        }
    }
    assert_eq!(inferences, 5);
}

#[test]
fn a_small_thing_gets_a_small_crop_at_native_resolution() {
    for picture in [SUB, MAIN] {
        let mut planner = fresh();
        let far = Rect::new(0.5, 0.3, 20.0 / picture.0 as f32, 40.0 / picture.1 as f32);
        planner.take_motion(at(0.4), &motion(&[far]), &[]);
        let plan = planner.plan(&view(0.4, picture, &[])).unwrap();
        assert_eq!((plan.areas.len(), plan.areas[0].size, plan.urgency), (1, SIZES[2], Urgency::Motion));
        let crop = plan.areas[0].crop;
        assert!((crop.w * picture.0 as f32 - 224.0).abs() < 1e-3, "one pixel is one pixel: {crop:?}");
        assert!((crop.h * picture.1 as f32 - 128.0).abs() < 1e-3, "{crop:?}");
        assert!(plan.covers(&far));
    }
}

#[test]
fn a_network_of_one_size_sees_what_is_due_as_large_as_it_can() {
    let plan = |regions: &[Rect]| {
        let mut planner = fresh();
        planner.take_motion(at(0.4), &motion(regions), &[]);
        planner.plan(&PlannerInput { sizes: &SIZES[..1], ..view(0.4, SUB, &[]) }).unwrap()
    };
    let (far, beside) = (Rect::new(0.5, 0.3, 0.03, 0.11), Rect::new(0.62, 0.3, 0.03, 0.11));
    let both = plan(&[far, beside]);
    assert_eq!((both.areas.len(), both.areas[0].size, both.is_whole), (1, SIZES[0], false));
    assert!(both.covers(&far) && both.covers(&beside));
    let enlarged = SIZES[0].width as f32 / (both.areas[0].crop.w * SUB.0 as f32);
    assert!((enlarged - 2.0).abs() < 1e-3, "twice as large: {both:?}");
    let wide = plan(&[far, Rect::new(0.02, 0.8, 0.1, 0.15)]);
    assert!(wide.is_whole && wide.areas.len() == 1, "{wide:?}");
}

#[test]
fn what_is_followed_and_large_may_be_shrunk() {
    let planner = fresh();
    let near = track(Rect::new(0.3, 0.3, 0.4, 0.5), 0.0);
    let plan = planner.plan(&view(1.0, SUB, &[near])).unwrap();
    assert_eq!((plan.areas.len(), plan.areas[0].size, plan.urgency), (1, SIZES[2], Urgency::Tracks));
    assert!(plan.covers(&near.rect) && plan.areas[0].crop.w > 0.51, "{plan:?}");
    let far = track(Rect::new(0.3, 0.3, 0.015, 0.03), 0.0);
    let plan = planner.plan(&view(1.0, MAIN, &[far])).unwrap();
    assert!(
        (plan.areas[0].crop.w * 1920.0 - plan.areas[0].size.width as f32).abs() < 1e-3,
        "not shrunk: {plan:?}"
    );
}

#[test]
fn neighbours_share_a_crop_and_strangers_have_their_own() {
    let mut planner = fresh();
    let (a, b) = (Rect::new(0.3, 0.5, 0.03, 0.06), Rect::new(0.38, 0.5, 0.03, 0.06));
    let far = Rect::new(0.9, 0.1, 0.03, 0.06);
    planner.take_motion(at(0.4), &motion(&[a, b]), &[]);
    assert_eq!(planner.plan(&view(0.4, SUB, &[])).unwrap().areas.len(), 1);
    planner.take_motion(at(0.4), &motion(&[a, b, far]), &[]);
    let plan = planner.plan(&view(0.4, SUB, &[])).unwrap();
    assert_eq!(plan.areas.len(), 2);
    assert!([a, b, far].iter().all(|rect| plan.covers(rect)), "{plan:?}");
    let everywhere: Vec<Rect> =
        (0..5).flat_map(|x| [0.1, 0.5, 0.9].map(|y| Rect::new(x as f32 * 0.2, y, 0.03, 0.06))).collect();
    planner.take_motion(at(0.4), &motion(&everywhere), &[]);
    assert!(planner.plan(&view(0.4, SUB, &[])).unwrap().is_whole);
}

#[test]
fn parked_things_wait_for_the_whole_look_unless_stirred() {
    let mut planner = fresh();
    let parked = Forecast { at_rest: true, speed: 0.0, ..track(Rect::new(0.3, 0.5, 0.1, 0.1), 0.0) };
    let tracks = [parked];
    planner.take_motion(at(2.0), &motion(&[]), &tracks);
    assert_eq!(planner.plan(&view(2.0, SUB, &tracks)), None);
    let whole = planner.plan(&view(6.0, SUB, &tracks)).unwrap();
    assert!(whole.is_whole && whole.urgency == Urgency::Still);
    planner.take_motion(at(2.0), &motion(&[Rect::new(0.32, 0.52, 0.03, 0.06)]), &tracks);
    let plan = planner.plan(&view(2.0, SUB, &tracks)).unwrap();
    assert!(!plan.is_whole && plan.covers(&parked.rect), "{plan:?}");
    let missed = Forecast { missed: true, ..parked };
    planner.take_motion(at(2.2), &motion(&[]), &[missed]);
    assert!(fresh().plan(&view(0.4, SUB, &[missed])).is_some(), "missed once: inferred at again at once");
}

#[test]
fn who_races_gets_an_inference_on_every_frame_where_speed_matters() {
    let inferences = |speed_matters: bool| {
        let (mut planner, mut inferred, mut inferences) = (fresh(), 0.0, 0);
        for i in 1..=10 {
            let seconds = i as f32 * 0.2;
            // Far away: many sizes a second, and little of the picture.
            let rect = Rect::new(0.3 + 0.02 * seconds, 0.2, 0.01, 0.04);
            let tracks = [Forecast { speed: 4.5, ..track(rect, inferred) }];
            planner.take_motion(at(seconds), &motion(&[rect]), &tracks);
            let view = PlannerInput { speed_matters, ..view(seconds, SUB, &tracks) };
            if let Some(plan) = planner.plan(&view) {
                planner.inferred(at(seconds), &plan, &tracks, &[], &[]);
                (inferred, inferences) = (seconds, inferences + 1);
            }
        }
        inferences
    };
    assert_eq!((inferences(true), inferences(false)), (10, 5));
}

#[test]
fn a_steady_track_gets_no_inference_on_every_frame_and_explains_its_motion() {
    let mut planner = fresh();
    let rect = Rect::new(0.3, 0.5, 0.1, 0.1);
    let mut inferences = Vec::new();
    let mut inferred = 0.0;
    for i in 1..=20 {
        let seconds = i as f32 * 0.2;
        let tracks = [Forecast { speed: 0.9, ..track(rect, inferred) }];
        planner.take_motion(at(seconds), &motion(&[rect]), &tracks);
        if let Some(plan) = planner.plan(&view(seconds, SUB, &tracks)) {
            assert!(plan.covers(&rect));
            planner.inferred(at(seconds), &plan, &tracks, &[], &[]);
            inferred = seconds;
            inferences.push(i);
        }
    }
    assert!((4..=5).contains(&inferences.len()), "every 0.9 s: {inferences:?}");
}

#[test]
fn motion_without_anything_to_see_gets_inferences_ever_more_rarely_and_news_at_once() {
    let mut planner = fresh();
    let tree = Rect::new(0.1, 0.1, 0.1, 0.2);
    let mut crops = 0;
    for i in 1..=100 {
        let seconds = i as f32 * 0.2;
        planner.take_motion(at(seconds), &motion(&[tree]), &[]);
        if let Some(plan) = planner.plan(&view(seconds, SUB, &[])) {
            crops += usize::from(!plan.is_whole);
            planner.inferred(at(seconds), &plan, &[], &[], &[]);
        }
    }
    assert!((12..=22).contains(&crops), "{crops} crops in 20 s");
    let mut hopeful = planner.clone();
    let weak = Rect::new(0.12, 0.12, 0.03, 0.1);
    let plan = Plan::whole(&SIZES, Urgency::Motion);
    for (planner, found) in [(&mut planner, &[][..]), (&mut hopeful, &[weak])] {
        planner.take_motion(at(20.2), &motion(&[tree]), &[]);
        planner.inferred(at(20.2), &plan, &[], found, &[]);
        planner.take_motion(at(20.6), &motion(&[tree]), &[]);
    }
    assert_eq!(planner.plan(&view(20.6, SUB, &[])), None);
    assert!(hopeful.plan(&view(20.6, SUB, &[])).is_some(), "there was something, if weak");
    let person = Rect::new(0.6, 0.6, 0.04, 0.1);
    planner.take_motion(at(20.6), &motion(&[tree, person]), &[]);
    assert!(planner.plan(&view(20.6, SUB, &[])).unwrap().covers(&person));
}

#[test]
fn what_was_passed_over_is_not_put_off_by_what_was_found_beside_it() {
    let mut planner = fresh();
    // Both in one cell, of which the inference shows the tree only, in vain as always.
    let (tree, beside) = (Rect::new(0.01, 0.01, 0.01, 0.01), Rect::new(0.04, 0.04, 0.01, 0.01));
    let crop = Rect::new(0.0, 0.0, 0.03, 0.03);
    let plan = Plan {
        areas: vec![InferenceArea { crop, size: SIZES[2] }],
        urgency: Urgency::Motion,
        is_whole: false,
    };
    for i in 1..=5 {
        planner.take_motion(at(i as f32 * 0.4), &motion(&[tree]), &[]);
        planner.inferred(at(i as f32 * 0.4), &plan, &[], &[], &[]);
    }
    let due = |planner: &Planner, seconds: f32| {
        let needs = planner.needs(&view(seconds, SUB, &[]));
        needs.iter().filter(|need| need.due).count()
    };
    planner.take_motion(at(2.4), &motion(&[tree, beside]), &[]);
    assert_eq!(due(&planner, 2.4), 0, "nothing was found here five times");
    planner.take_motion(at(3.2), &motion(&[tree, beside]), &[]);
    assert_eq!(due(&planner, 3.2), 2);
    planner.inferred(at(3.2), &plan, &[], &[], &[]);
    planner.take_motion(at(3.6), &motion(&[tree, beside]), &[]);
    assert_eq!(due(&planner, 3.6), 1, "the one that nobody has inferred at");
}

#[test]
fn what_moved_without_an_inference_and_stands_now_gets_one() {
    let mut planner = fresh();
    let rect = Rect::new(0.5, 0.5, 0.05, 0.1);
    planner.take_motion(at(0.2), &motion(&[rect]), &[]);
    planner.take_motion(at(0.4), &motion(&[]), &[]);
    let plan = planner.plan(&view(0.4, SUB, &[])).unwrap();
    assert!(plan.covers(&rect));
    planner.inferred(at(0.4), &plan, &[], &[], &[]);
    planner.take_motion(at(0.6), &motion(&[]), &[]);
    assert_eq!(planner.plan(&view(0.6, SUB, &[])), None);
}

#[test]
fn what_an_edge_cut_gets_a_larger_crop_unless_it_is_known() {
    let mut planner = fresh();
    let plan = Plan {
        areas: vec![InferenceArea { crop: Rect::new(0.0, 0.0, 0.35, 0.35), size: SIZES[2] }],
        urgency: Urgency::Motion,
        is_whole: false,
    };
    let cut = Rect::new(0.3, 0.1, 0.2, 0.2);
    let mut known = planner.clone();
    known.inferred(at(0.2), &plan, &[track(Rect::new(0.3, 0.1, 0.15, 0.2), 0.0)], &[], &[cut]);
    assert_eq!(known.patches.len(), 0);
    planner.inferred(at(0.2), &plan, &[], &[], &[cut]);
    let plan = planner.plan(&view(0.6, SUB, &[])).unwrap();
    assert!(plan.covers(&cut) && !plan.is_whole, "{plan:?}");
}

fn rect() -> impl Strategy<Value = Rect> {
    let side = prop_oneof![4 => 0.005f32..0.1, 2 => 0.1f32..0.4, 1 => 0.4f32..1.0];
    (0f32..1.0, 0f32..1.0, side.clone(), side).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h).clamped())
}

fn rects() -> impl Strategy<Value = Vec<Rect>> {
    proptest::collection::vec(rect(), 0..12)
}

fn forecast() -> impl Strategy<Value = Forecast> {
    (rect(), 0f32..8.0, any::<[bool; 3]>(), 0f32..3.0).prop_map(
        |(rect, speed, [confirmed, at_rest, missed], ago)| Forecast {
            id: TrackId(1),
            rect,
            speed,
            confirmed: confirmed || at_rest,
            at_rest,
            missed,
            inferred_at: Monotonic::from_nanos(4_000_000_000) - Duration::from_secs_f32(ago),
        },
    )
}

fn picture() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![Just(SUB), Just(MAIN), Just((704, 576)), Just((1280, 720)), (16u32..2000, 16u32..1200)]
}

fn sizes() -> impl Strategy<Value = Vec<InputSize>> {
    prop_oneof![
        Just(SIZES.to_vec()),
        Just(SIZES[..1].to_vec()),
        Just(vec![InputSize { width: 416, height: 416 }]),
        Just(vec![InputSize { width: 640, height: 640 }, InputSize { width: 320, height: 320 }]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// In any case: one or two inferences, within the picture, not enlarged but where a smaller one is no cheaper, no dearer than
    /// the whole; and the longest due is among the needs that they show.
    #[test]
    fn a_plan_is_sound(
        regions in rects(), tracks in proptest::collection::vec(forecast(), 0..8), picture in picture(), sizes in sizes(),
        later in 0.4f32..4.5,
    ) {
        let mut planner = Planner::new();
        let start = Monotonic::from_nanos(4_000_000_000);
        planner.inferred(start, &Plan::whole(&sizes, Urgency::Still), &[], &[], &[]);
        let now = start + Duration::from_secs_f32(later);
        planner.take_motion(now, &motion(&regions), &tracks);
        let view = PlannerInput { at: now, picture, sizes: &sizes, tracks: &tracks, speed_matters: false };
        let needs = planner.needs(&view);
        let Some(plan) = planner.plan(&view) else {
            prop_assert!(needs.iter().all(|need| !need.due), "{:?}", needs);
            return Ok(());
        };
        prop_assert!((1..=2).contains(&plan.areas.len()));
        prop_assert!(plan.pixels() <= InferenceArea::whole(&sizes).pixels());
        for area in &plan.areas {
            let Rect { x, y, .. } = area.crop;
            prop_assert!(x >= 0.0 && y >= 0.0 && area.crop.right() <= 1.0001 && area.crop.bottom() <= 1.0001, "{:?}", area);
            prop_assert!(area.crop.area() > 0.0 && sizes.contains(&area.size));
            let (w, h) = (area.crop.w * picture.0 as f32, area.crop.h * picture.1 as f32);
            let enlarged = w < area.size.width as f32 - 0.5 && h < area.size.height as f32 - 0.5;
            let (pw, ph) = (picture.0 as f32, picture.1 as f32);
            let needless = enlarged && (w < pw - 0.5 || h < ph - 0.5);
            let twice = 2.0 * w >= area.size.width as f32 - 0.5 && 2.0 * h >= area.size.height as f32 - 0.5;
            prop_assert!(!needless || (sizes.len() == 1 && twice), "{:?} of {:?}", area, picture);
        }
        let longest = needs.iter().filter(|need| need.due).min_by_key(|need| need.due_at);
        if let Some(longest) = longest {
            let first = needs.iter().filter(|need| need.due && need.due_at == longest.due_at);
            prop_assert!(first.into_iter().any(|need| plan.covers(&need.rect)), "{:?} {:?}", plan, longest);
        }
        // Where the whole picture is hardly shrunk, nothing that is due is ever left out.
        if picture == SUB && sizes.len() == 3 {
            for need in needs.iter().filter(|need| need.due) {
                prop_assert!(plan.covers(&need.rect), "{:?} leaves out {:?}", plan, need);
            }
        }
    }

    /// Everything that moves, and every track that needs an inference, is shown within as many frames as there are of them,
    /// even where the network finds nothing and where a frame shows a small part only.
    #[test]
    fn everything_gets_an_inference_within_a_few_frames(
        regions in rects(), tracks in proptest::collection::vec(forecast(), 0..8), picture in picture(), sizes in sizes(),
        served in any::<u64>(),
    ) {
        let mut planner = Planner::new();
        let start = Monotonic::from_nanos(4_000_000_000);
        planner.inferred(start, &Plan::whole(&sizes, Urgency::Still), &[], &[], &[]);
        let mut tracks = tracks;
        tracks.iter_mut().for_each(|track| track.inferred_at = start);
        let mut now = start + Duration::from_secs(1);
        planner.take_motion(now, &motion(&regions), &tracks);
        let mut open: Vec<Rect> = {
            let view = PlannerInput { at: now, picture, sizes: &sizes, tracks: &tracks, speed_matters: false };
            let due = tracks
                .iter()
                .filter(|track| of_track(track, &regions, &view).is_some_and(|need| need.due));
            let regions = regions.iter().filter(|rect| rect.area() > 0.0 && !explained(rect, view.tracks));
            due.map(|track| track.rect).chain(regions.copied()).collect()
        };
        let frames_max = open.len();
        let mut inferences = 0;
        for frame in 0..60 {
            if open.is_empty() {
                break;
            }
            let view = PlannerInput { at: now, picture, sizes: &sizes, tracks: &tracks, speed_matters: false };
            // Some frames get no inference: they are remembered.
            if served >> frame & 1 == 1 && let Some(plan) = planner.plan(&view) {
                inferences += 1;
                open.retain(|rect| !plan.covers(rect));
                for track in tracks.iter_mut().filter(|track| plan.covers(&track.rect)) {
                    track.inferred_at = now;
                }
                planner.inferred(now, &plan, &tracks, &[], &[]);
            }
            prop_assert!(open.is_empty() || inferences <= frames_max, "{:?} after {} inferences", open, inferences);
            // A need that is due again by then is due later than one without an inference yet.
            now = now + Duration::from_millis(400);
            planner.take_motion(now, &motion(&regions), &tracks);
        }
        let chances = (served << 4).count_ones() as usize;
        prop_assert!(open.is_empty() || chances <= frames_max, "{:?} after {} chances, {} inferences", open, chances, inferences);
    }

    /// Joining never loses a region: all that is due and joined is in the joined crop.
    #[test]
    fn motion_that_is_reported_is_never_lost(checks in proptest::collection::vec(proptest::collection::vec(rect(), 0..50), 1..6)) {
        let mut planner = fresh();
        let mut seen: Vec<Rect> = Vec::new();
        for (i, regions) in checks.iter().enumerate() {
            planner.take_motion(at(0.2 * (i + 1) as f32), &motion(regions), &[]);
            // A subject that moved on is at its new place.
            seen.retain(|old| !regions.iter().any(|new| new.intersection(old) > 0.0));
            seen.extend(regions.iter().filter(|rect| rect.area() > 0.0));
            prop_assert!(planner.patches.len() <= 2 * PATCHES_MAX);
            for rect in &seen {
                prop_assert!(planner.patches.iter().any(|patch| contains(&patch.rect, rect)
                    || patch.rect.intersection(rect) > 0.0), "{:?}", rect);
            }
        }
    }
}
