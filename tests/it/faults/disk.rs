//! Disks that are full, slow, or fail while the store records: the process lives, losses are counted, and once the
//! fault is over everything goes on without help.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::clock::Clock;
use base::ids::AlertId;
use base::time::{Stamp, WallTime};
use clipstore::{ClipFilter, Settings, Store};
use tempfile::TempDir;

use super::load::{self, CAMERAS, GOP, Number, Opened, Orders, Told, TrustedClock, camera, digest, fragment};
use super::mounts::{Beside, Mount, ext4, ready, run, workplace};
use super::promise::{Ledger, check, mend};
use super::{figure, rounds};
use crate::support::wait_until;

const PATIENCE: Duration = Duration::from_secs(200);
const DISK_BYTES: u64 = 24 << 20;
/// Limit for the bytes of waiting fragments.
const QUEUE_BYTES_MAX: u64 = 32 << 20;
const NO_LIMIT: u64 = 1 << 40;

/// A store in this process, on a disk that is to fail: the process must live.
struct Patient {
    scenario: String,
    store: Store,
    directory: PathBuf,
    ledger: Ledger,
    started: Stamp,
    /// Number of the next fragment of each camera.
    next: u32,
    /// Alerts that were refused, to be tried again.
    refused_alerts: Vec<(Opened, bool)>,
    alert_errors: u32,
    put_longest: Duration,
    append_longest: Duration,
    queue_bytes_most: u64,
}

impl Patient {
    fn admit(scenario: &str, disk: &Path, clip_bytes_max: u64) -> Self {
        let directory = disk.join("store");
        let settings =
            Settings { clip_bytes_max, alert_age_max: Duration::MAX, ..load::settings(&directory) };
        Self {
            scenario: scenario.to_owned(),
            store: Store::open(settings, Arc::new(TrustedClock)).unwrap(),
            directory,
            ledger: Ledger::default(),
            started: TrustedClock.now(),
            next: 0,
            refused_alerts: Vec::new(),
            alert_errors: 0,
            put_longest: Duration::ZERO,
            append_longest: Duration::ZERO,
            queue_bytes_most: 0,
        }
    }

    /// Appends `ticks` fragments of each camera, ten times as fast as they play, and an alert now and then.
    fn record(&mut self, ticks: u32) {
        for _ in 0..ticks {
            let since = GOP * self.next;
            for camera in 0..CAMERAS.len() {
                let number = Number { camera, number: self.next };
                let starts_at = self.started + since;
                let asked = Instant::now();
                let taken = self.store.append(fragment(number, starts_at, since)).is_ok();
                self.append_longest = self.append_longest.max(asked.elapsed());
                if taken {
                    self.ledger.hear(&Told::Appended(number, starts_at.wall));
                }
            }
            self.queue_bytes_most = self.queue_bytes_most.max(self.store.vitals().queue_bytes);
            if self.next % 40 == 5 {
                let at = (self.started + since).wall;
                let camera = (self.next / 40) as usize % CAMERAS.len();
                let opened = Opened { id: AlertId::new(at.as_unix_millis()), camera, at };
                self.put(opened, false);
                self.put(opened, true);
            }
            self.next += 1;
            std::thread::sleep(GOP / 10);
        }
    }

    fn put(&mut self, opened: Opened, closed: bool) {
        let closed_at = closed.then(|| opened.at + GOP * 3);
        self.ledger.hear(&Told::Putting(opened, closed_at));
        let asked = Instant::now();
        let stored = self.store.put_alert(opened.draft(closed_at));
        self.put_longest = self.put_longest.max(asked.elapsed());
        match stored {
            Ok(alert) => {
                let digest = digest(&alert);
                self.ledger.hear(&Told::Put { id: opened.id, closed, seq: alert.seq, digest });
            }
            Err(_) => {
                self.alert_errors += 1;
                self.refused_alerts.push((opened, closed));
            }
        }
    }

    /// Waits until the newest fragments are in the index. All that this run appended are there, unless some were lost.
    fn settle(&mut self) {
        let newest = self.next - 1;
        let ends_at = (self.started + GOP * self.next).wall;
        wait_until("the newest footage is indexed", PATIENCE, || {
            (0..CAMERAS.len()).all(|place: usize| {
                let filter =
                    ClipFilter { camera: Some(camera(place)), limit: Some(1), ..ClipFilter::default() };
                self.store
                    .segments(&filter)
                    .is_ok_and(|found| found.iter().any(|segment| segment.ends_at == ends_at))
            })
        });
        for camera in 0..CAMERAS.len() {
            self.ledger.hear(&Told::Indexed(Number { camera, number: newest }));
        }
    }

