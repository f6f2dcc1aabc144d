//! Assembles fragments into one exported file after the other, and notes the gaps between them.

use std::collections::HashSet;
use std::fs::File;
use std::io;

use super::header::Header;
use super::movie::Movie;
use super::parse::Init;
use super::survey::{Damage, Survey, Surveyed};
use super::timeline::{FragmentTimes, Join, join};
use super::{Content, Flaw, Gap, GapCause};
use crate::read::catalogue::{ClipFragment, SegmentFootage};
use base::fragment::{FragmentStart, TimeSource};
use base::time::{ClockState, WallTime};

/// Maximum number of files held open from the start: those stay readable when retention removes them.
const OPEN_FILES_MAX: usize = 200;
/// Minimum gap; less comes from the positions of GOPs.
const EDGE_MICROS: i64 = 500_000;
/// Longest useful still picture; after a longer gap another file starts.
const STILL_MICROS_MAX: i64 = 3600 * 1_000_000;

/// The segments of a clip and their files.
pub(super) struct Sources {
    pub segments: Vec<SegmentFootage>,
    /// As long as `segments`, or empty where those are too many.
    held: Vec<io::Result<File>>,
    last: Option<(usize, File)>,
}

impl Sources {
    /// Opens the files, if they are few.
    pub fn open(segments: Vec<SegmentFootage>) -> Self {
        let held = match segments.len() {
            0..=OPEN_FILES_MAX => segments.iter().map(|one| File::open(&one.segment.path)).collect(),
            _ => Vec::new(),
        };
        Self { segments, held, last: None }
    }

    /// The file of a segment.
    pub fn file(&mut self, segment: usize) -> io::Result<&File> {
        if let Some(held) = self.held.get(segment) {
            return held.as_ref().map_err(|error| error.kind().into());
        }
        let last = match self.last.take() {
            Some(last) if last.0 == segment => last,
            _ => (segment, File::open(&self.segments[segment].segment.path)?),
        };
        Ok(&self.last.insert(last).1)
    }

    /// The fragments' bytes together.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().flat_map(|one| &one.fragments).map(|fragment| fragment.bytes).sum()
    }

    /// End of the newest footage.
    pub fn ends_at(&self) -> Option<WallTime> {
        let last = self.segments.last()?.fragments.last()?;
        Some(last.starts_at + last.duration)
    }
}

/// One file that is to be written.
pub(super) struct Part {
    pub movie: Movie,
    pub content: Content,
    /// Flaws of the segments in it.
    pub flaws: Vec<Flaw>,
    /// First and last of its segments.
    pub segments: (usize, usize),
}

/// State of the assembly.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    segment: usize,
    fragment: usize,
    /// The last fragment that is in a file.
    last: Option<FragmentTimes>,
    /// Gap cause of the footage after it.
    lost: Option<GapCause>,
    /// The fragments that a continued GOP needs are not in a file.
    is_chain_broken: bool,
    /// A flaw reports that.
    is_miss_told: bool,
}

impl Progress {
    /// Notes that footage cannot be read. Returns the flaw.
    fn lose(&mut self, damage: &Damage) -> String {
        let (cause, what) = match damage {
            Damage::Unreadable(error) if error.kind() == io::ErrorKind::NotFound => {
                (GapCause::Removed, "the file was removed since the export began".to_owned())
            }
            other => (GapCause::Damaged, format!("not exported: {other}")),
        };
        self.lost = Some(cause);
        self.is_chain_broken = true;
        what
    }

    /// Returns true if `row` of `one` continues footage that is not in a file.
    fn misses(&self, row: &ClipFragment, one: &SegmentFootage) -> bool {
        let is_same_session = self
            .last
            .as_ref()
            .is_some_and(|last| last.epoch == one.segment.epoch && last.boot == one.boot_id);
        row.start == FragmentStart::Continued && (self.is_chain_broken || !is_same_session)
    }
}

/// Fragments that turned out to be unreadable while they were copied: segment, and offset of the moof.
pub(super) type Unreadable = HashSet<(usize, u64)>;

/// Requested span, and the maximum file length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub from: WallTime,
    pub to: WallTime,
    pub file_bytes_max: u64,
}

/// Assembles files.
pub(super) struct Assembler<'a> {
    pub sources: &'a mut Sources,
    pub unreadable: &'a Unreadable,
    pub bounds: Bounds,
    /// Called with the number of bytes that were examined.
    pub looked: &'a mut dyn FnMut(u64),
}

