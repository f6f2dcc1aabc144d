//! Scenarios of retention: deleted, kept and held footage, in a store of real files that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base::alert::AlertDraft;
use base::fragment::Fragment;
use base::time::{ClockState, Pts, Stamp, WallTime};
use clipstore::holds::{self, NewHold};
use clipstore::{ClipFilter, Settings, Store};
use tempfile::TempDir;

use crate::store::{SmallDisk, clip_bytes, clip_files, settings};
use crate::support::ToldClock;
use crate::support::sample::{FRAGMENT, START, closed, fragment, opened};
use crate::support::wait_until;

const LONG: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a segment of [`append`], hardly less than it may take: five fragments of 1000 bytes, an init section, and the
/// store's additions.
const SEGMENT: u64 = 6760;

fn open(settings: Settings) -> (Store, ToldClock) {
    let clock = ToldClock::new(START);
    (Store::open(settings, Arc::new(clock.clone())).unwrap(), clock)
}

fn push(store: &Store, fragment: Fragment) {
    wait_until("there is room in the queue", LONG, || store.append(fragment.clone()).is_ok());
}

/// Waits until the writer has done all its work, and says so in the vitals.
fn written(store: &Store) {
    wait_until("all is written", LONG, || store.vitals().queue_fragments == 0);
    barrier(store);
}

/// Waits for the writer's current work: an alert, always the same, is stored once and then only looked up. The writer
/// also takes alerts between the files that it syncs: of four, one at least is not taken there.
fn barrier(store: &Store) {
    static SAME: LazyLock<AlertDraft> = LazyLock::new(|| opened("nowhere", Duration::ZERO));
    (0..4).for_each(|_| drop(store.put_alert(SAME.clone()).unwrap()));
}

/// Appends fragments `numbers` of `camera`, and waits until they are on the disk.
fn append(store: &Store, camera: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        push(store, fragment(camera, number, 1000));
    }
    written(store);
}

/// Segments of `camera` that exist as files, each by the number of its first fragment.
fn there(directory: &Path, camera: &str) -> Vec<u32> {
    let files = clip_files(directory);
    let of_camera = files.iter().filter(|file| file.starts_with(directory.join("clips").join(camera)));
    of_camera
        .map(|file| {
            let micros = starts_at(file).as_micros() - START.wall.as_micros();
            u32::try_from(micros / 1000 / i64::try_from(FRAGMENT.as_millis()).unwrap()).unwrap()
        })
        .collect()
}

/// Length of all files of `camera` that begin with fragments `numbers`, in bytes.
fn length(directory: &Path, camera: &str, numbers: &[u32]) -> u64 {
    let files = clip_files(directory);
    let of_camera = files.iter().filter(|file| file.starts_with(directory.join("clips").join(camera)));
    let wanted = of_camera.zip(there(directory, camera)).filter(|(_, number)| numbers.contains(number));
    wanted.map(|(file, _)| fs::metadata(file).unwrap().len()).sum()
}

/// Start of a file, from its name.
fn starts_at(file: &Path) -> WallTime {
    let name = file.file_stem().unwrap().to_str().unwrap();
    let time = name.split_once("Z-").unwrap().0;
    let (date, time) = time.split_once('T').unwrap();
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    WallTime::from_timestamp(text.parse().unwrap())
}

fn after(fragments: u32) -> WallTime {
    START.wall + FRAGMENT * fragments
}

fn new_hold(camera: &str, from: u32, to: u32) -> NewHold {
    NewHold {
        camera: camera.parse().unwrap(),
        from: after(from),
        to: after(to),
        alert: None,
        reason: "case 17".into(),
        who: "tester".into(),
    }
}

/// Settings with room for eight segments.
fn small(directory: &Path) -> Settings {
    Settings { clip_bytes_max: 8 * SEGMENT + 1000, ..settings(directory) }
}

#[test]
fn what_an_alert_pins_outlasts_what_nothing_pins() {
    let place = TempDir::new().unwrap();
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 0..30);
    let draft = opened("gate", FRAGMENT * 12);
    store.put_alert(draft.clone()).unwrap();
    // The clip: fragments 9 to 16, segments 5, 10 and 15.
    store.put_alert(closed(&draft, FRAGMENT * 14)).unwrap();
    append(&store, "gate", 30..200);
    let left = there(place.path(), "gate");
    assert_eq!(left[..3], [5, 10, 15]);
    assert!(left[3] >= 170 && left.len() <= 8, "{left:?}");
    let pinned = length(place.path(), "gate", &[5, 10, 15]);
    assert!(pinned > 15_000);
    wait_until("it is said", LONG, || store.vitals().pinned_bytes == pinned);
}

