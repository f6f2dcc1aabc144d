//! An export from its first line in the access log to its last.

use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::Serialize;

use super::assembly::{Assembler, Bounds, Part, Progress, Sources, Unreadable};
use super::error::ExportError;
use super::target::{PartFile, Target};
use super::{
    ClipOrder, Content, ExportOrder, Exported, ExportedClip, ExportedFile, FAT32_FILE_BYTES_MAX, Gap, SCHEMA,
};
use crate::read::access::{self, AccessClip, AccessEntry, AccessKind};
use crate::read::catalogue::Catalogue;
use base::clock::Clock;
use base::fault::chain;
use base::ids::{AlertId, BoxId, CameraId};
use base::time::WallTime;

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 20;
/// Maximum bytes of a sample in a file's tables, and the bytes of the rest of a file.
const TABLE_BYTES_PER_SAMPLE: u64 = 24;
const OTHER_BYTES: u64 = 64 * 1024;
/// Maximum number of a file's gaps in one line of the access log; the file itself has them all.
const LOGGED_GAPS_MAX: usize = 50;

/// Carries out an order. Blocks for as long as reading and writing take; `progress` gets the bytes done and the total.
///
/// No footage is read before the access log says that it will be. Footage that cannot be read is a gap and a
/// [`Flaw`](super::Flaw), and the rest is exported.
///
/// # Errors
/// Failures before the export began. A folder that takes no more later on ends the export too, and is reported in
/// [`Exported::failed`], since complete files stay.
pub fn export(
    catalogue: &Catalogue,
    order: &ExportOrder,
    clock: &dyn Clock,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let target = Target::open(&order.folder)?;
    let mut clips = Vec::new();
    for clip in &order.clips {
        let to = clip.to.unwrap_or(WallTime::from_micros(i64::MAX));
        let sources = Sources::open(catalogue.fragments(&clip.camera, clip.from, to)?);
        let to = clip.to.or(sources.ends_at()).unwrap_or(clip.from);
        clips.push((clip, to, sources));
    }
    target.need(clips.iter().map(|(_, _, sources)| needed_bytes(sources)).sum())?;
    let accessed: Vec<AccessClip> = clips.iter().map(|(clip, to, _)| access_clip(clip, *to)).collect();
    let log = Log { directory: catalogue.directory(), order, clock };
    log.add(AccessKind::ExportStarted, accessed, format!("to {}", order.folder.display()))?;

    // Everything is read twice: for its tables, and to be copied.
    let total: u64 = clips.iter().map(|(_, _, sources)| 2 * sources.bytes()).sum();
    let mut done = 0;
    let mut passed = |bytes| {
        // Bytes that have to be read once more are not counted.
        done = total.min(done + bytes);
        progress(done, total);
    };
    let mut exported = Exported { clips: Vec::new(), failed: None };
    for (clip, to, sources) in clips {
        let accessed = access_clip(clip, to);
        let mut one = ClipExport::new(catalogue, order, clock, clip, to, sources, &mut passed);
        let failed = one.run(&target).err();
        let (kind, detail) = outcome(&one.done, failed.as_ref());
        exported.clips.push(one.done);
        let logged = log.add(kind, vec![accessed], detail).err();
        if let Some(error) = failed.or(logged) {
            exported.failed = Some(chain(&error));
            break;
        }
    }
    Ok(exported)
}

fn needed_bytes(sources: &Sources) -> u64 {
    let fragments = sources.segments.iter().flat_map(|one| &one.fragments);
    // A sample has a byte at least, whatever its row claims.
    let tables: u64 =
        fragments.map(|row| u64::from(row.samples).min(row.bytes) * TABLE_BYTES_PER_SAMPLE).sum();
    sources.bytes() + tables + OTHER_BYTES
}

fn access_clip(clip: &ClipOrder, to: WallTime) -> AccessClip {
    AccessClip { camera: clip.camera.clone(), starts_at: clip.from, ends_at: to, alert: clip.alert }
}

