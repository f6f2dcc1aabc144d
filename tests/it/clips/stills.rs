//! Stills of an alert: real footage, decoded in real sessions.

use std::path::Path;
use std::sync::Arc;

use base::detection::{Detection, Label};
use base::detector::{Detector, InferenceError};
use base::event::Subject;
use base::geometry::Rect;
use base::ids::TrackId;
use base::picture::Frame;
use base::still::{STILLS_BYTES_MAX, StillDraft, StillKind};
use camera::{SessionProgram, prepare};
use clipstore::Store;
use clipstore::access::AccessKind;
use image::RgbImage;
use wardlink::Publisher;
use wardwatch::alerts::stills::{StillCounts, Stills};

use super::*;
use crate::support::sample::opened;
use crate::support::wait_until;

/// The event, in seconds of the footage, whose key frames come every two seconds.
const EVENT: Duration = Duration::from_secs(7);
/// A person who is no subject.
const BYSTANDER: Rect = Rect::new(0.55, 0.1, 0.3, 0.6);

/// Says that the bystander, and nobody else, is on every picture.
struct OnePerson;

impl Detector for OnePerson {
    fn detect(&mut self, _: &Frame) -> Result<Vec<Detection>, InferenceError> {
        Ok(vec![Detection { label: Label::Person, score: 0.9, rect: BYSTANDER }])
    }

    fn model(&self) -> base::alert::ModelRef {
        base::alert::ModelRef { name: "one person".into(), sha256: None }
    }
}

/// A store with footage, and the thread of the stills on it.
struct Maker {
    store: Store,
    stills: Stills,
    counts: Arc<StillCounts>,
}

impl Maker {
    fn start(place: &Path, camera: &str, network: Option<Box<dyn Detector>>) -> Self {
        let config = place.join("wardwatch.toml");
        let text = format!(
            "[box]\nward = \"ben-nghe\"\nid = \"box-1\"\n[store]\ndirectory = \"store\"\n\
             [broker]\nurl = \"mqtt://127.0.0.1:9\"\n[camera.gate]\nmain = \"rtsp://127.0.0.1:9/main\"\n{camera}"
        );
        fs::write(&config, text).unwrap();
        let loaded = wardwatch::config::load(&config).unwrap();
        let program = SessionProgram {
            program: env!("CARGO_BIN_EXE_wardwatch").into(),
            registry: place.join("registry.bin"),
            user: None,
        };
        prepare(&program).unwrap();
        let store = open(settings(&place.join("store")));
        let publisher = Arc::new(Publisher::without_broker("none in this test".into()));
        let stills = Stills::start(&loaded, store.clone(), publisher, program, network).unwrap();
        let counts = stills.counts().unwrap();
        Self { store, stills, counts }
    }

    /// Has the stills of an alert made whose subject is a person at a place; returns them once the work is done.
    fn make(&self, subject: Rect) -> Vec<StillDraft> {
        let mut draft = opened("gate", EVENT);
        draft.event.subjects = vec![Subject {
            track: TrackId(1),
            label: Label::Person,
            score: 0.8,
            rect: subject,
            predicted: false,
            path: Vec::new(),
        }];
        let alert = self.store.put_alert(draft).unwrap();
        self.stills.input().unwrap().order(&alert);
        wait_until("the work is done", PATIENCE, || {
            self.store.stills_depth().unwrap().0 > 0 || self.counts.lacking() > 0
        });
        let next = |number: u64| self.store.still_after(number).unwrap();
        let waiting = std::iter::successors(next(0), |last| next(last.number));
        waiting.map(|waiting| waiting.still).inspect(|still| assert_eq!(still.alert, alert.id)).collect()
    }
}

/// Footage of 16 s.
fn recorded() -> Option<TempDir> {
    let place = TempDir::new().unwrap();
    let footage = footage(place.path(), Codec::H264, 0, 640, 8)?;
    record(place.path(), (0..8).map(|number| footage.fragment(number)));
    Some(place)
}

fn image(still: &StillDraft) -> RgbImage {
    image::load_from_memory(&still.jpeg.0).unwrap().to_rgb8()
}

/// Sum of the differences of neighbouring pixels in a part of the picture.
fn detail(image: &RgbImage, part: Rect) -> u64 {
    let (width, height) = (image.width() as f32, image.height() as f32);
    let column = |x: f32| (x * width) as u32;
    let rows = (part.y * height) as u32..(part.bottom() * height) as u32;
    let pixels = rows.flat_map(|y| (column(part.x)..column(part.right()) - 1).map(move |x| (x, y)));
    pixels.map(|(x, y)| u64::from(image.get_pixel(x, y).0[1].abs_diff(image.get_pixel(x + 1, y).0[1]))).sum()
}

/// Mean difference of two pictures in a part of them.
fn change(one: &RgbImage, other: &RgbImage, part: Rect) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let (width, height) = (one.width() as f32, one.height() as f32);
    let columns = (part.x * width) as u32..(part.right() * width) as u32;
    let rows = (part.y * height) as u32..(part.bottom() * height) as u32;
    let pixels: Vec<(u32, u32)> = rows.flat_map(|y| columns.clone().map(move |x| (x, y))).collect();
    let differs =
        |(x, y): &(u32, u32)| f64::from(one.get_pixel(*x, *y).0[1].abs_diff(other.get_pixel(*x, *y).0[1]));
    pixels.iter().map(differs).sum::<f64>() / pixels.len() as f64
}

