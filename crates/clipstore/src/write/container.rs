//! Boxes that the store writes between a camera's boxes, so that a clip file alone has all that the index knows of it.
//!
//! `ftyp moov | uuid(header) | ( moof mdat | uuid(trailer) )*`: boxes of the user type (ISO 14496-12, 11.1), which
//! every player skips, with JSON in them. Of the camera's own boxes only length and type are read, never the content.
//! Nothing here trusts a length: a torn or hostile file ends the walk, and costs neither memory nor time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::read::access::hex;
use base::fragment::{Codec, Fragment, FragmentStart, TimeSource};
use base::ids::{CameraId, Epoch};
use base::time::{ClockState, Monotonic, Stamp, WallTime};

/// The value of `schema` in every header of this version.
const SCHEMA: &str = "wardwatch.segment/1";
/// The user type of a segment's header: b186b4f4-a9c5-4db0-a469-f253e2477759.
const HEADER: [u8; 16] =
    [0xb1, 0x86, 0xb4, 0xf4, 0xa9, 0xc5, 0x4d, 0xb0, 0xa4, 0x69, 0xf2, 0x53, 0xe2, 0x47, 0x77, 0x59];
/// The user type of a fragment's trailer: eb23d608-9563-4318-a692-8624c16771f1.
const TRAILER: [u8; 16] =
    [0xeb, 0x23, 0xd6, 0x08, 0x95, 0x63, 0x43, 0x18, 0xa6, 0x92, 0x86, 0x24, 0xc1, 0x67, 0x71, 0xf1];
/// Length, type and user type.
const HEAD_BYTES: usize = 8 + 16;
/// More JSON than this is none of ours.
const JSON_BYTES_MAX: u64 = 2048;
/// Maximum number of boxes in an init section or a fragment; two are usual.
const BOXES_MAX: usize = 64;
/// Bytes that are read at once: a trailer and the heads of the boxes behind it.
const WINDOW_BYTES: usize = 4096;

/// Description of a segment in its file. Fields that a later version adds are skipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentHeader {
    schema: String,
    /// Row id; higher for younger segments.
    pub id: i64,
    pub camera: CameraId,
    pub epoch: Epoch,
    /// Boot from which `starts_at.monotonic` counts.
    pub boot_id: String,
    /// Arrival of its first sample, as the clocks then said.
    #[serde(with = "exact")]
    pub starts_at: Stamp,
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    /// Clock that its presentation times follow.
    #[serde(default)]
    pub time: TimeSource,
}

impl SegmentHeader {
    /// The header of the segment that starts with `fragment`.
    pub fn new(id: i64, boot_id: &str, fragment: &Fragment) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            id,
            camera: fragment.camera.clone(),
            epoch: fragment.epoch,
            boot_id: boot_id.to_owned(),
            starts_at: fragment.starts_at,
            codec: fragment.facts.codec,
            width: fragment.facts.width,
            height: fragment.facts.height,
            time: fragment.facts.time,
        }
    }

    /// The box.
    pub fn to_box(&self) -> Vec<u8> {
        user_box(HEADER, self)
    }
}

/// Trailer behind each fragment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FragmentTrailer {
    /// Arrival of its first sample, as the clocks then said.
    #[serde(with = "exact")]
    pub starts_at: Stamp,
    /// Presentation time since the start of the session.
    pub pts_ns: u64,
    pub duration_ns: u64,
    pub samples: u32,
    /// Kind of its start.
    #[serde(default)]
    pub start: FragmentStart,
    /// Length of moof and mdat.
    pub bytes: u64,
    /// sha256 of the file from its start to the end of this fragment's mdat; not of the fragment alone.
    #[serde(with = "hexadecimal")]
    pub sha256: [u8; 32],
}

impl FragmentTrailer {
    /// The trailer of `fragment`.
    pub fn new(fragment: &Fragment, sha256: [u8; 32]) -> Self {
        Self {
            starts_at: fragment.starts_at,
            pts_ns: fragment.pts.0,
            duration_ns: u64::try_from(fragment.duration.as_nanos()).unwrap_or(u64::MAX),
            samples: fragment.samples,
            start: fragment.start,
            bytes: fragment.bytes.len() as u64,
            sha256,
        }
    }