    /// Goes on after the fault: new footage has to be kept again, and the refused alerts are accepted.
    fn recover(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Some((opened, closed)) = self.refused_alerts.pop() {
            assert!(Instant::now() < deadline, "alerts are still refused: {:?}", self.store.vitals());
            let errors = self.alert_errors;
            self.put(opened, closed);
            if self.alert_errors > errors {
                self.alert_errors = errors;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        wait_until("fragments are taken again", PATIENCE, || {
            self.record(1);
            let vitals = self.store.vitals();
            vitals.clips_unwritable.is_none()
                && vitals.index_unwritable.is_none()
                && vitals.queue_fragments < 8
        });
        self.next = self.ledger.begin();
        self.record(30);
        self.settle();
    }

    /// Prints the cost of the fault, closes the store, and checks the promise. Returns the number of appended fragments
    /// that are not there.
    fn discharge(self) -> usize {
        let vitals = self.store.vitals();
        let say = |what: &str, value: String| figure(&self.scenario, what, value);
        say(
            "fragments",
            format!(
                "{} lost, {} refused, {} segments removed",
                vitals.lost_fragments, vitals.refused_fragments, vitals.removed_segments
            ),
        );
        let ms = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1e3);
        say("alerts refused at first", self.alert_errors.to_string());
        say("put_alert at most", ms(self.put_longest));
        say("append at most", ms(self.append_longest));
        say("waiting at most", format!("{:.1} MiB", self.queue_bytes_most as f64 / f64::from(1 << 20)));
        assert!(self.queue_bytes_most <= QUEUE_BYTES_MAX);
        self.store.close();
        let (found, broken) = check(&self.directory, &self.ledger, NO_LIMIT);
        assert!(broken.is_empty(), "{}: {:#?}", self.scenario, broken.said);
        self.ledger.missing(&found)
    }
}

/// Takes all room that is left, with one file.
fn ballast(disk: &Path) -> PathBuf {
    let path = disk.join("ballast");
    let mut file = File::create(&path).unwrap();
    for piece in [64 * 1024, 512] {
        while file.write_all(&vec![7; piece]).is_ok() {}
    }
    let _ = file.sync_all();
    path
}

/// Fills the disk by recording, then with bytes that are not the store's, then gives those back.
fn fill(scenario: &str, disk: &Path) {
    let mut patient = Patient::admit(scenario, disk, NO_LIMIT);
    patient.record(rounds(900, 4000));
    let by_itself = patient.store.vitals();
    assert!(by_itself.removed_segments > 0, "the disk was never full: {by_itself:?}");
    figure(scenario, "lost while it fills the disk by itself", by_itself.lost_fragments);
    let ballast = ballast(disk);
    patient.record(200);
    fs::remove_file(ballast).unwrap();
    patient.recover();
    patient.discharge();
}

#[test]
fn a_full_tmpfs_costs_the_oldest_footage() {
    if ready(&[]) {
        let disk = Mount::tmpfs(&format!("size={DISK_BYTES}")).unwrap();
        fill("full tmpfs", disk.path());
    }
}

#[test]
fn a_full_ext4_costs_the_oldest_footage() {
    if ready(&["mkfs.ext4"]) {
        let place = workplace();
        let image = place.path().join("image");
        ext4(&image, DISK_BYTES, &["-m", "0"]);
        let disk = Mount::image(&image).unwrap();
        fill("full ext4", disk.path());
    }
}

#[test]
fn a_disk_without_inodes_costs_the_oldest_footage() {
    if ready(&["mkfs.ext4"]) {
        let place = workplace();
        let image = place.path().join("image");
        ext4(&image, 4 * DISK_BYTES, &["-N", "96"]);
        let disk = Mount::image(&image).unwrap();
        let mut patient = Patient::admit("no inodes left", disk.path(), NO_LIMIT);
        patient.record(rounds(400, 1500));
        assert!(patient.store.vitals().removed_segments > 0, "inodes were left");
        patient.recover();
        patient.discharge();
    }
}

/// An ext4 on a device that a program serves: slow, or failing while the file FAULT is there.
struct ServedDisk {
    mount: Option<Mount>,
    server: Option<Beside>,
    image: PathBuf,
    fault: PathBuf,
    place: TempDir,
}

impl ServedDisk {
    const TOOLS: &[&str] = &["nbdkit", "nbdfuse", "mkfs.ext4", "e2fsck"];