#[test]
fn a_camera_keeps_to_its_share() {
    let place = TempDir::new().unwrap();
    let share = 3 * SEGMENT + 1000;
    let mut settings = settings(place.path());
    settings.camera_bytes_max = BTreeMap::from([("gate".parse().unwrap(), share)]);
    let (store, _) = open(settings);
    for number in (0..100).step_by(5) {
        append(&store, "gate", number..number + 5);
        append(&store, "yard", number..number + 5);
        let (bytes, most) = (clip_bytes(place.path()), share + u64::from(number + 5) * (SEGMENT / 5));
        assert!(bytes <= most, "{bytes} bytes of {most}");
    }
    assert_eq!(there(place.path(), "gate"), [85, 90, 95]);
    assert_eq!(there(place.path(), "yard").len(), 20);
}

#[test]
fn old_footage_goes_and_a_clock_that_jumps_takes_nothing_with_it() {
    let place = TempDir::new().unwrap();
    let mut settings = settings(place.path());
    settings.clip_age_max = DAY;
    let (store, clock) = open(settings);
    append(&store, "gate", 0..50);
    let goes = |store: &Store, sweeps: u32, now: &dyn Fn(u32) -> Stamp| {
        for sweep in 0..sweeps {
            clock.set(now(sweep));
            // The sweep comes after the first, and its removals when nothing else is to be done.
            barrier(store);
            barrier(store);
        }
        store.vitals().removed_segments
    };
    let minute = Duration::from_secs(61);
    // An hour of running time passes; in its second half the wall clock is ten years ahead. The footage gets an hour older.
    let right = |sweep: u32| START + minute * sweep;
    assert_eq!(goes(&store, 30, &right), 0);
    assert_eq!(goes(&store, 30, &|sweep| Stamp { wall: START.wall + DAY * 3650, ..right(30 + sweep) }), 0);
    assert_eq!(goes(&store, 2, &|sweep| right(60 + sweep)), 0);
    // Without a clock nothing is old, independent of its time.
    assert_eq!(
        goes(&store, 3, &|sweep: u32| Stamp {
            clock: ClockState::Unsynced,
            ..START + DAY * 3 + minute * sweep
        }),
        0
    );
    goes(&store, 3, &|sweep| START + DAY * 4 + minute * sweep);
    // The last one is being written.
    wait_until("the old ones go", LONG, || there(place.path(), "gate") == [45]);
}

#[test]
fn old_alerts_go_once_they_are_delivered() {
    let place = TempDir::new().unwrap();
    let mut settings = settings(place.path());
    settings.alert_age_max = DAY;
    let (store, clock) = open(settings);
    let alerts = [0, 1, 2, 100].map(|hours: u32| store.put_alert(opened("gate", HOUR * hours)).unwrap());
    for alert in [&alerts[0], &alerts[2], &alerts[3]] {
        store.delivered(alert.seq);
    }
    wait_until("they are delivered", LONG, || store.outbox_depth().unwrap().0 == 1);
    for sweep in 0..3 {
        // Two days, and one more each time, pass on both clocks.
        clock.set(START + DAY * (2 + sweep));
        barrier(&store);
        barrier(&store);
    }
    let left = |store: &Store| -> BTreeSet<_> {
        store.clips(&ClipFilter::default()).unwrap().into_iter().map(|entry| entry.alert).collect()
    };
    wait_until("two are gone", LONG, || !left(&store).contains(&alerts[2].id));
    let left = left(&store);
    assert!(!left.contains(&alerts[0].id), "delivered and old");
    assert!(left.contains(&alerts[1].id), "not delivered");
    assert!(left.contains(&alerts[3].id), "not old");
    assert!(store.outbox(0, 1).unwrap()[0].id == alerts[1].id);
}

const CHILD: &str = "WARDWATCH_TEST_HOLD_CHILD";