    /// The box.
    pub fn to_box(&self) -> Vec<u8> {
        user_box(TRAILER, self)
    }

    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.duration_ns)
    }
}

fn user_box(user_type: [u8; 16], content: &impl Serialize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\0uuid".to_vec();
    bytes.extend(user_type);
    serde_json::to_writer(&mut bytes, content).expect("headers and trailers are JSON");
    let length = u32::try_from(bytes.len()).expect("a box of ours is short");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Returns true if `bytes` are whole boxes, none of them ours, as a session may hand in for init section or fragment.
/// Other bytes would hide those behind them from the walk, or describe them falsely.
pub(crate) fn is_whole_boxes(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for _ in 0..BOXES_MAX {
        let Some(head) = Head::parse(&rest[..rest.len().min(HEAD_BYTES + 8)], rest.len() as u64) else {
            return false;
        };
        if head.is(HEADER) || head.is(TRAILER) {
            return false;
        }
        rest = usize::try_from(head.bytes).map_or(&[], |length| &rest[length..]);
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// Length and type of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    kind: [u8; 4],
    user_type: Option<[u8; 16]>,
    /// Length of this head.
    head_bytes: u64,
    /// Length of the box, its head included.
    bytes: u64,
}

impl Head {
    /// The head at the start of `start`; `None` if it is not all there, makes no sense, or if the box is longer than
    /// the `room` that it has. A box "to the end of the file" (length 0) has no end that could be known.
    fn parse(start: &[u8], room: u64) -> Option<Self> {
        let short = u32::from_be_bytes(*start.first_chunk()?);
        let kind = *start.get(4..)?.first_chunk()?;
        let (bytes, mut head_bytes) = match short {
            1 => (u64::from_be_bytes(*start.get(8..)?.first_chunk()?), 16),
            short => (u64::from(short), 8),
        };
        let mut user_type = None;
        if kind == *b"uuid" {
            user_type = Some(*start.get(head_bytes..)?.first_chunk()?);
            head_bytes += 16;
        }
        let head_bytes = head_bytes as u64;
        (head_bytes..=room).contains(&bytes).then_some(Self { kind, user_type, head_bytes, bytes })
    }

    fn is(&self, user_type: [u8; 16]) -> bool {
        self.user_type == Some(user_type)
    }
}

/// Start of a clip file.
#[derive(Debug, PartialEq)]
pub(crate) enum Start {
    /// With an init section and a header of ours.
    Ours {
        header: Box<SegmentHeader>,
        /// Length of the init section.
        init_bytes: u64,
        /// Offset of its first fragment.
        fragments_at: u64,
    },
    /// It ends, or makes no sense, before there is anything to play: the first write is incomplete.
    Nothing,
    /// With footage that is not ours, or not of this version.
    Foreign,
}

/// A fragment in a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Offset of its moof. Its length stands in the trailer.
    pub offset_bytes: u64,
    /// Offset of the next one.
    pub end_bytes: u64,
    pub trailer: FragmentTrailer,
}

/// Walks over a file.
pub(crate) struct Walk<'a> {
    file: &'a File,
    /// Length of the file.
    length: u64,
    /// End of the whole fragments so far.
    at: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> Walk<'a> {
    /// A walk from `at`, where a fragment starts or [`Walk::start`] is called.
    pub fn new(file: &'a File, at: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, at, window: Vec::new(), window_at: 0 })
    }

    /// Length of the file when the walk began.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads the part before the fragments, and goes to them if the file is ours.
    pub fn start(&mut self) -> io::Result<Start> {
        let mut at = 0;
        for _ in 0..BOXES_MAX {
            let Some(head) = self.head(at)? else { return Ok(Start::Nothing) };
            if head.is(HEADER) {
                let header: Option<SegmentHeader> = self.json(at, &head)?;
                let Some(header) = header.filter(|header| header.schema == SCHEMA) else {
                    return Ok(Start::Foreign);
                };
                self.at = at + head.bytes;
                return Ok(Start::Ours { header: Box::new(header), init_bytes: at, fragments_at: self.at });
            }
            if matches!(&head.kind, b"moof" | b"mdat") {
                break;
            }
            at += head.bytes;
        }
        Ok(Start::Foreign)
    }

    /// The next whole fragment; `None` where there is none.
    pub fn next(&mut self) -> io::Result<Option<Found>> {
        let offset_bytes = self.at;
        let mut at = offset_bytes;
        for _ in 0..BOXES_MAX {
            let Some(head) = self.head(at)? else { return Ok(None) };
            if head.is(HEADER) {
                return Ok(None);
            }
            if head.is(TRAILER) {
                let trailer: Option<FragmentTrailer> = self.json(at, &head)?;
                let bytes = at - offset_bytes;
                let Some(trailer) = trailer.filter(|trailer| bytes > 0 && trailer.bytes == bytes) else {
                    return Ok(None);
                };
                self.at = at + head.bytes;
                return Ok(Some(Found { offset_bytes, end_bytes: self.at, trailer }));
            }
            at += head.bytes;
        }
        Ok(None)
    }

    /// The trailer at `at` and its end; `None` if there is none.
    pub fn trailer(&mut self, at: u64) -> io::Result<Option<(FragmentTrailer, u64)>> {
        let Some(head) = self.head(at)?.filter(|head| head.is(TRAILER)) else { return Ok(None) };
        Ok(self.json(at, &head)?.map(|trailer| (trailer, at + head.bytes)))
    }

    fn head(&mut self, at: u64) -> io::Result<Option<Head>> {
        let room = self.length.saturating_sub(at);
        let start = self.read(at, (HEAD_BYTES + 8) as u64)?;
        Ok(Head::parse(start, room))
    }

    fn json<T: for<'de> Deserialize<'de>>(&mut self, at: u64, head: &Head) -> io::Result<Option<T>> {
        let length = head.bytes - head.head_bytes;
        if length > JSON_BYTES_MAX {
            return Ok(None);
        }
        Ok(serde_json::from_slice(self.read(at + head.head_bytes, length)?).ok())
    }

    /// Up to `length` bytes from `at`; fewer at the end of the file. `length` is below [`WINDOW_BYTES`].
    fn read(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        let end = (at + length).min(self.length);
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            self.window.resize(WINDOW_BYTES, 0);
            let filled = read_up_to(self.file, &mut self.window, at)?;
            self.window.truncate(filled);
            self.window_at = at;
        }
        let window_end = self.window_at + self.window.len() as u64;
        let within = |place: u64| (place.min(window_end) - self.window_at) as usize;
        Ok(&self.window[within(at)..within(end.max(at))])
    }
}