    fn start(filter: &[&str]) -> Self {
        let place = workplace();
        let path = |name: &str| place.path().join(name);
        let (image, export, fault) = (path("image"), path("export"), path("fault"));
        ext4(&image, 4 * DISK_BYTES, &[]);
        File::create(&export).unwrap();
        let error_file = format!("error-file={}", fault.display());
        let file = format!("file={}", image.display());
        let mut arguments = vec![export.to_str().unwrap(), "--command", "nbdkit", "-s", "--exit-with-parent"];
        arguments.extend([filter[0], "file", &file]);
        arguments.extend(&filter[1..]);
        if filter[0].contains("error") {
            arguments.push(&error_file);
        }
        let server = Beside::start("nbdfuse", &arguments);
        wait_until("the disk is served", PATIENCE, || {
            fs::metadata(&export).is_ok_and(|export| export.len() > 0)
        });
        let mount = Mount::slowly(&export, "rw").unwrap();
        Self { mount: Some(mount), server: Some(server), image, fault, place }
    }

    fn path(&self) -> &Path {
        self.mount.as_ref().unwrap().path()
    }
}

#[test]
fn a_slow_disk_blocks_nobody_but_those_who_wait_for_it() {
    if !ready(ServedDisk::TOOLS) {
        return;
    }
    let delay = rounds(30, 1000);
    let disk = ServedDisk::start(&["--filter=delay", &format!("wdelay={delay}ms")]);
    let mut patient = Patient::admit(&format!("{delay} ms a write"), disk.path(), NO_LIMIT);
    patient.record(15);
    let appended = patient.append_longest;
    patient.settle();
    assert_eq!(patient.discharge(), 0, "fragments are missing");
    assert!(appended < Duration::from_millis(500), "append waited {appended:?} for the disk");
}

#[test]
fn a_device_that_fails_is_outlived() {
    if !ready(ServedDisk::TOOLS) {
        return;
    }
    let filter = ["--filter=error", "error=EIO", "error-pwrite-rate=100%"];
    let mut disk = ServedDisk::start(&filter);
    let mut patient = Patient::admit("EIO from the device", disk.path(), NO_LIMIT);
    patient.record(100);
    patient.settle();
    File::create(&disk.fault).unwrap();
    patient.record(200);
    let vitals = patient.store.vitals();
    assert!(vitals.clips_unwritable.is_some() && vitals.lost_fragments > 0, "{vitals:?}");
    fs::remove_file(&disk.fault).unwrap();
    // Its file system stays read-only until the next mount: the next boot.
    let Patient { store, ledger, directory, scenario, alert_errors, .. } = patient;
    store.close();
    let lost = store.vitals().lost_fragments;
    figure(&scenario, "fragments", format!("{lost} lost, {} refused", vitals.refused_fragments));
    figure(&scenario, "alerts refused", alert_errors);
    drop(store);
    let mounted_at = disk.path().to_owned();
    disk.mount.take();
    disk.server.take();
    let checked = run("e2fsck", &["-fp", disk.image.to_str().unwrap()]);
    figure(&scenario, "e2fsck", if checked.is_ok() { "clean" } else { "mended" });
    let again = Mount::image(&disk.image).unwrap();
    let directory = again.path().join(directory.strip_prefix(mounted_at).unwrap());
    mend(&directory).unwrap();
    let (found, broken) = check(&directory, &ledger, NO_LIMIT);
    assert!(broken.is_empty(), "{:#?}", broken.said);
    assert!(ledger.missing(&found) as u64 <= lost, "{} are missing, {lost} counted", ledger.missing(&found));
    drop(again);
    drop(disk.place);
}

/// Error that system calls of a child process return for a while.
struct Answers<'a> {
    scenario: &'a str,
    /// libfiu's names of the calls that fail.
    points: &'a [&'a str],
    errno: i32,
}