/// Not a test of its own: another process that holds fragments 5 to 20 of the gate.
#[test]
#[ignore = "run by a_hold_of_another_process_is_respected_at_once"]
fn child_that_holds() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let hold = holds::hold(Path::new(&directory), new_hold("gate", 5, 20)).unwrap();
    assert_eq!(hold.paths.len(), 3);
}

#[test]
fn a_hold_of_another_process_is_respected_at_once() {
    let place = TempDir::new().unwrap();
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 0..30);
    wait_until("all is indexed", LONG, || store.segments(&ClipFilter::default()).unwrap().len() == 6);
    let held = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "retention::child_that_holds", "--ignored"])
        .env(CHILD, place.path())
        .output()
        .unwrap();
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    append(&store, "gate", 30..300);
    let left = there(place.path(), "gate");
    assert_eq!(left[..3], [5, 10, 15]);
    assert!(left[3] >= 270, "{left:?}");
    assert_eq!(store.vitals().held_bytes, length(place.path(), "gate", &[5, 10, 15]));
    assert_eq!((store.vitals().full_of_evidence, store.vitals().lost_fragments), (None, 0));

    let hold = &holds::list(place.path()).unwrap().holds[0];
    holds::release(place.path(), &hold.id, "tester", "over").unwrap();
    append(&store, "gate", 300..400);
    assert!(there(place.path(), "gate")[0] >= 355);
}

#[test]
fn a_store_full_of_evidence_says_so_and_goes_on_when_it_is_released() {
    let place = TempDir::new().unwrap();
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 0..40);
    let hold = holds::hold(place.path(), new_hold("gate", 0, 1000)).unwrap();
    for number in 40..60 {
        append(&store, "gate", number..number + 1);
        append(&store, "yard", number..number + 1);
        assert!(clip_bytes(place.path()) <= 10 * SEGMENT + 1000);
    }
    let vitals = store.vitals();
    let said = vitals.full_of_evidence.unwrap();
    assert!(said.contains("clip_bytes_max") && said.contains("clips release"), "{said}");
    assert!(vitals.held_bytes >= 7 * SEGMENT, "{}", vitals.held_bytes);
    assert!(vitals.lost_fragments >= 10, "{}", vitals.lost_fragments);
    assert_eq!(vitals.clips_unwritable, None);
    assert_eq!(there(place.path(), "gate")[..8], [0, 5, 10, 15, 20, 25, 30, 35]);
    assert_eq!(store.put_alert(opened("gate", LONG)).unwrap().seq, 2, "alerts go on");

    holds::release(place.path(), &hold.id, "tester", "over").unwrap();
    append(&store, "yard", 60..100);
    let vitals = store.vitals();
    assert_eq!((vitals.full_of_evidence, vitals.held_bytes), (None, 0));
    assert_eq!(there(place.path(), "yard").last(), Some(&95));
    assert!(clip_bytes(place.path()) <= 8 * SEGMENT + 1000);
}

#[test]
fn a_hold_survives_a_lost_index() {
    let place = TempDir::new().unwrap();
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 0..30);
    holds::hold(place.path(), new_hold("gate", 105, 115)).unwrap();
    store.close();
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(place.path().join(format!("index.sqlite{end}")));
    }
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 100..300);
    let left = there(place.path(), "gate");
    assert_eq!(left[..2], [105, 110]);
    assert!(left[2] >= 260, "{left:?}");
}

#[test]
fn a_damaged_hold_keeps_everything_of_its_camera_and_is_told_of() {
    let place = TempDir::new().unwrap();
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 0..10);
    append(&store, "yard", 0..10);
    let hold = holds::hold(place.path(), new_hold("gate", 0, 1)).unwrap();
    let path = place.path().join(format!("holds/{}.json", hold.id));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"to\"", "\"tO\"")).unwrap();
    append(&store, "yard", 10..100);
    assert_eq!(there(place.path(), "gate"), [0, 5]);
    let said = store.vitals().holds_unreadable.unwrap();
    assert!(said.contains(&hold.id), "{said}");

    let before = store.vitals().removed_segments;
    fs::write(&path, "{").unwrap();
    append(&store, "yard", 100..110);
    assert_eq!(store.vitals().removed_segments, before, "everything is held");
    fs::remove_file(&path).unwrap();
    // Beyond half of an equal part a camera gives its own footage.
    append(&store, "gate", 10..160);
    let left = there(place.path(), "gate");
    assert!(!left.is_empty() && !left.contains(&0), "{left:?}");
    assert_eq!(store.vitals().holds_unreadable, None);
}

