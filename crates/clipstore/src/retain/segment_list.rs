//! The segments on the disk, in memory: the list that retention plans with.
//!
//! A box may have half a million: a segment takes 56 bytes here, its path included. The writer reports every change;
//! nothing here touches a file.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::index::KnownSegment;
use base::ids::CameraId;
use base::time::{ClockState, Stamp, WallTime};

/// A camera's place in [`SegmentList::cameras`]; good for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CameraNumber(pub u16);

/// State of a segment's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Fragments are still being added: it is never deleted.
    Writing,
    /// It may be deleted.
    Ended,
    /// It could not be removed a while ago: others are deleted instead.
    Stuck,
    /// It no longer exists; its place is reused later.
    Deleted,
}

/// A segment, as the planner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Row id; the greater the younger, regardless of the wall clock.
    pub id: i64,
    /// Length of its file; 0 once it is deleted.
    pub bytes: u64,
    /// Arrival of its first sample.
    pub starts_at: WallTime,
    /// End of its last fragment.
    pub ends_at: WallTime,
    /// Its camera.
    pub camera: CameraNumber,
    /// Trust in its times.
    pub clock: ClockState,
    /// State of its file.
    pub state: State,
}

/// The path `CAMERA/YYYY-MM-DD/HH/YYYYMMDDTHHMMSS.mmmZ-EPOCH[-NUMBER].mp4` without its camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Name {
    /// Year to millisecond as 17 decimal digits.
    digits: u64,
    epoch: u32,
    /// 0 where the name has none.
    number: u32,
}

/// Segments by id, with the bytes of each camera.
#[derive(Debug)]
pub(super) struct SegmentList {
    clips: PathBuf,
    cameras: Vec<CameraId>,
    /// Bytes per camera, by number.
    camera_bytes: Vec<u64>,
    bytes: u64,
    /// By id.
    segments: Vec<Segment>,
    /// The path of each of `segments`.
    names: Vec<Name>,
    /// Paths that are not written as [`Name`] says.
    odd_paths: HashMap<i64, PathBuf>,
    deleted: usize,
}

impl SegmentList {
    /// The segments `known`, below `clips`.
    pub fn new(clips: PathBuf, mut known: Vec<KnownSegment>) -> Self {
        known.sort_unstable_by_key(|known| known.id);
        let mut list = Self {
            clips,
            cameras: Vec::new(),
            camera_bytes: Vec::new(),
            bytes: 0,
            segments: Vec::with_capacity(known.len()),
            names: Vec::with_capacity(known.len()),
            odd_paths: HashMap::new(),
            deleted: 0,
        };
        for known in known {
            let times = (known.starts_at, known.ends_at, known.clock);
            list.push(known.id, &known.camera, &known.path, times, State::Ended);
            list.resize(known.id, known.bytes);
        }
        list
    }

    /// All segments by id; those that are [`State::Deleted`] may be among them.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Number of existing segments.
    pub fn len(&self) -> usize {
        self.segments.len() - self.deleted
    }

    /// Their bytes together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of one camera.
    pub fn camera_bytes(&self, camera: CameraNumber) -> u64 {
        self.camera_bytes[usize::from(camera.0)]
    }

    /// The cameras, by number.
    pub fn cameras(&self) -> &[CameraId] {
        &self.cameras
    }

    /// The number of a camera, a new one for a new camera.
    pub fn camera(&mut self, camera: &CameraId) -> CameraNumber {
        let place = self.cameras.iter().position(|known| known == camera).unwrap_or_else(|| {
            self.cameras.push(camera.clone());
            self.camera_bytes.push(0);
            self.cameras.len() - 1
        });
        CameraNumber(u16::try_from(place).expect("a box has far fewer than 65536 cameras"))
    }

    /// Adds a segment that is being written, empty as yet. Ids grow.
    pub fn start(&mut self, id: i64, camera: &CameraId, path: &Path, starts_at: Stamp) {
        let times = (starts_at.wall, starts_at.wall, starts_at.clock);
        self.push(id, camera, path, times, State::Writing);
    }

    /// Sets a segment's length to `bytes` and its end to `ends_at`.
    pub fn grow(&mut self, id: i64, bytes: u64, ends_at: WallTime) {
        self.resize(id, bytes);
        if let Some(place) = self.place(id) {
            self.segments[place].ends_at = ends_at;
        }
    }

    /// Sets a segment's length to `bytes`.
    pub fn resize(&mut self, id: i64, bytes: u64) {
        let Some(place) = self.place(id) else { return };
        let segment = &mut self.segments[place];
        let of_camera = &mut self.camera_bytes[usize::from(segment.camera.0)];
        *of_camera = *of_camera - segment.bytes + bytes;
        self.bytes = self.bytes - segment.bytes + bytes;
        segment.bytes = bytes;
    }

