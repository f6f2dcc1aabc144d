//! Reads one segment's file from its start: its init section, each wanted fragment's moof, and the running digest of
//! everything on the way, which shows whether the file is still as it was recorded.
//!
//! Media bytes pass by and are not kept.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sha2::{Digest, Sha256};

use super::boxes::{Cursor, Malformed, name};
use super::parse::{self, Init, Moof};
use crate::read::catalogue::ClipFragment;

/// Maximum length of an init section or moof.
const TABLES_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Maximum length of a fragment.
const FRAGMENT_BYTES_MAX: u64 = 1 << 30;
const BUFFER_BYTES: usize = 256 * 1024;

/// Reason why a fragment cannot be exported.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    /// The file cannot be read there, or ends before.
    #[error("{}", if .0.kind() == io::ErrorKind::UnexpectedEof { "the file ends before it".to_owned() } else { .0.to_string() })]
    Unreadable(#[from] io::Error),
    /// The file is malformed there.
    #[error("it is damaged: {0}")]
    Malformed(#[from] Malformed),
}

/// A fragment that can be exported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Surveyed {
    /// Its samples.
    pub moof: Moof,
    /// Offset of the moof in the file.
    pub moof_at: u64,
    /// True if everything in the file up to its end is as it was recorded; `None` where a part before it could not be
    /// read.
    pub is_as_recorded: Option<bool>,
}

/// One segment's file.
pub(super) struct Survey<'a> {
    file: &'a File,
    at: u64,
    /// Digest of everything before `at`; `None` after a part could not be read.
    sha256: Option<Sha256>,
    buffer: Vec<u8>,
}

impl<'a> Survey<'a> {
    /// A survey from the start of `file`.
    pub fn new(mut file: &'a File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file, at: 0, sha256: Some(Sha256::new()), buffer: vec![0; BUFFER_BYTES] })
    }

