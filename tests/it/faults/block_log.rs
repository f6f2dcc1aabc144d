//! The log of a block device's writes and flushes, and the states that a power cut may leave of them.
//!
//! The format is that of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst), as qemu's
//! blklogwrites writes it: a super block of one sector, then per entry a sector with position, length and flags, and
//! the data.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::rngs::StdRng;

const SECTOR: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
/// Offset of the second sector of ext4's super block. The first holds the counts, the second their checksum.
const SUPER_BLOCK_REST: u64 = 1536;

/// One write or flush that the device completed.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Position on the device, in bytes.
    at: u64,
    length: u64,
    flags: u64,
    /// Position of its data in the log, in bytes.
    data: u64,
    /// Length of the log with this entry, in bytes.
    end: u64,
}

/// A disk image that is brought forward along its log.
pub struct Replay {
    log: File,
    entries: Vec<Entry>,
    image: PathBuf,
    /// Number of entries that the image has.
    applied: usize,
}

impl Replay {
    /// Opens `log`; `image` is the disk as it was when the log began.
    pub fn new(log: &Path, image: &Path) -> io::Result<Self> {
        let log = File::open(log)?;
        let word = |at: u64| -> io::Result<u64> {
            let mut bytes = [0; 8];
            log.read_exact_at(&mut bytes, at)?;
            Ok(u64::from_le_bytes(bytes))
        };
        assert_eq!(word(0)?, MAGIC, "not a log of block writes");
        let (length, mut at, mut entries) = (log.metadata()?.len(), SECTOR, Vec::new());
        while at + SECTOR <= length {
            let (sector, sectors, flags) = (word(at)?, word(at + 8)?, word(at + 16)?);
            let data = at + SECTOR;
            at = if flags & DISCARD == 0 { data + sectors * SECTOR } else { data };
            entries.push(Entry { at: sector * SECTOR, length: sectors * SECTOR, flags, data, end: at });
        }
        Ok(Self { log, entries, image: image.to_owned(), applied: 0 })
    }

    /// Returns true if all of the log turns the image into `disk`.
    pub fn ends_as(&self, disk: &Path) -> io::Result<bool> {
        let all = disk.with_extension("all");
        std::fs::copy(&self.image, &all)?;
        let image = File::options().write(true).open(&all)?;
        self.entries.iter().try_for_each(|entry| self.apply(entry, &image, || true))?;
        Ok(std::fs::read(&all)? == std::fs::read(disk)?)
    }

    /// Number of writes and flushes together, and the number of flushes.
    pub fn counts(&self) -> (usize, usize) {
        (self.entries.len(), self.entries.iter().filter(|entry| entry.flags & FLUSH != 0).count())
    }

    /// The first entry that was completed when the log was `length` long.
    pub fn entry_at(&self, length: u64) -> usize {
        self.entries.partition_point(|entry| entry.end < length)
    }

    /// Length of the log when entry `number` was completed.
    pub fn length_at(&self, number: usize) -> u64 {
        self.entries[number].end
    }

    /// Writes to `cut` a state that a power cut right after entry `number` may leave. `number` only grows from call to call.
    ///
    /// Everything before the last completed flush is there. Of the writes after it, sectors are there or are not: a
    /// disk may reorder them and may tear each write. Only ext4's super block is never torn: ext4 reads it before its
    /// journal. With halves of different writes it does not mount, and `e2fsck -p` does not repair it; a store on it has
    /// no influence. ext4 counts on physical sectors of 1 KiB at least, which all disks of boxes have. A disk that lies
    /// has flushed nothing of the last `flushes_ignored` entries.
    pub fn cut(
        &mut self,
        number: usize,
        flushes_ignored: usize,
        cut: &Path,
        random: &mut StdRng,
    ) -> io::Result<()> {
        let flushed = self.entries[..=number.saturating_sub(flushes_ignored)]
            .iter()
            .rposition(|entry| entry.flags & FLUSH != 0)
            .unwrap_or(0)
            .max(self.applied);
        let image = File::options().write(true).open(&self.image)?;
        for entry in &self.entries[self.applied..flushed] {
            self.apply(entry, &image, || true)?;
        }
        self.applied = flushed;
        super::mounts::run("cp", &["--sparse=always", self.image.to_str().unwrap(), cut.to_str().unwrap()])
            .map_err(io::Error::other)?;
        let image = File::options().write(true).open(cut)?;
        // Nothing of the rest, all of it, or any part.
        let share: f64 = [0.0, 0.2, 0.5, 0.8, 1.0][random.random_range(0..5)];
        let whole_writes = random.random_bool(0.5);
        for entry in &self.entries[flushed..=number] {
            let kept = entry.flags & FUA != 0 || random.random_bool(share);
            self.apply(entry, &image, || if whole_writes { kept } else { random.random_bool(share) })?;
        }
        Ok(())
    }

    /// Writes the sectors of `entry` that are `kept`. A discard leaves the old data, as it may.
    fn apply(&self, entry: &Entry, image: &File, mut kept: impl FnMut() -> bool) -> io::Result<()> {
        if entry.flags & DISCARD != 0 {
            return Ok(());
        }
        let mut data = vec![0; usize::try_from(entry.length).unwrap()];
        self.log.read_exact_at(&mut data, entry.data)?;
        let mut is_kept = true;
        for (number, sector) in data.chunks(SECTOR as usize).enumerate() {
            let at = entry.at + number as u64 * SECTOR;
            if at != SUPER_BLOCK_REST {
                is_kept = kept();
            }
            if is_kept {
                image.write_all_at(sector, at)?;
            }
        }
        Ok(())
    }
}

#[test]
fn every_write_tears_but_that_of_a_super_block() {
    let place = super::mounts::workplace();
    let (image, log, cut) = (place.path().join("image"), place.path().join("log"), place.path().join("cut"));
    File::create(&image).unwrap().set_len(8192).unwrap();
    // A flush, then 1 KiB of ones at the super block's position, and 1 KiB elsewhere.
    let mut bytes = [MAGIC.to_le_bytes().as_slice(), &[0; SECTOR as usize - 8]].concat();
    for (sector, sectors, flags) in [(0, 0, FLUSH), (2, 2, 0), (8, 2, 0)] {
        let words: Vec<u8> = [sector, sectors, flags].into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.extend([words.as_slice(), &[0; SECTOR as usize - 24]].concat());
        bytes.extend(vec![1; (sectors * SECTOR) as usize]);
    }
    std::fs::write(&log, bytes).unwrap();
    let mut replay = Replay::new(&log, &image).unwrap();
    let mut random = rand::SeedableRng::seed_from_u64(11);
    let (mut super_blocks, mut torn) = ([0; 2], 0);
    for _ in 0..100 {
        replay.cut(2, 0, &cut, &mut random).unwrap();
        let left = std::fs::read(&cut).unwrap();
        assert_eq!(left[1024], left[1536], "half a super block");
        super_blocks[usize::from(left[1024])] += 1;
        torn += u32::from(left[4096] != left[4608]);
    }
    assert!(super_blocks.iter().all(|count| *count > 0) && torn > 0, "{super_blocks:?}, {torn} torn");
}