#[test]
fn an_alert_has_the_pictures_before_and_after_it_and_its_subject_without_masked_places() {
    let Some(place) = recorded() else { return };
    let masks = "privacy_masks = [[[0.0, 0.0], [0.3, 0.0], [0.3, 1.0], [0.0, 1.0]]]\n";
    let mut maker = Maker::start(place.path(), masks, None);
    let stills = maker.make(Rect::new(0.4, 0.4, 0.1, 0.3));
    let taken: Vec<(StillKind, u128)> =
        stills.iter().map(|still| (still.kind, still.taken_at.since(START.wall).as_millis())).collect();
    assert_eq!(taken, [(StillKind::Before, 4000), (StillKind::Crop, 6000), (StillKind::After, 10_000)]);
    assert!(stills.iter().map(|still| still.jpeg.0.len()).sum::<usize>() <= STILLS_BYTES_MAX);
    for still in &stills {
        let image = image(still);
        let whole = Rect::new(0.0, 0.0, 1.0, 1.0);
        let found = detail(&image, whole);
        assert!(found > 2_000, "there is a picture: {:?}, {found}", still.kind);
        if still.kind == StillKind::Crop {
            assert!(image.width() < 320, "the crop has the pixels of the stream: {}", image.width());
        } else {
            assert_eq!(image.width(), 640);
            let masked = Rect::new(0.02, 0.02, 0.25, 0.9);
            let few = detail(&image, masked);
            assert!(few * 50 < detail(&image, Rect::new(0.6, 0.02, 0.25, 0.9)), "{few}");
        }
    }
    assert_eq!((maker.counts.made(), maker.counts.lacking()), (3, 0));

    maker.stills.stop();
    maker.store.close();
    let log = access::read(&place.path().join("store")).unwrap().entries;
    let kinds: Vec<AccessKind> = log.iter().map(|entry| entry.what).collect();
    assert_eq!(kinds, [AccessKind::ExportStarted, AccessKind::ExportEnded]);
    assert!(log.iter().all(|entry| entry.who == "wardwatch" && entry.clips.len() == 3));
    assert_eq!(log[0].why, format!("for the alert {}", stills[0].alert));
    access::verify(&place.path().join("store")).unwrap();
}

#[test]
fn bystanders_are_hidden_on_every_still_or_there_is_none() {
    let Some(place) = recorded() else { return };
    let shown = {
        let maker = Maker::start(place.path(), "", None);
        maker.make(Rect::new(0.2, 0.2, 0.1, 0.3))
    };
    assert_eq!(shown.len(), 3);
    let hide = "hide_bystanders = true\n";
    let nothing = TempDir::new().unwrap();
    copy_store(place.path(), nothing.path());
    let maker = Maker::start(nothing.path(), hide, None);
    assert_eq!(maker.make(Rect::new(0.2, 0.2, 0.1, 0.3)), [], "nothing finds the persons");
    assert_eq!((maker.counts.made(), maker.counts.lacking()), (0, 1));
    drop(maker);
    let log = access::read(&nothing.path().join("store")).unwrap();
    assert!(log.entries.is_empty(), "no footage was read");

    let hidden = TempDir::new().unwrap();
    copy_store(place.path(), hidden.path());
    let maker = Maker::start(hidden.path(), hide, Some(Box::new(OnePerson)));
    let stills = maker.make(Rect::new(0.2, 0.2, 0.1, 0.3));
    let kinds: Vec<StillKind> = stills.iter().map(|still| still.kind).collect();
    assert_eq!(kinds, [StillKind::Before, StillKind::After], "a subject that is not found has no crop");
    for still in &stills {
        let other = shown.iter().find(|other| other.kind == still.kind).unwrap();
        let (covered, open) = (image(still), image(other));
        let [here, there] =
            [BYSTANDER, Rect::new(0.05, 0.1, 0.3, 0.6)].map(|part| change(&covered, &open, part));
        assert!(
            here > 4.0 * there && here > 8.0,
            "{:?}: changed by {here}, elsewhere by {there}",
            still.kind
        );
        let [covered, open] = [covered, open].map(|image| detail(&image, BYSTANDER));
        assert!(covered * 3 < open * 2, "{:?}: {covered} of {open}", still.kind);
    }
}

/// Copies the footage and configuration of a closed store, without its alerts' stills.
fn copy_store(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-r"]).arg(from.join("store")).arg(to).status().unwrap();
    assert!(copied.success());
    let index = rusqlite::Connection::open(to.join("store/index.sqlite")).unwrap();
    index
        .execute_batch("DELETE FROM still; DELETE FROM outbox; DELETE FROM alert; DELETE FROM event;")
        .unwrap();
    index.execute_batch("DELETE FROM access_log").unwrap();
    fs::remove_file(to.join("store/access.jsonl")).unwrap();
}

#[test]
fn an_alert_without_footage_has_no_stills_and_delays_nothing() {
    let place = TempDir::new().unwrap();
    let maker = Maker::start(place.path(), "", None);
    assert_eq!(maker.make(Rect::new(0.2, 0.2, 0.1, 0.3)), []);
    assert_eq!((maker.counts.made(), maker.counts.lacking()), (0, 1));
    assert_eq!(maker.store.outbox_depth().unwrap().0, 1, "the alert waits as ever");
}