impl Assembler<'_> {
    /// Assembles the next file from the position of `progress`. `None` when nothing readable is left; its flaws are then in
    /// `flaws`.
    pub fn next_part(&mut self, progress: &mut Progress, flaws: &mut Vec<Flaw>) -> Option<Part> {
        let mut part: Option<Part> = None;
        let mut found = Vec::new();
        while progress.segment < self.sources.segments.len() {
            match self.segment(progress, &mut part, &mut found) {
                Some(goes_on) => {
                    let part = part.as_mut().expect("only a file that has something is full");
                    part.content.goes_on = Some(goes_on);
                    break;
                }
                None => (progress.segment, progress.fragment) = (progress.segment + 1, 0),
            }
        }
        match &mut part {
            None => flaws.append(&mut found),
            Some(part) => {
                if part.content.goes_on.is_none() {
                    self.bounds.note_end(progress, part);
                }
                part.flaws = found;
                part.content.seconds = part.movie.duration().as_secs_f64();
                part.content.samples = part.movie.samples();
            }
        }
        part
    }

    /// Takes the footage of one segment. Returns the reason where another file has to start.
    fn segment(
        &mut self,
        progress: &mut Progress,
        part: &mut Option<Part>,
        flaws: &mut Vec<Flaw>,
    ) -> Option<&'static str> {
        let number = progress.segment;
        let one = self.sources.segments[number].clone();
        let flaw = |at, what: &str| Flaw { at, path: one.segment.path.clone(), what: what.to_owned() };
        let rows = &one.fragments[progress.fragment..];
        let opened = self.sources.file(number).and_then(Survey::new).map_err(Damage::from);
        let begun = opened.and_then(|mut survey| Ok((survey.init(one.init_bytes)?, survey)));
        let (init, mut survey) = match begun {
            Ok(begun) => begun,
            Err(damage) => {
                flaws.push(flaw(rows[0].starts_at, &progress.lose(&damage)));
                rows.iter().for_each(|row| (self.looked)(row.bytes));
                return None;
            }
        };
        let mut was_as_recorded = true;
        let mut header = Header::read(&init.descriptions);
        for row in rows {
            let read = survey.fragment(row, &init);
            if let Some(what) = header_flaw(&mut header, &survey, &read) {
                // Another file begins, so that the footage before it plays to its end.
                header = None;
                if part.is_some() {
                    return Some("from here on the pictures do not match the header");
                }
                let what = format!("from here on the header does not match the pictures: {what}");
                flaws.push(flaw(row.starts_at, &what));
            }
            let needs_lost = progress.misses(row, &one);
            match read {
                Ok(_) if needs_lost => {
                    progress.is_chain_broken = true;
                    if !std::mem::replace(&mut progress.is_miss_told, true) {
                        flaws.push(flaw(row.starts_at, "not exported: the fragment before it is missing"));
                    }
                    progress.lost.get_or_insert(GapCause::Damaged);
                }
                Ok(surveyed) if self.unreadable.contains(&(number, surveyed.moof_at)) => {
                    progress.lost = Some(GapCause::Damaged);
                    progress.is_chain_broken = true;
                    let what = "not exported: read once, and unreadable the second time";
                    flaws.push(flaw(row.starts_at, what));
                }
                Ok(surveyed) => {
                    let taken = take(progress, part, (&one, number), &init, row, &surveyed, &self.bounds);
                    if taken.is_some() {
                        return taken;
                    }
                    if surveyed.is_as_recorded == Some(false) && was_as_recorded {
                        was_as_recorded = false;
                        let what = "from here on the file differs from the recording (its sha256 differs)";
                        flaws.push(flaw(row.starts_at, what));
                    }
                }
                Err(damage) => flaws.push(flaw(row.starts_at, &progress.lose(&damage))),
            }
            (self.looked)(row.bytes);
            progress.fragment += 1;
        }
        None
    }
}

impl Bounds {
    /// Notes the gap after the last fragment.
    fn note_end(&self, progress: &Progress, part: &mut Part) {
        let ended_at = part.content.ends_at;
        let missing = self.to.as_micros().saturating_sub(ended_at.as_micros());
        if missing > EDGE_MICROS || progress.lost.is_some() {
            part.content.gaps.push(Gap {
                position_seconds: part.movie.duration().as_secs_f64(),
                from: ended_at,
                to: self.to.max(ended_at),
                seconds: seconds(missing.max(0)),
                cause: progress.lost.unwrap_or(GapCause::NotRecorded),
            });
        }
    }