#[test]
fn a_file_that_cannot_be_removed_does_not_stop_the_others() {
    let place = TempDir::new().unwrap();
    let (store, _) = open(small(place.path()));
    append(&store, "gate", 0..20);
    let first = clip_files(place.path()).remove(0);
    fs::remove_file(&first).unwrap();
    fs::create_dir(&first).unwrap();
    append(&store, "gate", 20..200);
    assert!(there(place.path(), "gate").iter().all(|number| *number >= 160));
    let said = store.vitals().clips_unwritable;
    assert!(store.vitals().lost_fragments == 0 && said.is_none_or(|said| said.contains("delete")));
}

#[test]
fn footage_goes_where_somebody_else_fills_the_disk() {
    const MIB: u64 = 1 << 20;
    let Some(disk) = SmallDisk::mount(64 * MIB) else { return };
    let mut settings = settings(disk.0.path());
    (settings.clip_bytes_max, settings.free_bytes_min) = (1000 * MIB, 16 * MIB);
    let (store, _) = open(settings);
    let free = || {
        let disk = rustix::fs::statvfs(disk.0.path()).unwrap();
        disk.f_bavail * disk.f_frsize
    };
    for number in 0..200 {
        push(&store, fragment("gate", number, 300_000));
    }
    written(&store);
    wait_until("there is headroom", LONG, || {
        push(&store, fragment("gate", 200, 1000));
        free() >= 15 * MIB
    });
    assert!(there(disk.0.path(), "gate").len() > 10);
    let full = vec![1; usize::try_from(free() - 2 * MIB).unwrap()];
    fs::write(disk.0.path().join("ballast"), full).unwrap();
    let mut number = 201;
    wait_until("footage makes room", LONG, || {
        push(&store, fragment("gate", number, 1000));
        number += 1;
        free() >= 15 * MIB
    });

    let mut more = fs::OpenOptions::new().append(true).open(disk.0.path().join("ballast")).unwrap();
    wait_until("nothing is left to remove", LONG, || {
        if free() > 3 * MIB {
            more.write_all(&vec![1; MIB as usize]).unwrap();
        }
        push(&store, fragment("gate", number, 1000));
        number += 1;
        store.vitals().clips_unwritable.is_some_and(|said| said.contains("free_bytes_min"))
    });
    assert!(store.put_alert(opened("gate", LONG)).is_ok());
    drop(more);
    fs::remove_file(disk.0.path().join("ballast")).unwrap();
    wait_until("it goes on", LONG, || {
        push(&store, fragment("gate", number, 1000));
        number += 1;
        store.vitals().clips_unwritable.is_none()
    });
}

/// Eight cameras for a day: their footage, its pins, and the files that went.
struct FullDay {
    place: TempDir,
    store: Store,
    clock: ToldClock,
    /// Camera, start and end of each pin.
    pins: Vec<(String, WallTime, WallTime)>,
    open: Vec<(u32, AlertDraft)>,
    /// Files at the last check that are complete, and true for those that were pinned.
    seen: BTreeMap<PathBuf, bool>,
    pinned_gone: usize,
    unpinned_gone: usize,
    most: u64,
}

impl FullDay {
    const CAMERAS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    const STEP: Duration = Duration::from_secs(20);
    const STEPS: u32 = 24 * 180;
    const SEGMENT: Duration = Duration::from_secs(300);
    /// 15 fragments of at most 1400 bytes and an init section.
    const SEGMENT_BYTES_MAX: u64 = 15 * 1400 + 15;
    const LIMIT: u64 = 8 * 20 * 15_000;

