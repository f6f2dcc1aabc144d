//! Makes the stills of one alert after the other: waits for the footage, reads and decodes its key frames, hides what thumbnails
//! hide, and has the result stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use image::RgbImage;

use super::picture::{self, Scene};
use super::plan::{self, AFTER, StillsOrder};
use super::{Cameras, DecodeError, Decoder, StillCounts, Waiting};
use crate::alerts::thumbnail::ThumbnailError;
use crate::config;
use analysis::track::subjects;
use base::alert::Thumbnail;
use base::clock::{Clock as _, SystemClock};
use base::detection::{Detection, Label};
use base::detector::{Detector, InferenceArea, InferenceError};
use base::fault::{ErrorKind, chain};
use base::geometry::Rect;
use base::ids::{CameraId, Epoch};
use base::picture::{Frame, Picture};
use base::progress::{self, WORK_MAX};
use base::still::{StillDraft, StillKind};
use base::time::{Pts, Stamp};
use clipstore::export::{AlertLook, KeyFrame, key_frames};
use clipstore::{ClipFilter, Store, StoreError};
use wardlink::Publisher;

/// Lowest priority of a thread.
const NICE: i32 = 19;
/// Longest wait for footage after the event, where the camera's GOP is long or the disk is slow.
const FOOTAGE_PATIENCE: Duration = Duration::from_secs(12);
/// Interval of looks for that footage.
const FOOTAGE_INTERVAL: Duration = Duration::from_secs(1);
/// Parts of the picture in which persons are looked for who are to be hidden: all of it, and its corners, which show small ones.
const PARTS: [Rect; 5] = [
    Rect::new(0.0, 0.0, 1.0, 1.0),
    Rect::new(0.0, 0.0, 0.6, 0.6),
    Rect::new(0.4, 0.0, 0.6, 0.6),
    Rect::new(0.0, 0.4, 0.6, 0.6),
    Rect::new(0.4, 0.4, 0.6, 0.6),
];

/// Reasons for which an alert lacks a still.
#[derive(Debug, thiserror::Error)]
pub(super) enum StillError {
    /// The index, a clip file or the access log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key frame lies near enough.
    #[error("no key frame is recorded around the event; is the camera's main stream there?")]
    NoFootage,
    /// The session gave no picture.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Persons are to be hidden, and nothing can find them.
    #[error("hide_bystanders needs a network under [detector] to find the persons on a still")]
    CannotHide,
    /// The network failed.
    #[error("the persons on a still cannot be found")]
    Inference(#[from] InferenceError),
    /// The picture cannot be drawn.
    #[error(transparent)]
    Draw(#[from] ThumbnailError),
    /// The picture cannot be encoded.
    #[error("a still cannot be encoded as JPEG")]
    Encode(#[source] jpeg_encoder::EncodingError),
}

impl StillError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::NoFootage => ErrorKind::Transient,
            Self::Decode(error) => error.kind(),
            Self::CannotHide => ErrorKind::Config,
            Self::Inference(error) => error.kind(),
            Self::Draw(error) => error.kind(),
            Self::Encode(_) => ErrorKind::Bug,
        }
    }
}

/// Makes stills on its own thread; see the module.
pub(super) struct Maker {
    pub store: Store,
    pub publisher: Arc<Publisher>,
    pub decoder: Decoder,
    pub network: Option<Box<dyn Detector>>,
    pub cameras: Cameras,
    pub counts: Arc<StillCounts>,
    /// Closed when the daemon stops.
    pub ended: Receiver<()>,
    /// Reason for which each camera lacks stills, as it was logged.
    pub troubles: BTreeMap<CameraId, String>,
}

/// Drawn stills, with the first fault on the way.
#[derive(Default)]
struct Drawn {
    images: Vec<(StillKind, KeyFrame, RgbImage)>,
    fault: Option<StillError>,
}

