//! Scenarios of `store`: real files, a real index, processes that are killed, disks that are full.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::clock::SystemClock;
use base::fault::ErrorKind;
use base::fragment::Fragment;
use base::ids::{AlertId, Epoch};
use clipstore::{Catalogue, ClipFilter, Settings, Store, StoreError};
use proptest::prelude::*;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::sample::{FRAGMENT, START, closed, fragment, opened};
use crate::support::wait_until;

const LONG: Duration = Duration::from_secs(20);
const MIB: u64 = 1024 * 1024;

/// Settings of a small store, in which nothing is deleted for its age: the samples' times stand still.
pub fn settings(directory: &Path) -> Settings {
    Settings {
        clip_bytes_max: 100 * MIB,
        clip_age_max: Duration::MAX,
        alert_age_max: Duration::MAX,
        free_bytes_min: 0,
        free_inodes_min: 0,
        segment: Duration::from_secs(10),
        sync_interval: Duration::from_millis(20),
        ..Settings::new(directory.to_owned())
    }
}

pub fn open(settings: Settings) -> Store {
    Store::open(settings, Arc::new(SystemClock)).unwrap()
}

/// Every clip file, sorted.
pub fn clip_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![directory.join("clips")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    files
}

/// Bytes of all clip files; those that retention removes meanwhile count nothing.
pub fn clip_bytes(directory: &Path) -> u64 {
    fn below(folder: &Path) -> u64 {
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        let bytes = |path: PathBuf| match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => below(&path),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
        entries.map(|entry| bytes(entry.unwrap().path())).sum()
    }
    below(&directory.join("clips"))
}