/// Kind and detail of the access log's line at the end of a clip.
fn outcome(done: &ExportedClip, failed: Option<&ExportError>) -> (AccessKind, String) {
    let file = |file: &ExportedFile| {
        let gaps = gaps(&file.content.gaps);
        format!("{} sha256 {}{gaps}", file.path.display(), file.sha256)
    };
    let files: Vec<String> = done.files.iter().map(file).collect();
    let files = files.join("; ");
    match failed {
        Some(error) if files.is_empty() => (AccessKind::ExportFailed, chain(error)),
        Some(error) => (AccessKind::ExportFailed, format!("{}; complete: {files}", chain(error))),
        None if files.is_empty() => (AccessKind::ExportFailed, "there is no footage".to_owned()),
        None => (AccessKind::ExportEnded, files),
    }
}

/// The gaps of a file for the access log.
fn gaps(gaps: &[Gap]) -> String {
    if gaps.is_empty() {
        return String::new();
    }
    let mut text = format!(" with {} gaps:", gaps.len());
    for gap in gaps.iter().take(LOGGED_GAPS_MAX) {
        text += &format!(" {}/{} {}", gap.from, gap.to, gap.cause.as_str());
    }
    if gaps.len() > LOGGED_GAPS_MAX { text + " ..." } else { text }
}

struct Log<'a> {
    directory: &'a Path,
    order: &'a ExportOrder,
    clock: &'a dyn Clock,
}

impl Log<'_> {
    fn add(&self, what: AccessKind, clips: Vec<AccessClip>, detail: String) -> Result<(), ExportError> {
        let now = self.clock.now();
        let (who, why) = (self.order.who.clone(), self.order.why.clone());
        let entry = AccessEntry { at: now.wall, clock: now.clock, what, who, why, clips, detail };
        Ok(access::append(self.directory, &entry)?)
    }
}

/// Description of an exported file in itself.
#[derive(Serialize)]
struct About<'a> {
    schema: &'static str,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    box_id: Option<&'a BoxId>,
    camera: &'a CameraId,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertId>,
    from: WallTime,
    to: WallTime,
    /// 1 for the first file of the clip.
    part: usize,
    #[serde(flatten)]
    content: &'a Content,
    /// Paths below the store's clips/.
    segments: Vec<&'a Path>,
    flaws: Vec<&'a str>,
    exported_at: WallTime,
    exported_by: &'a str,
    reason: &'a str,
}

/// The export of one clip.
struct ClipExport<'a> {
    catalogue: &'a Catalogue,
    order: &'a ExportOrder,
    clock: &'a dyn Clock,
    clip: &'a ClipOrder,
    sources: Sources,
    unreadable: Unreadable,
    passed: &'a mut dyn FnMut(u64),
    done: ExportedClip,
}

/// Reason why a file was not written.
enum Unwritten {
    /// The folder did not take it.
    Output(ExportError),
    /// A fragment at this place could not be read, though it could before.
    Source(usize, u64),
}

impl From<ExportError> for Unwritten {
    fn from(error: ExportError) -> Self {
        Self::Output(error)
    }
}

impl<'a> ClipExport<'a> {
    fn new(
        catalogue: &'a Catalogue,
        order: &'a ExportOrder,
        clock: &'a dyn Clock,
        clip: &'a ClipOrder,
        to: WallTime,
        sources: Sources,
        passed: &'a mut dyn FnMut(u64),
    ) -> Self {
        let done = ExportedClip {
            camera: clip.camera.clone(),
            alert: clip.alert,
            from: clip.from,
            to,
            files: Vec::new(),
            flaws: Vec::new(),
        };
        Self { catalogue, order, clock, clip, sources, unreadable: Unreadable::new(), passed, done }
    }