impl Maker {
    /// Runs until the queue ends or the daemon stops.
    pub fn run(mut self, queue: &Receiver<Waiting>) {
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!("the thread of the stills keeps its priority: {error}");
        }
        let _unit = progress::begin("the stills", WORK_MAX);
        while let Ok(Waiting { order, due }) = progress::wait(|| queue.recv()) {
            if !self.waits(due.saturating_duration_since(Instant::now())) {
                return;
            }
            let camera = self.cameras.lock().get(&order.camera).cloned();
            let Some(camera) = camera else { continue };
            let made = self.make(&order, &camera);
            self.note(&order.camera, made);
        }
    }

    /// Waits so long; `false` where the daemon stops.
    fn waits(&self, span: Duration) -> bool {
        progress::wait(|| self.ended.recv_timeout(span)) == Err(RecvTimeoutError::Timeout)
    }

    /// Counts the stills of an alert, and logs a fault once until it changes.
    fn note(&mut self, camera: &CameraId, made: Result<(usize, Option<StillError>), StillError>) {
        let (count, fault) = made.unwrap_or_else(|error| (0, Some(error)));
        self.counts.made.fetch_add(count as u64, Ordering::Relaxed);
        let Some(fault) = fault else {
            if self.troubles.remove(camera).is_some() {
                tracing::info!(%camera, "alerts have their stills again");
            }
            return;
        };
        self.counts.lacking.fetch_add(1, Ordering::Relaxed);
        let text = chain(&fault);
        if self.troubles.get(camera) != Some(&text) {
            tracing::warn!(%camera, kind = ?fault.kind(), "an alert lacks stills: {text}");
            self.troubles.insert(camera.clone(), text);
        }
    }

    /// Makes the stills of an alert. Returns their number, and the reason for which one is missing.
    fn make(
        &mut self,
        order: &StillsOrder,
        camera: &config::Camera,
    ) -> Result<(usize, Option<StillError>), StillError> {
        if camera.hide_bystanders && self.network.is_none() {
            return Err(StillError::CannotHide);
        }
        let frames = self.footage(order)?;
        let times: Vec<_> = frames.iter().map(|frame| frame.at).collect();
        let mut chosen: BTreeMap<usize, Vec<StillKind>> = BTreeMap::new();
        for (kind, place) in order.choose(&times) {
            chosen.entry(place).or_default().push(kind);
        }
        let used: Vec<KeyFrame> = chosen.keys().map(|place| frames[*place].clone()).collect();
        if used.is_empty() {
            return Err(StillError::NoFootage);
        }
        let store = self.store.clone();
        let look = AlertLook::begin(&store, &order.camera, order.alert, &used, &SystemClock)?;
        let mut drawn = Drawn::default();
        for (frame, kinds) in used.iter().zip(chosen.values()) {
            progress::advance();
            let images = self.draw(order, camera, &look, frame, kinds);
            match images {
                Ok(images) => {
                    drawn.images.extend(images.into_iter().map(|(kind, image)| (kind, frame.clone(), image)));
                }
                Err(error) => drop(drawn.fault.get_or_insert(error)),
            }
        }
        let stills = encoded(order, drawn.images)?;
        look.end(&stills)?;
        let count = stills.len();
        if count > 0 {
            let removed = progress::wait(|| self.store.put_stills(stills))?;
            if removed > 0 {
                tracing::warn!("{removed} stills that waited for the post made way for newer ones");
            }
            self.publisher.wake_for_stills();
        }
        Ok((count, drawn.fault))
    }

    /// The key frames around an event. Waits until the footage reaches beyond it, and takes what there is in the end.
    fn footage(&self, order: &StillsOrder) -> Result<Vec<KeyFrame>, StillError> {
        let (from, to) = order.span();
        let newest =
            ClipFilter { camera: Some(order.camera.clone()), limit: Some(1), ..ClipFilter::default() };
        let end = Instant::now() + FOOTAGE_PATIENCE;
        loop {
            let ends_at = self.store.segments(&newest)?.pop().map(|segment| segment.ends_at);
            let is_there = ends_at.is_some_and(|at| at >= order.event_at + AFTER);
            if is_there || Instant::now() >= end || !self.waits(FOOTAGE_INTERVAL) {
                return Ok(key_frames(&self.store, &order.camera, from, to)?);
            }
        }
    }

    /// Reads and decodes a key frame, and draws its stills.
    fn draw(
        &mut self,
        order: &StillsOrder,
        camera: &config::Camera,
        look: &AlertLook<'_>,
        frame: &KeyFrame,
        kinds: &[StillKind],
    ) -> Result<Vec<(StillKind, RgbImage)>, StillError> {
        let picture = self.decoder.recorded(&order.camera, &look.read(frame)?.mp4)?;
        progress::advance();
        let network = self.network.as_deref_mut();
        let found = found(network, &order.camera, &picture, camera.hide_bystanders, kinds)?;
        let placed = placed(order.subject, &found, camera.hide_bystanders, kinds.contains(&StillKind::Crop));
        let scene = Scene {
            picture: &picture,
            masks: &camera.privacy_masks,
            bystanders: &placed.bystanders,
            subject: placed.subject,
        };
        let redacted = scene.redacted()?;
        let mut images = Vec::new();
        for kind in kinds {
            let image = match kind {
                StillKind::Before | StillKind::After => Some(picture::whole(&redacted)),
                StillKind::Crop => placed.crop.and_then(|rect| picture::part(&redacted, rect)),
            };
            images.extend(image.map(|image| (*kind, image)));
        }
        Ok(images)
    }
}

