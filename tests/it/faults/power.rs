//! Power cuts: the store records on an ext4 whose device logs every write and flush; then the disk is rebuilt as it may
//! have been at any of these instants, mounted, and the store opened.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::block_log::Replay;
use super::load::{self, Orders, Told};
use super::mounts::{LoggedDisk, Mount, ext4, ready, workplace};
use super::promise::{Broken, Ledger, check, mend};
use super::{figure, rounds};

/// File systems of the disk: name, options of mkfs, options of mount. The second does not order data before metadata:
/// data that was not synced may be anything.
const FILE_SYSTEMS: [(&str, &[&str], &str); 2] =
    [("ext4 data=ordered", &[], "rw"), ("ext4 -b 4096 data=writeback", &["-b", "4096"], "data=writeback")];
const DISK_BYTES: u64 = 64 << 20;
const TOOLS: &[&str] = &["qemu-storage-daemon", "mkfs.ext4", "losetup"];
/// Delay of a report behind its act, in lines: a child reports an act before it does it, but the pipe is read later.
const LINES_BEHIND: usize = 200;

/// A report, or the start of a run. [`Recorded`] keeps the length of the block log at that moment beside it.
enum Heard {
    Begin,
    Told(Told),
}

struct Recorded {
    replay: Replay,
    heard: Vec<(Heard, u64)>,
}

/// Records on a logged disk, one run for each of `lives`. The end of each is a kill -9, so that cuts also fall into
/// starts that repair.
fn record(place: &Path, lives: &[Duration], wrapper: &[&str], file_system: usize) -> Recorded {
    let (_, made, mounted) = FILE_SYSTEMS[file_system];
    let (disk, image, log) = (place.join("disk"), place.join("image"), place.join("log"));
    ext4(&disk, DISK_BYTES, made);
    std::fs::copy(&disk, &image).unwrap();
    let exported = LoggedDisk::start(place, &disk, &log);
    let mount = Mount::slowly(exported.path(), mounted).unwrap();
    let mut heard = Vec::new();
    let mut ledger = Ledger::default();
    let length = move || std::fs::metadata(&log).unwrap().len();
    for (life, seed) in lives.iter().zip(0..) {
        let (first, open) = (ledger.begin(), ledger.open_alerts());
        heard.push((Heard::Begin, length()));
        let orders = Orders { directory: mount.path().join("store"), first, seed, open };
        let mut running = load::start(&orders, wrapper, length.clone());
        let end = Instant::now() + *life;
        while let Ok((told, at)) = running.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            ledger.hear(&told);
            heard.push((Heard::Told(told), at));
        }
        assert!(running.process.try_wait().unwrap().is_none(), "it ended by itself");
        running.end();
    }
    drop(mount);
    drop(exported);
    let replay = Replay::new(&place.join("log"), &image).unwrap();
    assert!(replay.ends_as(&disk).unwrap(), "the log is not what was written");
    Recorded { replay, heard }
}

impl Recorded {
    /// Cuts the power `count` times and checks the store. A file system that does not mount is counted as wrong. Returns the
    /// breaches and the longest CPU time of a start.
    fn cut(&mut self, place: &Path, count: u32, flushes_ignored: usize) -> (Broken, Duration) {
        let mut random = StdRng::seed_from_u64(11);
        let first = self.heard.iter().find(|(heard, _)| matches!(heard, Heard::Told(Told::Open)));
        let first = self.replay.entry_at(first.expect("a store that opened").1);
        let last = self.replay.counts().0;
        let mut points: Vec<usize> = (0..count).map(|_| random.random_range(first..last)).collect();
        points.sort_unstable();
        let (mut broken, mut cpu) = (Broken::default(), Duration::ZERO);
        let image = place.join("cut");
        for point in points {
            self.replay.cut(point, flushes_ignored, &image, &mut random).unwrap();
            let ledger = self.ledger_at(self.replay.length_at(point));
            let at = |what: String| format!("cut after write {point}: {what}");
            let mount = match Mount::image(&image) {
                Ok(mount) => mount,
                Err(error) => {
                    broken.note(at(format!("does not mount: {error}")));
                    continue;
                }
            };
            let directory = mount.path().join("store");
            match mend(&directory) {
                Ok(of_this) => cpu = cpu.max(of_this),
                Err(error) => {
                    broken.note(at(error));
                    continue;
                }
            }
            let (_, mut this) = check(&directory, &ledger, load::CLIP_BYTES_MAX);
            this.said.iter_mut().for_each(|said| *said = at(std::mem::take(said)));
            broken.add(this);
        }
        (broken, cpu)
    }

    /// Ledger of the time when the log was `length` long.
    fn ledger_at(&self, length: u64) -> Ledger {
        let mut ledger = Ledger::default();
        let known = self.heard.partition_point(|(_, at)| *at <= length);
        for (heard, _) in &self.heard[..known] {
            match heard {
                Heard::Begin => drop(ledger.begin()),
                Heard::Told(told) => ledger.hear(told),
            }
        }
        for (heard, _) in self.heard[known..].iter().take(LINES_BEHIND) {
            if let Heard::Told(told @ (Told::Putting(..) | Told::Delivering(_))) = heard {
                ledger.hear_intention(told);
            }
        }
        ledger
    }
}

#[test]
fn a_power_cut_at_any_write_keeps_the_promise() {
    if !ready(TOOLS) {
        return;
    }
    for (file_system, (name, ..)) in FILE_SYSTEMS.iter().enumerate().take(rounds(1, 2) as usize) {
        let scenario = format!("power cut, {name}");
        let place = workplace();
        let lives = vec![Duration::from_millis(2500); rounds(2, 16) as usize];
        let mut recorded = record(place.path(), &lives, &[], file_system);
        let (writes, flushes) = recorded.replay.counts();
        assert!(flushes > 20, "the disk's flushes do not come through: {flushes} of {writes}");
        let count = rounds(25, 300);
        let (broken, cpu) = recorded.cut(place.path(), count, 0);
        figure(&scenario, "cuts", format!("{count}, among {writes} writes and flushes ({flushes} flushes)"));
        broken.print(&scenario);
        figure(&scenario, "start-up CPU at most", format!("{:.1} ms", cpu.as_secs_f64() * 1e3));
        broken.assert_nothing();
    }
}

/// The scenario above detects the cost of a disk that lies about its flushes.
#[test]
fn a_disk_that_flushes_nothing_is_found_out() {
    if !ready(TOOLS) {
        return;
    }
    let place = workplace();
    let mut recorded = record(place.path(), &[Duration::from_millis(2500)], &[], 0);
    let (broken, _) = recorded.cut(place.path(), rounds(10, 40), 300);
    figure("power cut, a disk that lies", "promises broken", broken.count());
    assert!(!broken.is_empty());
}

/// It also detects the cost of a store that does not sync.
#[test]
fn a_store_that_syncs_nothing_is_found_out() {
    if !ready(TOOLS) || !ready(&["strace"]) {
        return;
    }
    let place = workplace();
    let swallowed =
        ["strace", "--seccomp-bpf", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"];
    let swallowed = [&swallowed[..], &["-e", "inject=fdatasync,fsync:retval=0"]].concat();
    let mut recorded = record(place.path(), &[Duration::from_millis(4000)], &swallowed, 0);
    let (broken, _) = recorded.cut(place.path(), rounds(10, 40), 0);
    figure("power cut, syncs that are swallowed", "promises broken", broken.count());
    assert!(!broken.is_empty());
}