/// Returns true if a whole trailer of ours begins behind `at`, wherever it is: bytes before it are a fragment, though no
/// walk may reach it.
pub(crate) fn has_trailer_behind(file: &File, at: u64) -> io::Result<bool> {
    let mut walk = Walk::new(file, at)?;
    let mut chunk = vec![0; 128 * 1024];
    let mut from = at;
    while from < walk.length() {
        let filled = read_up_to(file, &mut chunk, from)?;
        for (place, _) in
            (from..).zip(chunk[..filled].windows(TRAILER.len())).filter(|(_, part)| *part == TRAILER)
        {
            let starts_at = place.saturating_sub(8);
            if starts_at > at && walk.trailer(starts_at)?.is_some() {
                return Ok(true);
            }
        }
        // The user type may lie across the end of the chunk.
        let next = (filled + 1).saturating_sub(TRAILER.len());
        if next == 0 {
            break;
        }
        from += next as u64;
    }
    Ok(false)
}

/// Returns true if a file starts as the first write of a segment does that a power cut tore: with an init section, with
/// bytes that were never written, or with less than a box.
pub(crate) fn is_torn_start(file: &File) -> io::Result<bool> {
    let mut start = [0; 8];
    let filled = read_up_to(file, &mut start, 0)?;
    Ok(filled < start.len() || start == [0; 8] || start[4..] == *b"ftyp")
}