    /// The file.
    pub fn file(&self) -> &'a File {
        self.file
    }

    /// Reads the init section, `bytes` long.
    pub fn init(&mut self, bytes: u64) -> Result<Init, Damage> {
        let section = self.read(bytes)?;
        Ok(parse::init(&section)?)
    }

    /// Reads a fragment that starts where the last one ended, or later.
    pub fn fragment(&mut self, row: &ClipFragment, init: &Init) -> Result<Surveyed, Damage> {
        let end = row.offset_bytes + row.bytes;
        let read = self.skip_to(row.offset_bytes).map_err(Damage::from).and_then(|()| self.moof(end, init));
        let passed = self.skip_to(end);
        let (moof, moof_at) = read?;
        passed?;
        if row.bytes > FRAGMENT_BYTES_MAX {
            return Err(Malformed(format!("a fragment of {} bytes is none", row.bytes)).into());
        }
        let last = moof.runs.iter().map(|run| moof_at + run.offset_bytes + run.bytes).max();
        if last.is_none_or(|last| last > end) {
            return Err(Malformed("its samples reach past its end".to_owned()).into());
        }
        let is_as_recorded = self.sha256.as_ref().map(|sha256| sha256.clone().finalize()[..] == row.sha256);
        Ok(Surveyed { moof, moof_at, is_as_recorded })
    }

    /// The fragment's moof and its offset. Boxes in front of it (styp, prft) are passed.
    fn moof(&mut self, end: u64, init: &Init) -> Result<(Moof, u64), Damage> {
        loop {
            let start = self.at;
            let head = self.read(8)?;
            let mut head = Cursor(&head);
            let (size, kind) = (u64::from(head.u32()?), head.bytes(4)?);
            let kind: [u8; 4] = kind.try_into().expect("4 bytes were taken");
            let inside = size.checked_sub(8).filter(|_| start + size <= end);
            let inside =
                inside.ok_or_else(|| Malformed(format!("{} of {size} bytes does not fit", name(kind))))?;
            if kind == *b"moof" {
                let bytes = self.read(inside)?;
                return Ok((parse::moof(&bytes, init, end - self.at)?, start));
            }
            if kind == *b"mdat" {
                return Err(Malformed("it has no moof".to_owned()).into());
            }
            self.skip_to(start + size)?;
        }
    }

    fn read(&mut self, bytes: u64) -> Result<Vec<u8>, Damage> {
        if bytes > TABLES_BYTES_MAX {
            return Err(Malformed(format!("tables of {bytes} bytes are none")).into());
        }
        let mut read = vec![0; usize::try_from(bytes).expect("a bounded number")];
        self.file.read_exact(&mut read).inspect_err(|_| self.sha256 = None)?;
        self.pass(&read);
        Ok(read)
    }

    /// Reads on to `target`, or seeks there where the digest is lost anyway.
    fn skip_to(&mut self, target: u64) -> io::Result<()> {
        while self.at < target && self.sha256.is_some() {
            let wanted = (target - self.at).min(BUFFER_BYTES as u64) as usize;
            let mut buffer = std::mem::take(&mut self.buffer);
            let read = self.file.read_exact(&mut buffer[..wanted]);
            if read.is_ok() {
                self.pass(&buffer[..wanted]);
            }
            self.buffer = buffer;
            read.inspect_err(|_| self.sha256 = None)?;
        }
        if self.at != target || self.sha256.is_none() {
            // Not all bytes before it were read; and a read that failed leaves the file at any position.
            self.sha256 = None;
            self.file.seek(SeekFrom::Start(target))?;
            self.at = target;
        }
        Ok(())
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.at += bytes.len() as u64;
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::super::testing::{Gop, init_section, moof_of};
    use super::*;
    use base::fragment::FragmentStart;
    use base::time::WallTime;

    /// Init section, a user box, and two fragments with one behind each; and the fragments' rows.
    fn segment() -> (Vec<u8>, u64, Vec<ClipFragment>) {
        let mut file = init_section(1000, b"abc");
        let init_bytes = file.len() as u64;
        file.extend(b"\0\0\0\x10uuid12345678");
        let mut rows = Vec::new();
        for number in 0..2 {
            let gop = Gop { decode_time: number * 80, sizes: &[50, 7], offsets: &[0, 0], duration: 40 };
            let offset_bytes = file.len() as u64;
            file.extend(moof_of(&gop));
            file.extend(b"\0\0\0\x41mdat");
            file.extend([number as u8; 57]);
            rows.push(ClipFragment {
                offset_bytes,
                bytes: file.len() as u64 - offset_bytes,
                pts_micros: 0,
                duration: Duration::from_millis(80),
                starts_at: WallTime::from_micros(0),
                sha256: Sha256::digest(&file).into(),
                samples: 2,
                start: FragmentStart::KeyFrame,
            });
            file.extend(b"\0\0\0\x10uuidabcdefgh");
        }
        (file, init_bytes, rows)
    }

    fn survey(bytes: &[u8], init_bytes: u64, rows: &[ClipFragment]) -> Vec<Result<Surveyed, String>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut survey = Survey::new(&file).unwrap();
        let init = survey.init(init_bytes).unwrap();
        rows.iter().map(|row| survey.fragment(row, &init).map_err(|damage| damage.to_string())).collect()
    }

    #[test]
    fn fragments_are_found_between_other_boxes_and_are_as_recorded() {
        let (file, init_bytes, rows) = segment();
        for wanted in [&rows[..], &rows[1..]] {
            for (read, row) in survey(&file, init_bytes, wanted).iter().zip(wanted) {
                let read = read.as_ref().unwrap();
                assert_eq!((read.moof_at, read.is_as_recorded), (row.offset_bytes, Some(true)));
                assert_eq!(read.moof.runs[0].bytes, 57);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed_from_there_on() {
        let (mut file, init_bytes, rows) = segment();
        let last = rows[0].offset_bytes + rows[0].bytes - 1;
        file[last as usize] ^= 1;
        let read = survey(&file, init_bytes, &rows);
        assert!(read.iter().all(|read| read.as_ref().unwrap().is_as_recorded == Some(false)));
    }

    #[test]
    fn a_damaged_fragment_does_not_cost_the_next_one() {
        let (mut file, init_bytes, rows) = segment();
        let at = rows[0].offset_bytes as usize;
        file[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let read = survey(&file, init_bytes, &rows);
        let said = read[0].as_ref().unwrap_err();
        assert!(said.contains("moof of 4294967295 bytes does not fit"), "{said}");
        assert_eq!(read[1].as_ref().unwrap().moof.decode_time, 80);
    }

    #[test]
    fn a_file_that_ends_early_says_so() {
        let (file, init_bytes, rows) = segment();
        let read = survey(&file[..file.len() - 30], init_bytes, &rows);
        assert!(read[0].is_ok());
        assert_eq!(read[1].as_ref().unwrap_err(), "the file ends before it");
    }
}