/// Asserts that index and files agree: every file has its row, every row its file, and length and sha256 are equal.
pub fn assert_agrees(directory: &Path) {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    let mut statement = index
        .prepare(
            "SELECT path, segment.bytes, max(offset_bytes) + fragment.bytes, sha256
             FROM segment JOIN fragment ON segment.id = fragment.segment GROUP BY segment.id",
        )
        .unwrap();
    let mut rows: Vec<(PathBuf, u64, usize, Vec<u8>)> = statement
        .query_map([], |row| {
            let path: String = row.get(0)?;
            let end = row.get::<_, i64>(2)? as usize;
            Ok((directory.join("clips").join(path), row.get::<_, i64>(1)? as u64, end, row.get(3)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    rows.sort();
    let paths: Vec<PathBuf> = rows.iter().map(|row| row.0.clone()).collect();
    assert_eq!(paths, clip_files(directory));
    for (path, bytes, end, sha256) in rows {
        let content = fs::read(&path).unwrap();
        assert_eq!(content.len() as u64, bytes, "{}", path.display());
        assert_eq!(Sha256::digest(&content[..end])[..], sha256[..], "{}", path.display());
    }
}

/// Fragments of a file, from their places in the index, behind its init section.
fn footage_of(directory: &Path, path: &Path) -> Vec<u8> {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    let mut statement = index
        .prepare(
            "SELECT 0, init_bytes, path FROM segment UNION ALL
             SELECT offset_bytes, fragment.bytes, path FROM segment JOIN fragment ON segment.id = fragment.segment
             ORDER BY 3, 1",
        )
        .unwrap();
    let content = fs::read(path).unwrap();
    statement
        .query_map([], |row: &rusqlite::Row| {
            let (offset, bytes, of): (usize, usize, String) =
                (row.get::<_, i64>(0)? as usize, row.get::<_, i64>(1)? as usize, row.get(2)?);
            Ok(if path.ends_with(of) { content[offset..offset + bytes].to_vec() } else { Vec::new() })
        })
        .unwrap()
        .flat_map(Result::unwrap)
        .collect()
}

/// Marks all segments as not ended, as if the power had gone before.
pub fn unend(directory: &Path) {
    let index = Connection::open(directory.join("index.sqlite")).unwrap();
    index.execute("UPDATE segment SET ended = 0", []).unwrap();
}

#[test]
fn footage_is_found_and_is_what_came_in() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let fragments: Vec<Fragment> = (0..12).map(|number| fragment("gate", number, 1000)).collect();
    for fragment in &fragments {
        store.append(fragment.clone()).unwrap();
        store.append(Fragment { camera: "yard".parse().unwrap(), ..fragment.clone() }).unwrap();
    }
    let gate = "gate".parse().unwrap();
    let all = || store.footage(&gate, START.wall, START.wall + FRAGMENT * 12).unwrap();
    wait_until("all is indexed", LONG, || {
        all().segments.last().is_some_and(|last| last.ends_at == START.wall + FRAGMENT * 12)
    });

    // 10 s are five fragments.
    let starts: Vec<_> = all().segments.iter().map(|segment| segment.starts_at).collect();
    assert_eq!(starts, [0, 5, 10].map(|number| START.wall + FRAGMENT * number));
    let expected: Vec<u8> = fragments
        .chunks(5)
        .flat_map(|run| run[0].init.iter().chain(run.iter().flat_map(|one| &one.bytes[..])).copied())
        .collect();
    let found: Vec<u8> =
        all().segments.iter().flat_map(|segment| footage_of(place.path(), &segment.path)).collect();
    assert!(found == expected, "the files are not the fragments");

    // A span within the second segment finds that one alone, and touching is not overlapping.
    let span = |from: u32, to: u32| {
        store.footage(&gate, START.wall + FRAGMENT * from, START.wall + FRAGMENT * to).unwrap().segments.len()
    };
    assert_eq!((span(6, 7), span(5, 10), span(4, 6), span(12, 20)), (1, 1, 2, 0));

    store.close();
    assert!(matches!(store.append(fragments[0].clone()), Err(StoreError::Closed)));
    assert!(store.segments(&ClipFilter::default()).unwrap().iter().all(|segment| segment.ended));
    assert_agrees(place.path());
}

#[test]
fn a_new_session_is_a_new_file_and_nothing_is_overwritten() {
    let place = TempDir::new().unwrap();
    for run in 0..2 {
        let store = open(settings(place.path()));
        store.append(fragment("gate", 0, 100)).unwrap();
        store.append(Fragment { epoch: Epoch(1), ..fragment("gate", 1, 100) }).unwrap();
        drop(store);
        assert_eq!(clip_files(place.path()).len(), 2 * (run + 1));
    }
    assert_agrees(place.path());
}

#[test]
fn alerts_are_numbered_without_holes_and_leave_the_outbox_when_delivered() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                (0..5)
                    .map(|n| store.put_alert(opened("gate", Duration::from_secs(thread * 100 + n))).unwrap())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let mut stored: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    stored.sort_by_key(|alert| alert.seq);

    assert!(stored.iter().map(|alert| alert.seq).eq(1..=20));
    assert_eq!(store.outbox(0, 100).unwrap(), stored);
    assert_eq!(store.outbox(17, 2).unwrap(), stored[17..19]);
    assert_eq!(store.outbox_depth().unwrap(), (20, Some(stored[0].opened_at)));

    for seq in 1..=18 {
        store.delivered(seq);
    }
    drop(store);
    let store = open(settings(place.path()));
    assert_eq!(store.outbox(0, 100).unwrap(), stored[18..]);
    assert_eq!(store.put_alert(opened("gate", LONG)).unwrap().seq, 21);
}

#[test]
fn the_same_message_is_stored_once() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let draft = opened("gate", LONG);
    let first = store.put_alert(draft.clone()).unwrap();
    assert_eq!(store.put_alert(draft.clone()).unwrap(), first);
    assert_eq!(store.put_alert(closed(&draft, LONG * 2)).unwrap().seq, 2);
    assert_eq!(store.outbox_depth().unwrap().0, 2);
}

#[test]
fn the_clip_of_an_alert_is_its_span_with_the_rolls() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    for number in 0..30 {
        store.append(fragment("gate", number, 100)).unwrap();
    }
    // Segments are 10 s long and start at 0, 10, ..., 50. The clip: 16 - 5 to 24 + 5 seconds.
    let draft = opened("gate", Duration::from_secs(16));
    let alert = store.put_alert(draft.clone()).unwrap();
    store.close();
    let catalogue = Catalogue::open(place.path()).unwrap();
    let starts = |alert: AlertId| -> Vec<u64> {
        let clip = catalogue.clip(alert).unwrap();
        clip.segments.iter().map(|segment| segment.starts_at.since(START.wall).as_secs()).collect()
    };
    assert_eq!(starts(alert.id), [10, 20, 30, 40, 50], "an open alert reaches to the newest footage");

    let store = open(settings(place.path()));
    store.put_alert(closed(&draft, Duration::from_secs(24))).unwrap();
    assert_eq!(starts(alert.id), [10, 20]);
    let entries = store.clips(&ClipFilter { limit: Some(5), ..ClipFilter::default() }).unwrap();
    assert_eq!(entries.len(), 1);
    let bytes: u64 =
        clip_files(place.path())[1..3].iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!((entries[0].alert, entries[0].segments, entries[0].bytes), (alert.id, 2, bytes));
    let elsewhere = ClipFilter { camera: Some("yard".parse().unwrap()), ..ClipFilter::default() };
    assert_eq!(store.clips(&elsewhere).unwrap(), []);
    let unknown = AlertId::new(5);
    assert!(matches!(store.clip(unknown), Err(StoreError::NoSuchAlert(id)) if id == unknown));
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_remedy() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("file"), b"").unwrap();
    let error = Store::open(settings(&place.path().join("file/store")), Arc::new(SystemClock)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains("file/store") && text.contains("store.directory"), "{text}");
}