/// Subjects and bystanders on a key frame.
#[derive(Debug, PartialEq)]
struct Placed {
    /// Persons to hide.
    bystanders: Vec<Rect>,
    /// The box that stays visible where a bystander overlaps it.
    subject: Option<Rect>,
    /// The box that the crop shows.
    crop: Option<Rect>,
}

/// Places an event's subject among the detections on a key frame. Where persons are hidden, a subject that is not certainly the
/// same person is hidden too, and has no crop. Only a key frame near the event can be certain.
fn placed(subject: Option<(Label, Rect)>, detections: &[Detection], hides: bool, is_near: bool) -> Placed {
    let Some(subject) = subject else {
        let bystanders = if hides { plan::bystanders(detections, None) } else { Vec::new() };
        return Placed { bystanders, subject: None, crop: None };
    };
    if !hides {
        let rect = plan::likely(subject, detections).unwrap_or(subject.1);
        return Placed { bystanders: Vec::new(), subject: None, crop: Some(rect) };
    }
    let same = plan::same(subject, detections).filter(|_| is_near);
    let expected = (subject.0 != Label::Person).then_some(subject.1);
    Placed { bystanders: plan::bystanders(detections, same), subject: same, crop: same.or(expected) }
}

/// Detections on a picture: in all its parts where persons are to be hidden, once where only the crop looks for its subject.
fn found(
    network: Option<&mut (dyn Detector + 'static)>,
    camera: &CameraId,
    picture: &Picture,
    hides: bool,
    kinds: &[StillKind],
) -> Result<Vec<Detection>, StillError> {
    let Some(network) = network else { return Ok(Vec::new()) };
    if !hides && !kinds.contains(&StillKind::Crop) {
        return Ok(Vec::new());
    }
    let at: Stamp = SystemClock.now();
    let frame = Frame { camera: camera.clone(), epoch: Epoch(0), pts: Pts(0), at, picture: picture.clone() };
    let size = InferenceArea::whole(network.input_sizes()).size;
    let parts = if hides { &PARTS[..] } else { &PARTS[..1] };
    let areas: Vec<InferenceArea> = parts.iter().map(|part| InferenceArea { crop: *part, size }).collect();
    let detections = network.infer(&frame, &areas)?.detections;
    Ok(subjects(&detections, network.includes_riders()))
}

/// Encodes drawn stills, the crop first, so that all together keep their bytes. A picture for which no room is left is not sent.
fn encoded(
    order: &StillsOrder,
    mut images: Vec<(StillKind, KeyFrame, RgbImage)>,
) -> Result<Vec<StillDraft>, StillError> {
    images.sort_by_key(|(kind, ..)| (*kind != StillKind::Crop, *kind));
    let (mut stills, mut used, count) = (Vec::new(), 0, images.len());
    for (place, (kind, frame, image)) in images.into_iter().enumerate() {
        progress::advance();
        let bytes =
            picture::encode(&image, picture::share(used, count - place)).map_err(StillError::Encode)?;
        let Some(bytes) = bytes else { continue };
        used += bytes.len();
        stills.push(StillDraft { alert: order.alert, kind, taken_at: frame.at, jpeg: Thumbnail(bytes) });
    }
    stills.sort_by_key(|still| still.taken_at);
    Ok(stills)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_certainly_the_subject_is_hidden() {
        let found = |label, rect| Detection { label, score: 0.8, rect };
        let (here, there) = (Rect::new(0.4, 0.4, 0.1, 0.2), Rect::new(0.6, 0.4, 0.1, 0.2));
        let subject = Some((Label::Person, here));
        let both = [found(Label::Person, here), found(Label::Person, there)];
        let shown = placed(subject, &both, true, true);
        assert_eq!(shown, Placed { bystanders: vec![there], subject: Some(here), crop: Some(here) });
        // Two seconds earlier somebody else may stand there.
        let hidden = placed(subject, &both, true, false);
        assert_eq!(hidden, Placed { bystanders: vec![here, there], subject: None, crop: None });
        let gone = placed(subject, &both[1..], true, true);
        assert_eq!(gone, Placed { bystanders: vec![there], subject: None, crop: None });
        // A vehicle is no person: its crop shows no face but its riders'.
        let car = placed(Some((Label::Car, here)), &both, true, true);
        assert_eq!(car, Placed { bystanders: vec![here, there], subject: None, crop: Some(here) });
        let nobody = placed(None, &both, true, true);
        assert_eq!(nobody, Placed { bystanders: vec![here, there], subject: None, crop: None });
        let open = placed(subject, &both[1..], false, true);
        assert_eq!(open, Placed { bystanders: Vec::new(), subject: None, crop: Some(there) });
    }
}