    /// Gap before the first fragment.
    fn gap_before(&self, first: WallTime, cause: Option<GapCause>) -> Option<Gap> {
        let missing = first.as_micros().saturating_sub(self.from.as_micros());
        (missing > EDGE_MICROS).then(|| Gap {
            position_seconds: 0.0,
            from: self.from,
            to: first,
            seconds: seconds(missing),
            cause: cause.unwrap_or(GapCause::NotRecorded),
        })
    }
}

/// Takes a fragment into `part`, or returns the reason why it does not belong there.
fn take(
    progress: &mut Progress,
    part: &mut Option<Part>,
    (one, number): (&SegmentFootage, usize),
    init: &Init,
    row: &ClipFragment,
    surveyed: &Surveyed,
    bounds: &Bounds,
) -> Option<&'static str> {
    let place = times_of(one, init, row, surveyed);
    let join = progress.last.as_ref().map(|last| (last, join(last, &place)));
    let gap = match join {
        None => bounds.gap_before(row.starts_at, progress.lost),
        Some((last, join)) => {
            let at = part.as_ref().map_or(0.0, |part| part.movie.duration().as_secs_f64());
            gap(last, join, row.starts_at, at, progress.lost)
        }
    };
    let ticks = join.map_or(0, |(_, join)| join.ticks);
    let still_too_long = join.is_some_and(|(_, join)| join.missing_micros > STILL_MICROS_MAX);
    if let Some(part) = part {
        let full = part.movie.refuses(init, ticks, row.bytes, bounds.file_bytes_max);
        if let Some(why) = full.or(still_too_long.then_some("more than an hour is missing")) {
            return Some(why);
        }
    }
    let part = part.get_or_insert_with(|| Part {
        movie: Movie::new(init.clone(), row.starts_at),
        content: Content {
            starts_at: row.starts_at,
            ends_at: row.starts_at,
            clock: one.segment.clock,
            time: one.segment.time,
            seconds: 0.0,
            samples: 0,
            gaps: Vec::new(),
            goes_on: None,
        },
        flaws: Vec::new(),
        segments: (number, number),
    });
    part.movie.push(init, &surveyed.moof, number, surveyed.moof_at, ticks);
    part.content.gaps.extend(gap);
    part.content.ends_at = row.starts_at + row.duration;
    part.content.clock = less_trusted(part.content.clock, one.segment.clock);
    if one.segment.time == TimeSource::Arrival {
        part.content.time = TimeSource::Arrival;
    }
    part.segments.1 = number;
    progress.last = Some(place);
    progress.lost = None;
    progress.is_chain_broken = false;
    progress.is_miss_told = false;
    None
}

fn times_of(one: &SegmentFootage, init: &Init, row: &ClipFragment, surveyed: &Surveyed) -> FragmentTimes {
    let since_start = row.starts_at.as_micros().saturating_sub(one.segment.starts_at.as_micros());
    let samples = surveyed.moof.runs.iter().flat_map(|run| &run.samples);
    FragmentTimes {
        boot: one.boot_id.clone(),
        epoch: one.segment.epoch,
        wall: row.starts_at,
        monotonic_micros: one.starts_monotonic_micros.saturating_add(since_start),
        pts_micros: row.pts_micros,
        duration: row.duration,
        decode_time: surveyed.moof.decode_time,
        ticks: samples.map(|sample| u64::from(sample.duration)).sum(),
        timescale: init.timescale,
    }
}

/// Gap at a join, where there is one.
fn gap(last: &FragmentTimes, join: Join, to: WallTime, at: f64, lost: Option<GapCause>) -> Option<Gap> {
    let cause = match (lost, join.clock_step_micros) {
        (Some(cause), _) => cause,
        (None, Some(_)) => GapCause::ClockSet,
        (None, None) if join.missing_micros > EDGE_MICROS => GapCause::NotRecorded,
        (None, None) => GapCause::Reconnected,
    };
    (join.is_gap || lost.is_some()).then(|| Gap {
        position_seconds: at,
        from: last.wall + last.duration,
        to,
        seconds: seconds(join.missing_micros),
        cause,
    })
}

/// Describes the fault of a header whose pictures are in a fragment.
fn header_flaw(
    header: &mut Option<Header>,
    survey: &Survey,
    read: &Result<Surveyed, Damage>,
) -> Option<String> {
    let (Ok(surveyed), Some(header)) = (read, header) else { return None };
    header.flaw(survey.file(), surveyed.moof_at, &surveyed.moof).unwrap_or_default()
}

fn less_trusted(one: ClockState, other: ClockState) -> ClockState {
    let doubt = |clock| match clock {
        ClockState::Synced => 0,
        ClockState::Holdover => 1,
        ClockState::Unsynced => 2,
    };
    if doubt(other) > doubt(one) { other } else { one }
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