/// Reads from `at` until `buffer` is full or the file ends. Returns the number of bytes.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Hashes `file` from its start. `ends` are ascending offsets in it, each with the sha256 expected there. Returns the
/// number of them that hold: those behind the first one that does not cannot.
pub(crate) fn count_verified(
    file: &File,
    ends: impl IntoIterator<Item = (u64, [u8; 32])>,
) -> io::Result<usize> {
    let (mut sha256, mut at, mut verified) = (Sha256::new(), 0, 0);
    let mut chunk = vec![0; 128 * 1024];
    for (end, expected) in ends {
        while at < end {
            let length = usize::try_from(end - at).map_or(chunk.len(), |left| left.min(chunk.len()));
            match file.read_at(&mut chunk[..length], at) {
                Ok(0) => return Ok(verified),
                Ok(bytes) => {
                    sha256.update(&chunk[..bytes]);
                    at += bytes as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if sha256.clone().finalize()[..] != expected {
            return Ok(verified);
        }
        verified += 1;
    }
    Ok(verified)
}

/// Times to the last digit that the index has, which their text in messages leaves out.
mod exact {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Exact {
        wall_us: i64,
        monotonic_ns: u64,
        clock: ClockState,
    }

    pub fn serialize<S: Serializer>(at: &Stamp, serializer: S) -> Result<S::Ok, S::Error> {
        let (wall_us, monotonic_ns) = (at.wall.as_micros(), at.monotonic.as_nanos());
        Exact { wall_us, monotonic_ns, clock: at.clock }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stamp, D::Error> {
        let at = Exact::deserialize(deserializer)?;
        let (wall, monotonic) = (WallTime::from_micros(at.wall_us), Monotonic::from_nanos(at.monotonic_ns));
        Ok(Stamp { wall, monotonic, clock: at.clock })
    }
}

mod hexadecimal {
    use super::*;
    use serde::de::Error as _;

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(D::Error::custom("a sha256 has 64 digits"));
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(D::Error::custom)?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::fragment;
    use crate::write::segment::Segment;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn all(walk: &mut Walk<'_>) -> Vec<Found> {
        std::iter::from_fn(|| walk.next().unwrap()).collect()
    }

    /// A segment's bytes, and the end of each of its parts: the header, then fragment after fragment.
    fn segment(fragments: u64) -> (Vec<u8>, Vec<u64>) {
        let place = tempfile::tempdir().unwrap();
        let (mut segment, start, _) = Segment::start(place.path(), 7, "boot", &fragment("gate", 0)).unwrap();
        let mut ends = vec![segment.bytes];
        for number in 1..fragments {
            segment.append(&fragment("gate", number)).unwrap();
            ends.push(segment.bytes);
        }
        let bytes = std::fs::read(place.path().join(start.path)).unwrap();
        let header = SegmentHeader::new(7, "boot", &fragment("gate", 0)).to_box().len();
        ends.insert(0, (fragment("gate", 0).init.len() + header) as u64);
        (bytes, ends)
    }

    #[test]
    fn a_segment_tells_what_its_rows_say() {
        let (bytes, ends) = segment(3);
        let file = file_of(&bytes);
        let mut walk = Walk::new(&file, 0).unwrap();
        let Start::Ours { header, init_bytes, fragments_at } = walk.start().unwrap() else { panic!() };
        assert_eq!(*header, SegmentHeader::new(7, "boot", &fragment("gate", 0)));
        assert_eq!((init_bytes, fragments_at), (fragment("gate", 0).init.len() as u64, ends[0]));
        let found = all(&mut walk);
        for (number, found) in (0..).zip(&found) {
            let at = usize::try_from(found.offset_bytes + found.trailer.bytes).unwrap();
            assert!(bytes[..at].ends_with(&fragment("gate", number).bytes));
            let sha256 = Sha256::digest(&bytes[..at]).into();
            assert_eq!(found.trailer, FragmentTrailer::new(&fragment("gate", number), sha256));
        }
        assert!(found.iter().map(|found| found.end_bytes).eq(ends[1..].iter().copied()));
        let ends =
            || found.iter().map(|found| (found.offset_bytes + found.trailer.bytes, found.trailer.sha256));
        assert_eq!(count_verified(&file, ends()).unwrap(), 3);
        file.write_at(b"!", found[1].offset_bytes + 10).unwrap();
        assert_eq!(count_verified(&file, ends()).unwrap(), 1);

        let mut behind = Walk::new(&file, found[1].offset_bytes).unwrap();
        assert_eq!(all(&mut behind), found[1..]);
    }

    #[test]
    fn wherever_a_file_is_cut_its_whole_fragments_are_found() {
        let (bytes, ends) = segment(3);
        for length in 0..bytes.len() {
            let file = file_of(&bytes[..length]);
            let mut walk = Walk::new(&file, 0).unwrap();
            let start = walk.start().unwrap();
            assert_eq!(matches!(start, Start::Ours { .. }), length as u64 >= ends[0], "{length}");
            if length as u64 >= ends[0] {
                let whole = ends[1..].iter().filter(|end| **end <= length as u64).count();
                assert_eq!(all(&mut walk).len(), whole, "{length}");
                assert_eq!(walk.at, ends[whole], "{length}");
            } else {
                assert_eq!(start, Start::Nothing, "{length}");
            }
        }
    }

    #[test]
    fn footage_of_others_is_not_ours() {
        for foreign in [&b"\0\0\0\x0cftypisom\0\0\0\x08mdat"[..], b"\0\0\0\x08moof\0\0\0\x08mdat"] {
            assert_eq!(Walk::new(&file_of(foreign), 0).unwrap().start().unwrap(), Start::Foreign);
        }
        for nothing in [&b""[..], b"never indexed", &[0; 5000], b"\0\0\0\x0cftyp"] {
            assert_eq!(Walk::new(&file_of(nothing), 0).unwrap().start().unwrap(), Start::Nothing);
        }
    }

    #[test]
    fn what_a_session_hands_in_can_neither_hide_nor_forge() {
        let (bytes, ends) = segment(1);
        assert!(is_whole_boxes(&fragment("gate", 0).init) && is_whole_boxes(&fragment("gate", 0).bytes));
        assert!(is_whole_boxes(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab"), "a long length");
        for bad in
            [&b""[..], b"\0\0\0\0mdat", b"\0\0\0\x0amdat!", b"\0\0\0\x08mdat!", b"\0\0\0\x04mdat", b"mdat"]
        {
            assert!(!is_whole_boxes(bad), "{bad:?}");
        }
        assert!(!is_whole_boxes(&bytes[ends[0] as usize..]), "a trailer");
        assert!(!is_whole_boxes(&bytes[..ends[0] as usize]), "a header");
        assert!(!is_whole_boxes(&b"\0\0\0\x08free".repeat(BOXES_MAX + 1)), "boxes without end");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// With any bytes in a file, the walk ends, stays within it, and finds only whole fragments.
        #[test]
        fn a_hostile_file_ends_the_walk(
            changes in prop::collection::vec((0usize..4000, any::<u8>()), 0..20),
            noise in prop::collection::vec(any::<u8>(), 0..200),
            at in 0u64..5000,
        ) {
            let (mut bytes, _) = segment(3);
            for (place, byte) in changes {
                let place = place % bytes.len();
                bytes[place] = byte;
            }
            bytes.extend(noise);
            let file = file_of(&bytes);
            for mut walk in [Walk::new(&file, 0).unwrap(), Walk::new(&file, at).unwrap()] {
                let _ = walk.start().unwrap();
                let mut last = walk.at;
                for found in all(&mut walk) {
                    prop_assert_eq!(found.offset_bytes, last);
                    prop_assert!(found.end_bytes > found.offset_bytes + found.trailer.bytes);
                    prop_assert!(found.end_bytes <= bytes.len() as u64);
                    last = found.end_bytes;
                }
                prop_assert!(walk.window.capacity() <= 2 * WINDOW_BYTES);
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_segment(noise in prop::collection::vec(any::<u8>(), 0..300), at in any::<u64>()) {
            let file = file_of(&noise);
            let mut walk = Walk::new(&file, 0).unwrap();
            let is_ours = matches!(walk.start().unwrap(), Start::Ours { .. });
            prop_assert!(!is_ours);
            prop_assert_eq!(all(&mut Walk::new(&file, at >> 1).unwrap()), []);
            let _ = is_whole_boxes(&noise);
        }
    }
}