    /// Corrects a segment's times.
    pub fn retime(&mut self, id: i64, starts_at: WallTime, ends_at: WallTime) {
        if let Some(place) = self.place(id) {
            let segment = &mut self.segments[place];
            (segment.starts_at, segment.ends_at, segment.clock) = (starts_at, ends_at, ClockState::Synced);
        }
    }

    /// Notes that nothing more is added to a segment.
    pub fn end(&mut self, id: i64) {
        self.set_state(id, State::Ended);
    }

    /// Notes that a segment could not be removed.
    pub fn stick(&mut self, id: i64) {
        self.set_state(id, State::Stuck);
    }

    /// Allows another try for segments that could not be removed.
    pub fn unstick(&mut self) {
        for segment in self.segments.iter_mut().filter(|segment| segment.state == State::Stuck) {
            segment.state = State::Ended;
        }
    }

    /// Notes that a segment no longer exists.
    pub fn remove(&mut self, id: i64) {
        self.resize(id, 0);
        let Some(place) = self.place(id) else { return };
        self.segments[place].state = State::Deleted;
        self.odd_paths.remove(&id);
        self.deleted += 1;
        if self.deleted > 1024 + self.segments.len() / 4 {
            self.compact();
        }
    }

    /// A segment and its file.
    pub fn get(&self, id: i64) -> Option<(Segment, PathBuf)> {
        let place = self.place(id)?;
        let segment = self.segments[place];
        let camera = &self.cameras[usize::from(segment.camera.0)];
        let path = self.odd_paths.get(&id).cloned().unwrap_or_else(|| self.names[place].path(camera));
        Some((segment, self.clips.join(path)))
    }

    /// Ids of the segments with one of `paths` (below `clips`).
    pub fn at_paths<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> HashSet<i64> {
        let (mut names, mut odd) = (HashSet::new(), HashSet::new());
        for path in paths {
            match Name::parse(path) {
                Some((camera, name)) => names.insert((camera, name)),
                None => odd.insert(path),
            };
        }
        let mut found: HashSet<i64> = HashSet::new();
        if !names.is_empty() {
            let named = self.segments.iter().zip(&self.names).filter(|(segment, name)| {
                let camera = self.cameras[usize::from(segment.camera.0)].as_str();
                segment.state != State::Deleted && names.contains(&(camera, **name))
            });
            found.extend(named.map(|(segment, _)| segment.id));
        }
        let odd_paths = self.odd_paths.iter().filter(|(_, path)| odd.contains(path.as_path()));
        found.extend(odd_paths.map(|(id, _)| *id));
        found
    }

    fn push(
        &mut self,
        id: i64,
        camera: &CameraId,
        path: &Path,
        (starts_at, ends_at, clock): (WallTime, WallTime, ClockState),
        state: State,
    ) {
        let number = self.camera(camera);
        let name = Name::parse(path).filter(|(of, _)| *of == camera.as_str()).map(|(_, name)| name);
        if name.is_none() {
            self.odd_paths.insert(id, path.to_owned());
        }
        self.segments.push(Segment { id, bytes: 0, starts_at, ends_at, camera: number, clock, state });
        self.names.push(name.unwrap_or(Name { digits: 0, epoch: 0, number: u32::MAX }));
    }

    fn set_state(&mut self, id: i64, state: State) {
        if let Some(place) = self.place(id) {
            self.segments[place].state = state;
        }
    }

    /// Place of a segment, unless it is deleted.
    fn place(&self, id: i64) -> Option<usize> {
        let place = self.segments.binary_search_by_key(&id, |segment| segment.id).ok()?;
        (self.segments[place].state != State::Deleted).then_some(place)
    }

    fn compact(&mut self) {
        let mut places = self.segments.iter().map(|segment| segment.state != State::Deleted);
        self.names.retain(|_| places.next().unwrap_or(false));
        self.segments.retain(|segment| segment.state != State::Deleted);
        self.deleted = 0;
    }
}

impl Name {
    /// Camera and name of a path that is written as a name is; `None` if the name would not give the same path again.
    fn parse(path: &Path) -> Option<(&str, Self)> {
        let text = path.to_str()?;
        let (folder, file) = text.rsplit_once('/')?;
        let camera = folder.get(..folder.len().checked_sub("/YYYY-MM-DD/HH".len())?)?;
        let (time, rest) = file.strip_suffix(".mp4")?.split_once("Z-")?;
        let (epoch, number) = rest.split_once('-').map_or((rest, None), |(a, b)| (a, Some(b)));
        let digits = (time.len() == "YYYYMMDDTHHMMSS.mmm".len())
            .then(|| time.bytes().filter(u8::is_ascii_digit))?
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        let number = number.map_or(Some(0), |number| number.parse().ok())?;
        let name = Self { digits, epoch: epoch.parse().ok()?, number };
        (name.text(camera) == text).then_some((camera, name))
    }