    fn run(&mut self, target: &Target) -> Result<(), ExportError> {
        let mut progress = Progress::default();
        loop {
            let before = progress.clone();
            let Some(part) = self.next_part(&mut progress) else { return Ok(()) };
            match self.write(target, &part) {
                Ok(file) => {
                    self.done.files.push(file);
                    self.done.flaws.extend(part.flaws);
                }
                Err(Unwritten::Output(error)) => return Err(error),
                Err(Unwritten::Source(segment, offset_bytes)) => {
                    self.unreadable.insert((segment, offset_bytes));
                    progress = before;
                }
            }
        }
    }

    fn next_part(&mut self, progress: &mut Progress) -> Option<Part> {
        let mut assembler = Assembler {
            sources: &mut self.sources,
            unreadable: &self.unreadable,
            bounds: Bounds {
                from: self.clip.from,
                to: self.done.to,
                file_bytes_max: self.order.file_bytes_max.min(FAT32_FILE_BYTES_MAX),
            },
            looked: &mut *self.passed,
        };
        assembler.next_part(progress, &mut self.done.flaws)
    }

    fn write(&mut self, target: &Target, part: &Part) -> Result<ExportedFile, Unwritten> {
        let mut file = target.create(&self.stem(part))?;
        file.write(&part.movie.head(&self.about(part)))?;
        let mut buffer = vec![0; BUFFER_BYTES];
        for chunk in part.movie.chunks() {
            self.copy(chunk.segment, chunk.samples_at, chunk.bytes, &mut buffer, &mut file).map_err(
                |unwritten| unwritten.unwrap_or(Unwritten::Source(chunk.segment, chunk.fragment_at)),
            )?;
            (self.passed)(chunk.bytes);
        }
        let (path, bytes, sha256) = file.finish()?;
        Ok(ExportedFile { path, bytes, sha256, content: part.content.clone() })
    }

    /// Copies `bytes` from `at` in a segment's file; an error is `None` where those cannot be read.
    fn copy(
        &mut self,
        segment: usize,
        mut at: u64,
        bytes: u64,
        buffer: &mut [u8],
        to: &mut PartFile,
    ) -> Result<(), Option<Unwritten>> {
        let from = self.sources.file(segment).map_err(|_| None)?;
        let end = at + bytes;
        while at < end {
            let wanted = usize::try_from(end - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            let piece = &mut buffer[..wanted];
            from.read_exact_at(piece, at).map_err(|_| None)?;
            to.write(piece).map_err(|error| Some(error.into()))?;
            at += wanted as u64;
        }
        Ok(())
    }

    /// Camera and local time of the clip's first picture, and a number from the second file on.
    fn stem(&self, part: &Part) -> String {
        let first = self.done.files.first().map_or(part.content.starts_at, |file| file.content.starts_at);
        let local = first.to_timestamp().to_zoned(self.order.timezone.clone());
        let stem = format!("{}_{}", self.clip.camera, local.strftime("%Y-%m-%d_%H-%M-%S"));
        match self.done.files.len() {
            0 => stem,
            files => format!("{stem}-{}", files + 1),
        }
    }

    fn about(&self, part: &Part) -> Vec<u8> {
        let clips = self.catalogue.directory().join("clips");
        let segments = &self.sources.segments[part.segments.0..=part.segments.1];
        let about = About {
            schema: SCHEMA,
            box_id: self.order.box_id.as_ref(),
            camera: &self.clip.camera,
            alert: self.clip.alert,
            from: self.clip.from,
            to: self.done.to,
            part: self.done.files.len() + 1,
            content: &part.content,
            segments: segments
                .iter()
                .map(|one| one.segment.path.strip_prefix(&clips).unwrap_or(&one.segment.path))
                .collect(),
            flaws: part.flaws.iter().map(|flaw| flaw.what.as_str()).collect(),
            exported_at: self.clock.now().wall,
            exported_by: &self.order.who,
            reason: &self.order.why,
        };
        serde_json::to_vec(&about).expect("it is JSON")
    }
}