    fn record(&mut self, step: u32) {
        let now = START + Self::STEP * step;
        self.clock.set(now);
        for (number, camera) in (0u32..).zip(Self::CAMERAS) {
            let bytes = 600 + (step * 7919 + number * 104_729) % 800;
            let made = fragment(camera, step, bytes as usize);
            let pts = Pts((Self::STEP * step).as_nanos() as u64);
            push(&self.store, Fragment { starts_at: now, duration: Self::STEP, pts, ..made });
            // For two hours and a half something happens all the time.
            let storm = (16 * 180..18 * 180 + 90).contains(&step) && step.is_multiple_of(3);
            if storm || (step * 31 + number * 17).is_multiple_of(373) {
                let draft = opened(camera, Self::STEP * step);
                self.store.put_alert(draft.clone()).unwrap();
                self.open.push((step + 3, draft));
            }
        }
        for (_, draft) in self.open.extract_if(.., |(at, _)| *at <= step) {
            let closed = closed(&draft, Self::STEP * step);
            let span = (closed.clip.starts_at, closed.clip.ends_at.unwrap());
            self.store.put_alert(closed).unwrap();
            self.pins.push((draft.event.camera.to_string(), span.0, span.1));
        }
        self.most = self.most.max(self.store.vitals().clip_bytes);
    }

    /// Compares the files with those of the last check.
    fn look(&mut self) {
        self.most = self.most.max(clip_bytes(self.place.path()));
        let files = clip_files(self.place.path());
        let mut ended = BTreeMap::new();
        for camera in Self::CAMERAS {
            let folder = self.place.path().join("clips").join(camera);
            let of_camera: Vec<&PathBuf> = files.iter().filter(|file| file.starts_with(&folder)).collect();
            let [all @ .., _writing] = &of_camera[..] else { continue };
            ended.extend(all.iter().map(|file| ((*file).clone(), self.is_pinned(camera, file))));
        }
        let gone = |pinned: bool| {
            let of = self.seen.iter().filter(move |(_, was)| **was == pinned);
            of.filter(|(file, _)| !ended.contains_key(*file)).count()
        };
        let (pinned_gone, unpinned_gone) = (gone(true), gone(false));
        let unpinned = self.seen.values().filter(|pinned| !**pinned).count();
        assert!(
            pinned_gone == 0 || unpinned_gone == unpinned,
            "{pinned_gone} pinned, {unpinned_gone} of {unpinned}"
        );
        self.pinned_gone += pinned_gone;
        self.unpinned_gone += unpinned_gone;
        self.seen = ended;
    }

    fn is_pinned(&self, camera: &str, file: &Path) -> bool {
        let (from, to) = (starts_at(file), starts_at(file) + Self::SEGMENT);
        self.pins.iter().any(|pin| pin.0 == camera && from < pin.2 && to > pin.1)
            || self.open.iter().any(|(_, d)| d.event.camera.as_str() == camera && to > d.clip.starts_at)
    }
}

/// 24 hours at the limit: the limit is kept, and no pinned segment is deleted before an unpinned one.
#[test]
fn a_full_disk_for_a_day_of_eight_cameras() {
    let place = TempDir::new().unwrap();
    let mut settings = settings(place.path());
    settings.clip_bytes_max = FullDay::LIMIT;
    settings.segment = FullDay::SEGMENT;
    let (store, clock) = open(settings);
    let (pins, open, seen) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut day =
        FullDay { place, store, clock, pins, open, seen, pinned_gone: 0, unpinned_gone: 0, most: 0 };
    for step in 0..FullDay::STEPS {
        day.record(step);
        if step % 30 == 29 {
            written(&day.store);
            day.look();
        }
    }
    let vitals = day.store.vitals();
    println!(
        "figure: 24 h of 8 cameras at a limit of {} bytes: at most {} bytes ({} over; a segment per camera is {}), \
         {} segments removed, of them {} pinned, {} alerts",
        FullDay::LIMIT,
        day.most,
        day.most.saturating_sub(FullDay::LIMIT),
        8 * FullDay::SEGMENT_BYTES_MAX,
        vitals.removed_segments,
        day.pinned_gone,
        day.pins.len(),
    );
    assert!(day.most <= FullDay::LIMIT + 8 * FullDay::SEGMENT_BYTES_MAX, "{} bytes", day.most);
    assert!(day.most > FullDay::LIMIT * 9 / 10, "it was full");
    assert_eq!((vitals.lost_fragments, vitals.clips_unwritable, vitals.index_unwritable), (0, None, None));
    assert!(day.unpinned_gone > 1000 && day.pinned_gone > 50, "{} {}", day.unpinned_gone, day.pinned_gone);
}