/// Records, lets the calls fail for a while, records on, and checks. Nothing that failed may be in the index.
fn answer(answers: &Answers) {
    if !ready(&["fiu-run", "fiu-ctrl"]) {
        return;
    }
    let place = TempDir::new().unwrap();
    let control = place.path().join("control");
    let mut ledger = Ledger::default();
    let directory = place.path().join("store");
    let orders = Orders { directory: directory.clone(), first: ledger.begin(), seed: 1, open: Vec::new() };
    let mut running = load::start(&orders, &["fiu-run", "-x", "-f", control.to_str().unwrap()], || ());
    let hear = |ledger: &mut Ledger, span: Duration, until: &dyn Fn(&Told) -> bool, counts: bool| {
        let end = Instant::now() + span;
        let mut heard = Vec::new();
        while let Ok((told, ())) = running.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if counts || !matches!(told, Told::Indexed(_)) {
                ledger.hear(&told);
            }
            let stop = until(&told);
            heard.push(told);
            if stop {
                return heard;
            }
        }
        heard
    };
    let never = |_: &Told| false;
    hear(&mut ledger, PATIENCE, &|told| matches!(told, Told::Indexed(_)), true);
    hear(&mut ledger, Duration::from_millis(1500), &never, true);

    let program = load::innermost(running.process.id()).to_string();
    let tell = |command: &str, point: &str| {
        let command = format!(
            "{command} name={point}{}",
            if command == "enable" { format!(",failinfo={}", answers.errno) } else { String::new() }
        );
        run("fiu-ctrl", &["-f", control.to_str().unwrap(), "-c", &command, &program]).unwrap();
    };
    answers.points.iter().for_each(|point| tell("enable", point));
    let fault_from = TrustedClock.now().wall;
    let mut during = hear(&mut ledger, Duration::from_millis(rounds(1500, 8000).into()), &never, false);
    let fault_to = TrustedClock.now().wall;
    answers.points.iter().for_each(|point| tell("disable", point));
    // Now the reports come that the child could not send meanwhile.
    let over = TrustedClock.now().wall;
    during.extend(hear(
        &mut ledger,
        PATIENCE,
        &|told: &Told| matches!(told, Told::Appended(_, wall) if *wall > over + GOP * 4),
        false,
    ));
    ledger.begin();
    let stored = |told: &Told| matches!(told, Told::Put { .. });
    let alerts_go_on = hear(&mut ledger, PATIENCE, &stored, true);
    assert!(alerts_go_on.iter().any(stored), "{}: no alert is taken after the fault", answers.scenario);
    let indexed = |told: &Told| matches!(told, Told::Indexed(_));
    let recovered = hear(&mut ledger, PATIENCE, &indexed, true);
    assert!(recovered.iter().any(indexed), "{}: no footage after the fault", answers.scenario);
    hear(&mut ledger, Duration::from_millis(1000), &never, true);
    assert!(running.process.try_wait().unwrap().is_none(), "{}: the process died", answers.scenario);
    running.end();
    for (told, ()) in &running.lines {
        ledger.hear(&told);
    }

    mend(&directory).unwrap();
    let (found, broken) = check(&directory, &ledger, load::CLIP_BYTES_MAX);
    let appended = during.iter().filter(|told| matches!(told, Told::Appended(..))).count();
    let kept: Vec<WallTime> = during
        .iter()
        .filter_map(|told| match told {
            Told::Appended(number, wall) if found.fragments.contains_key(number) => Some(*wall),
            _ => None,
        })
        .collect();
    figure(
        answers.scenario,
        "fragments during the fault",
        format!("{appended} appended, {} kept", kept.len()),
    );
    // At the edges, a sync before or after the fault stores the fragments.
    let amid = fault_from + load::SYNC_INTERVAL * 4..fault_to - load::SYNC_INTERVAL * 4;
    assert!(
        !kept.iter().any(|wall| amid.contains(wall)),
        "{}: what failed is in the index",
        answers.scenario
    );
    broken.print(answers.scenario);
    assert!(broken.is_empty(), "{}: {:#?}", answers.scenario, broken.said);
    assert!(appended > 20, "{}: nothing was recorded during the fault", answers.scenario);
}

#[test]
fn a_file_system_that_turns_read_only_and_back_is_outlived() {
    let points = ["posix/io/rw/*", "posix/io/oc/open", "posix/io/oc/creat", "posix/io/sync/*"];
    let points = [&points[..], &["posix/io/dir/unlink", "posix/io/rw/ftruncate"]].concat();
    answer(&Answers { scenario: "read-only for a while", points: &points, errno: 30 });
}

#[test]
fn writes_that_fail_are_outlived() {
    let points = ["posix/io/rw/write", "posix/io/rw/pwrite", "posix/io/rw/writev", "posix/io/rw/pwritev"];
    answer(&Answers { scenario: "EIO for writes", points: &points, errno: 5 });
}

#[test]
fn syncs_that_fail_are_outlived() {
    answer(&Answers { scenario: "EIO for fdatasync", points: &["posix/io/sync/fdatasync"], errno: 5 });
}