    fn path(self, camera: &CameraId) -> PathBuf {
        self.text(camera.as_str()).into()
    }

    fn text(self, camera: &str) -> String {
        let Self { digits, epoch, number } = self;
        let digits = format!("{digits:017}");
        let (date, time) = digits.split_at(8);
        let (year, month, day, hour) = (&date[..4], &date[4..6], &date[6..], &time[..2]);
        let (seconds, millis) = time.split_at(6);
        let behind = if number == 0 { String::new() } else { format!("-{number}") };
        format!("{camera}/{year}-{month}-{day}/{hour}/{date}T{seconds}.{millis}Z-{epoch}{behind}.mp4")
    }
}

#[cfg(test)]
mod tests {
    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    fn known(id: i64, path: &str, bytes: u64) -> KnownSegment {
        KnownSegment {
            id,
            path: path.into(),
            camera: path.split('/').next().unwrap().parse().unwrap(),
            starts_at: WallTime::from_micros(id * 60_000_000),
            ends_at: WallTime::from_micros((id + 1) * 60_000_000),
            clock: ClockState::Synced,
            bytes,
            ended: true,
        }
    }

    fn path(id: i64) -> String {
        let camera = ["gate", "yard"][usize::from(id % 2 == 0)];
        let (minute, second, milli) = (id / 60_000, id / 1000 % 60, id % 1000);
        format!("{camera}/2026-05-01/22/20260501T22{minute:02}{second:02}.{milli:03}Z-0.mp4")
    }

    #[test]
    fn every_path_comes_out_as_it_went_in() {
        let paths = [
            "gate/2026-05-01/22/20260501T221403.120Z-0.mp4",
            "gate/2026-05-01/22/20260501T221403.120Z-12345-7.mp4",
            "yard/0999-05-01/22/09990501T221403.120Z-0.mp4",
            // Not as the store writes them.
            "gate/2026-05-01/23/20260501T221403.120Z-0.mp4",
            "gate/2026-05-01/22/20260501T221403.120Z-00.mp4",
            "gate/2026-05-01/22/20260501T221403.120Z-+1.mp4",
            "gate/2026-05-01/22/20260501T221403.120Z-1-0.mp4",
            "gate/2026-05-01/22/2026Đ501T221403.12Z-0.mp4",
            "gate/x.mp4",
        ];
        let list =
            SegmentList::new("/c".into(), (1..).zip(paths).map(|(id, path)| known(id, path, 1)).collect());
        assert_eq!(list.odd_paths.len(), 6);
        for (id, path) in (1..).zip(paths) {
            assert_eq!(list.get(id).unwrap().1, Path::new("/c").join(path));
            assert_eq!(list.at_paths([Path::new(path)].into_iter()), HashSet::from([id]));
        }
        assert!(list.at_paths([Path::new("yard/2026-05-01/22/x.mp4")].into_iter()).is_empty());
    }

    #[test]
    fn totals_follow_every_change_and_places_are_taken_back() {
        let mut list = SegmentList::new("/c".into(), (1..=5000).map(|id| known(id, &path(id), 10)).collect());
        let (gate, yard) = (list.camera(&"gate".parse().unwrap()), list.camera(&"yard".parse().unwrap()));
        for id in 1..=4000 {
            list.remove(id);
            list.remove(id);
        }
        assert!(list.segments().len() < 3000, "{} places", list.segments().len());
        assert_eq!((list.len(), list.bytes()), (1000, 10_000));
        assert_eq!(list.get(4001).unwrap().1, Path::new("/c").join(path(4001)));
        list.resize(4001, 17);
        assert_eq!((list.camera_bytes(gate), list.camera_bytes(yard)), (5007, 5000));
        assert_eq!(list.get(4000), None);
    }

    #[test]
    fn half_a_million_segments_are_well_below_64_mb() {
        let each = size_of::<Segment>() + size_of::<Name>();
        assert!(each * 500_000 < 32_000_000, "{each} bytes each");
        let all: Vec<KnownSegment> = (1..=500_000).map(|id| known(id, &path(id), 400_000)).collect();
        let cpu = || {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
        };
        let before = cpu();
        let list = SegmentList::new("/c".into(), all);
        println!("figure: {each} bytes per segment; {:.0} ms of CPU for 500,000", cpu() - before);
        assert!(list.len() == 500_000 && list.odd_paths.is_empty());
    }
}