#[test]
fn a_store_has_one_writer() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let error = Store::open(settings(place.path()), Arc::new(SystemClock)).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(Catalogue::open(place.path()).is_ok(), "reading goes beside it");
    store.close();
    open(settings(place.path()));
}

#[test]
fn a_disk_error_costs_fragments_not_alerts_and_passes() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let in_the_way = place.path().join("clips/gate");
    fs::write(&in_the_way, b"a file where the folder should be").unwrap();
    store.append(fragment("gate", 0, 100)).unwrap();
    store.append(fragment("yard", 0, 100)).unwrap();
    wait_until("the fragment is lost", LONG, || store.vitals().lost_fragments == 1);
    store.append(fragment("gate", 1, 100)).unwrap();
    wait_until("another one is lost", LONG, || store.vitals().lost_fragments == 2);
    let said = store.vitals().clips_unwritable.unwrap();
    assert!(said.contains("clips/gate"), "{said}");
    assert_eq!(store.put_alert(opened("gate", LONG)).unwrap().seq, 1);

    fs::remove_file(&in_the_way).unwrap();
    store.append(fragment("gate", 2, 100)).unwrap();
    wait_until("it is written again", LONG, || store.vitals().segments == 2);
    assert_eq!(store.vitals().clips_unwritable, None);
    drop(store);
    assert_agrees(place.path());
}

#[test]
fn a_damaged_index_is_built_anew_while_recording_goes_on() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    for number in 0..30 {
        store.append(fragment("gate", number, 1000)).unwrap();
    }
    let first = store.put_alert(opened("gate", Duration::ZERO)).unwrap();
    wait_until("all is indexed", LONG, || store.segments(&ClipFilter::default()).unwrap().len() == 6);

    // Everything behind the first page, once none of it is in the log or in a cache any more.
    let path = place.path().join("index.sqlite");
    let other = Connection::open(&path).unwrap();
    other.busy_timeout(LONG).unwrap();
    other.execute_batch("DELETE FROM outbox; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0xa5; length - 4096]).unwrap();
    drop((file, other));

    let second = store.put_alert(opened("gate", FRAGMENT)).unwrap();
    assert_ne!((second.outbox, second.seq), (first.outbox, first.seq), "no number is given twice");
    let vitals = store.vitals();
    assert!(vitals.reconciled.rebuilt && vitals.index_unwritable.is_none(), "{vitals:?}");
    for number in 30..35 {
        store.append(fragment("gate", number, 1000)).unwrap();
    }
    let gate = "gate".parse().unwrap();
    wait_until("what is new is indexed", LONG, || {
        let all = store.footage(&gate, START.wall, START.wall + FRAGMENT * 35).unwrap();
        all.segments.last().is_some_and(|last| last.ends_at == START.wall + FRAGMENT * 35)
    });
    let found = store.footage(&gate, START.wall, START.wall + FRAGMENT * 35).unwrap();
    assert_eq!(found.segments[0].starts_at, START.wall, "what was old is there");
    assert_eq!(store.outbox(0, 10).unwrap().last(), Some(&second));
    drop(store);
    assert_agrees(place.path());
}

#[test]
fn a_stalled_index_makes_the_queue_refuse_not_block() {
    let place = TempDir::new().unwrap();
    let store = open(settings(place.path()));
    let blocker = Connection::open(place.path().join("index.sqlite")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.append(fragment("gate", 0, 100)).unwrap();
    // The writer takes the first one, and soon waits for the index.
    wait_until("the writer is stalled", LONG, || {
        store.append(fragment("gate", 1, 100)).unwrap();
        store.vitals().queue_fragments > 2
    });
    let start = Instant::now();
    let refused = (0..500).filter(|_| store.append(fragment("gate", 2, 100)).is_err()).count() as u64;
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(refused > 0);
    assert_eq!(store.vitals().refused_fragments, refused);

    blocker.execute_batch("COMMIT").unwrap();
    wait_until("the queue is empty", LONG, || store.vitals().queue_fragments == 0);
    drop(store);
    assert_agrees(place.path());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_limit_holds_but_for_one_segment_per_camera(
        pushes in prop::collection::vec((0usize..3, 1usize..4000), 1..300),
    ) {
        const LIMIT: u64 = 60_000;
        // Five fragments, an init section, and the store's additions between them.
        const SEGMENT_BYTES_MAX: u64 = 5 * 4000 + 15 + 6 * 400;
        let place = TempDir::new().unwrap();
        let mut settings = settings(place.path());
        settings.clip_bytes_max = LIMIT;
        settings.sync_interval = Duration::from_millis(1);
        let store = open(settings);
        let mut numbers = [0; 3];
        for (camera, bytes) in pushes {
            let name = ["gate", "yard", "road"][camera];
            // A full queue is no matter here.
            let _ = store.append(fragment(name, numbers[camera], bytes));
            numbers[camera] += 1;
            let used = clip_bytes(place.path());
            prop_assert!(used <= LIMIT + 3 * SEGMENT_BYTES_MAX, "{used} bytes");
        }
        store.close();
        prop_assert!(clip_bytes(place.path()) <= LIMIT);
        prop_assert_eq!(store.vitals().clip_bytes, clip_bytes(place.path()));
        assert_agrees(place.path());
    }
}

/// A tmpfs, where mounting is allowed.
pub struct SmallDisk(pub TempDir);

impl SmallDisk {
    pub fn mount(bytes: u64) -> Option<Self> {
        let place = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(place.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: a tmpfs cannot be mounted here (needs root)");
        }
        mounted.then(|| Self(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_the_oldest_footage_and_no_alert() {
    let Some(disk) = SmallDisk::mount(24 * MIB) else { return };
    // The limit is far more than the disk has.
    let store = open(settings(disk.0.path()));
    let mut alerts = 0;
    for number in 0..200 {
        wait_until("there is room in the queue", LONG, || {
            store.append(fragment("gate", number, 300_000)).is_ok()
        });
        if number % 10 == 0 {
            alerts += 1;
            let alert = store.put_alert(opened("gate", FRAGMENT * number)).unwrap();
            assert_eq!(alert.seq, alerts);
        }
    }
    // Another file takes the rest of the disk: footage is deleted, alerts are not.
    wait_until("all is written", LONG, || store.vitals().queue_fragments == 0);
    let ballast = OpenOptions::new().create_new(true).append(true).open(disk.0.path().join("ballast"));
    let mut ballast = ballast.unwrap();
    while ballast.write_all(&[0; 4096]).is_ok() {}
    for number in 200..260 {
        alerts += 1;
        assert_eq!(store.put_alert(opened("gate", FRAGMENT * number)).unwrap().seq, alerts);
    }
    store.close();
    let vitals = store.vitals();
    assert_eq!((vitals.lost_fragments, vitals.index_unwritable.as_ref()), (0, None), "{vitals:?}");
    assert!(vitals.removed_segments > 20, "{vitals:?}");
    assert_eq!(store.outbox(0, 100).unwrap().len(), alerts as usize);
    let segments = store.segments(&ClipFilter::default()).unwrap();
    assert_eq!(segments[0].ends_at, START.wall + FRAGMENT * 200, "the newest footage is there");
    assert!(segments.len() >= 5, "{}", segments.len());
    assert_agrees(disk.0.path());
}

const CHILD: &str = "WARDWATCH_TEST_STORE_CHILD";

/// Not a test of its own: the process that is killed. Appends and stores alerts for ever, and reports them.
#[test]
#[ignore = "run by a_killed_process_loses_nothing_that_it_was_told_is_stored"]
fn child_that_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let mut settings = settings(Path::new(&directory));
    settings.clip_bytes_max = MIB;
    settings.sync_interval = Duration::from_millis(5);
    let store = open(settings);
    let clock = SystemClock;
    for number in 0.. {
        for camera in ["gate", "yard"] {
            let mut next = fragment(camera, number, 20_000);
            next.starts_at = base::clock::Clock::now(&clock);
            let _ = store.append(next);
        }
        let alert = store.put_alert(opened("gate", FRAGMENT * number)).unwrap();
        println!("stored {}", alert.seq);
    }
}

fn killed_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_loses_nothing_that_it_was_told_is_stored() {
    let place = TempDir::new().unwrap();
    let mut last_stored = 0;
    for round in 0..6 {
        let mut child = killed_child(place.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let stored = lines.by_ref().filter_map(|line| line.strip_prefix("stored ")?.parse::<u64>().ok());
        let mut stored = stored.inspect(|seq| last_stored = *seq);
        // The kill comes at another place each time, while it works.
        stored.by_ref().nth(10 + 7 * round);
        child.kill().unwrap();
        stored.for_each(drop);
        child.wait().unwrap();

        let store = open(settings(place.path()));
        let seqs: Vec<u64> = store.outbox(0, usize::MAX).unwrap().iter().map(|alert| alert.seq).collect();
        assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "holes");
        assert!(seqs.len() as u64 >= last_stored, "{} < {last_stored}", seqs.len());
        drop(store);
        assert_agrees(place.path());
    }
    assert!(!clip_files(place.path()).is_empty());
}

/// Splits a fragmented MP4 file into its init section and its fragments: cut before each moof.
pub fn cut_mp4(file: &[u8]) -> (Arc<[u8]>, Vec<Arc<[u8]>>) {
    let (mut at, mut starts) = (0, Vec::new());
    let mut end = file.len();
    while at < file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        match &file[at + 4..at + 8] {
            b"moof" => starts.push(at),
            b"mfra" => end = at,
            _ => {}
        }
        at += size;
    }
    let ends = starts[1..].iter().copied().chain([end]);
    let fragments = starts.iter().zip(ends).map(|(start, end)| file[*start..end].into()).collect();
    (file[..starts[0]].into(), fragments)
}

/// A segment, also one that was cut off in its middle, is a file that others can play.
#[test]
fn a_segment_plays_as_it_is() {
    let place = TempDir::new().unwrap();
    let source = place.path().join("source.mp4");
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=320x180:rate=15:duration=8",
            "-c:v",
            "libx264",
        ])
        .args(["-g", "30", "-keyint_min", "30", "-pix_fmt", "yuv420p", "-movflags"])
        .arg("frag_keyframe+empty_moov+default_base_moof")
        .arg(&source)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: ffmpeg with libx264 is not there");
        return;
    }
    let (init, fragments) = cut_mp4(&fs::read(&source).unwrap());
    assert_eq!(fragments.len(), 4);
    let directory = place.path().join("store");
    let mut settings = settings(&directory);
    settings.segment = Duration::from_secs(60);
    let store = open(settings.clone());
    for (number, bytes) in (0..).zip(&fragments) {
        let made_up = fragment("gate", number, 0);
        store.append(Fragment { init: Arc::clone(&init), bytes: Arc::clone(bytes), ..made_up }).unwrap();
    }
    store.close();
    let [path] = &clip_files(&directory)[..] else { panic!("one segment") };
    assert_eq!(frames(path), 120);

    // Power goes while the last fragment is being written.
    drop(store);
    let length = fs::metadata(path).unwrap().len();
    OpenOptions::new().write(true).open(path).unwrap().set_len(length - 1000).unwrap();
    unend(&directory);
    let _store = open(settings);
    assert_eq!(frames(path), 90);
}

fn frames(path: &Path) -> u32 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().trim_end_matches(',').parse().unwrap()
}
