//! Cameras whose video travels inside the RTSP connection, without TLS: most of them.
//!
//! GStreamer's `rtspsrc` wakes several threads for every packet, and costs more than everything behind it. Here one
//! thread reads the connection and makes samples of it (with `retina`), which go into the pipeline through an `appsrc`.
//! What retina does not understand before the first sample is left to `rtspsrc`, which reads around more of what
//! cameras get wrong.

mod authentication;
mod client;
mod connection;
mod dialogue;
mod error;
mod interleaved;
mod keep_alive;
mod media;
mod message;
mod packet;
mod sdp;
mod transport;
mod udp;
mod url;

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use retina::client::{Demuxed, PlayOptions, Session, SessionOptions, SetupOptions, TeardownPolicy};
use retina::codec::{CodecItem, FrameFormat, ParametersRef, VideoFrame, VideoParameters};
use tokio::time::timeout;

use super::parts::Failure;
use super::pipeline::{Tail, codec_not_supported};
use super::settings::{RtspSource, StreamSettings};
use super::wire::FailureKind;
use crate::clock::{self, Clock as _, SystemClock};
use crate::domain::fragment::{Codec, StreamFacts};
use crate::domain::time::{Monotonic, Stamp};

/// How long the camera may take to answer one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Samples that may wait for the muxer. More means that the disk's side is blocked.
const WAITING_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A stream that is only recorded goes into the pipeline in portions: each wakes the pipeline's threads once.
const PORTION: Duration = Duration::from_millis(500);
/// A stream that is only recorded is read this often, and waits in the kernel meanwhile: each read costs a wake-up.
const PAUSE: Duration = Duration::from_millis(100);
/// Where more than this came since the last pause, none is made: the kernel's room is 128 KiB at first, and a camera
/// that finds it full may throw samples away.
const PAUSE_BYTES_MAX: usize = 48 * 1024;
/// A camera's own time and the box's may differ by this much from one sample to the next.
const JUMP_MAX: Duration = Duration::from_secs(10);
/// Arrival times that are remembered: more than a GOP's worth at 30 samples a second.
const ARRIVALS_MAX: usize = 1024;
/// A time that comes out of the pipeline is that of the sample that went in this close to it.
const SAME: gst::ClockTime = gst::ClockTime::from_mseconds(1);

/// Starts to read the camera in a thread of its own.
pub(super) fn start(rtsp: RtspSource, tail: Tail) -> Result<(), Failure> {
    let body = move || {
        let shared = tail.shared.clone();
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return shared.fail(Failure::new(FailureKind::Bug, format!("tokio: {error}"))),
        };
        let error = runtime.block_on(read(&rtsp, &tail));
        if error.is_beyond_retina && shared.samples() == 0 {
            tracing::warn!("GStreamer reads this camera: {}", error.failure.reason);
            if let Err(failure) = tail.attach_rtspsrc(&rtsp) {
                shared.fail(failure);
            }
            return;
        }
        shared.fail(error.failure);
    };
    let thread = std::thread::Builder::new().name("session-rtsp".into()).spawn(body);
    thread.map(drop).map_err(|error| Failure::new(FailureKind::Transient, error.to_string()))
}

/// Why reading ended.
struct Broken {
    failure: Failure,
    /// Not the network and not an answer that says why: another reader may get further.
    is_beyond_retina: bool,
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self { failure, is_beyond_retina: false }
    }
}

/// Reads until the stream ends or breaks.
async fn read(rtsp: &RtspSource, tail: &Tail) -> Broken {
    match try_read(rtsp, tail).await {
        Err(broken) => broken,
        Ok(()) => Failure::new(FailureKind::Transient, "the camera ended the stream").into(),
    }
}

async fn try_read(rtsp: &RtspSource, tail: &Tail) -> Result<(), Broken> {
    let (mut demuxed, index, codec) = connect(rtsp, &tail.stream).await?;
    let mut feed: Option<Arc<Feed>> = None;
    let mut leisure = tail.stream.watch_fps_max.is_none().then(Leisure::default);
    while let Some(item) = next(&mut demuxed, leisure.as_mut()).await {
        let CodecItem::VideoFrame(frame) = item.map_err(|error| broken(&error, &tail.stream))? else {
            continue;
        };
        if let Some(leisure) = &mut leisure {
            leisure.bytes_since_pause += frame.data().len();
        }
        let now = clock::monotonic();
        if feed.is_none() || frame.has_new_parameters() {
            let Some(ParametersRef::Video(parameters)) = demuxed.streams()[index].parameters() else {
                continue;
            };
            match &feed {
                Some(feed) => feed.change(parameters, codec, tail),
                // What comes before the first keyframe cannot be decoded.
                None if frame.is_random_access_point() => feed = Some(Feed::attach(parameters, codec, tail)?),
                None => {}
            }
        }
        if let Some(feed) = &feed {
            let bytes = frame.data().len();
            feed.push(frame, now)?;
            tail.shared.sample_arrived(now, bytes);
        }
    }
    Ok(())
}

/// What a stream for which nobody waits has delivered.
#[derive(Default)]
struct Leisure {
    bytes_since_pause: usize,
}

/// The next item. At leisure, what comes within [`PAUSE`] is read at once.
async fn next(
    demuxed: &mut Pin<Box<Demuxed>>,
    leisure: Option<&mut Leisure>,
) -> Option<Result<CodecItem, retina::Error>> {
    if let Some(leisure) = leisure {
        if let Some(item) = demuxed.next().now_or_never() {
            return item;
        }
        if std::mem::take(&mut leisure.bytes_since_pause) <= PAUSE_BYTES_MAX {
            // The whole thread sleeps, since the runtime itself would wake for every packet. It has nothing else to do.
            std::thread::sleep(PAUSE);
        }
    }
    demuxed.next().await
}

/// DESCRIBE, SETUP and PLAY of the first video stream. Sound is neither recorded nor asked for: nobody on the street
/// agreed to be listened to.
async fn connect(
    rtsp: &RtspSource,
    stream: &StreamSettings,
) -> Result<(Pin<Box<Demuxed>>, usize, Codec), Broken> {
    let url = ::url::Url::parse(&rtsp.url)
        .map_err(|error| Failure::new(FailureKind::Config, format!("the URL {}: {error}", rtsp.url)))?;
    let credentials = rtsp.credentials.as_ref().map(|credentials| retina::client::Credentials {
        username: credentials.user.clone(),
        password: credentials.password.reveal().to_owned(),
    });
    let options = SessionOptions::default()
        .creds(credentials)
        .user_agent("wardwatch".to_owned())
        .teardown(TeardownPolicy::Never);
    let mut session = answered(Session::describe(url, options), stream).await?;
    let is_video = |candidate: &retina::client::Stream| candidate.media() == "video";
    let Some(index) = session.streams().iter().position(is_video) else {
        let text = "the camera's stream has no video in it: check the path";
        return Err(Failure::new(FailureKind::Config, text).into());
    };
    let codec = match session.streams()[index].encoding_name() {
        "h264" => Codec::H264,
        "h265" => Codec::H265,
        other => return Err(codec_not_supported(&other.to_uppercase()).into()),
    };
    let setup = SetupOptions::default().frame_format(FrameFormat::MP4);
    answered(session.setup(index, setup), stream).await?;
    let session = answered(session.play(PlayOptions::default()), stream).await?;
    let demuxed = session.demuxed().map_err(|error| broken(&error, stream))?;
    Ok((Box::pin(demuxed), index, codec))
}

async fn answered<T>(
    request: impl Future<Output = Result<T, retina::Error>>,
    stream: &StreamSettings,
) -> Result<T, Broken> {
    match timeout(ANSWER_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|error| broken(&error, stream)),
        Err(_) => {
            let text = format!("the camera has not answered for {} s", ANSWER_TIMEOUT.as_secs());
            Err(Failure::new(FailureKind::Transient, text).into())
        }
    }
}

/// Retina's error in our words: its first line; what follows is for whoever holds a packet capture.
fn broken(error: &retina::Error, stream: &StreamSettings) -> Broken {
    let failure = match error.status_code() {
        Some(401 | 403) => Failure::not_authorised(stream),
        Some(404) => Failure::not_found(stream),
        _ => {
            let text = error.to_string();
            Failure::new(FailureKind::Transient, text.lines().next().unwrap_or_default())
        }
    };
    let is_redirect = error.status_code().is_some_and(|code| (300..400).contains(&code));
    let says_why = error.status_code().is_some() || std::error::Error::source(error).is_some();
    Broken { failure, is_beyond_retina: is_redirect || !says_why }
}

/// The way into the pipeline.
pub(super) struct Feed {
    source: gst_app::AppSrc,
    state: Mutex<State>,
    arrivals: Arc<Arrivals>,
    /// Only recorded: samples may wait for each other.
    in_portions: bool,
}

struct State {
    /// Running time of the first sample.
    starts: gst::ClockTime,
    first: Option<i64>,
    /// The camera's time and the box's at the last sample.
    last: Option<(i64, Monotonic)>,
    waiting: Vec<gst::Buffer>,
    waiting_since: Option<Monotonic>,
}

impl Feed {
    /// Adds the source, and everything behind it, to the running pipeline.
    fn attach(parameters: &VideoParameters, codec: Codec, tail: &Tail) -> Result<Arc<Self>, Failure> {
        let gone = || Failure::new(FailureKind::Transient, "the session ends");
        let pipeline = tail.pipeline.upgrade().ok_or_else(gone)?;
        let (caps, facts) = described(parameters, codec);
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            // Live, the muxer would also wake by the clock.
            .is_live(tail.stream.watch_fps_max.is_some())
            .max_bytes(WAITING_BYTES_MAX)
            .block(true)
            .build();
        pipeline.add(&source)?;
        tail.shared.set_facts(facts);
        let in_portions = tail.attach_samples(&source, codec)?;
        source.sync_state_with_parent()?;
        let feed = Arc::new(Self {
            state: Mutex::new(State {
                starts: pipeline.current_running_time().unwrap_or_default(),
                first: None,
                last: None,
                waiting: Vec::new(),
                waiting_since: None,
            }),
            source,
            arrivals: tail.shared.arrivals(),
            in_portions,
        });
        tail.shared.set_feed(feed.clone());
        Ok(feed)
    }

    /// The stream's parameters are others from the next sample on.
    fn change(&self, parameters: &VideoParameters, codec: Codec, tail: &Tail) {
        let (caps, facts) = described(parameters, codec);
        if self.source.caps().as_ref() != Some(&caps) {
            self.hand_over(&mut self.state());
            self.source.set_caps(Some(&caps));
            tail.shared.set_facts(facts);
        }
    }

    /// Blocks while [`WAITING_BYTES_MAX`] wait.
    fn push(&self, frame: VideoFrame, now: Monotonic) -> Result<(), Failure> {
        let mut state = self.state();
        let (elapsed, rate) = (frame.timestamp().elapsed(), frame.timestamp().clock_rate());
        if let Some((last_elapsed, last)) = state.last
            && nanos(elapsed - last_elapsed, rate)
                .abs_diff(i64::try_from(now.since(last).as_nanos()).unwrap_or(i64::MAX))
                > u64::try_from(JUMP_MAX.as_nanos()).unwrap_or(u64::MAX)
        {
            return Err(Failure::new(FailureKind::Transient, "the camera's time has jumped"));
        }
        state.last = Some((elapsed, now));
        let first = *state.first.get_or_insert(elapsed);
        let Ok(since_first) = u64::try_from(nanos(elapsed - first, rate)) else {
            // Shown before the first keyframe, and decodable only with what came before it.
            return Ok(());
        };
        let pts = state.starts + gst::ClockTime::from_nseconds(since_first);
        let (is_keyframe, is_after_loss) = (frame.is_random_access_point(), frame.loss() > 0);
        let mut buffer = gst::Buffer::from_mut_slice(frame.into_data());
        let writable = buffer.get_mut().expect("it is new, and nobody else has it");
        writable.set_pts(pts);
        if !is_keyframe {
            writable.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        if is_after_loss {
            writable.set_flags(gst::BufferFlags::DISCONT);
        }
        if is_keyframe || !self.in_portions {
            self.arrivals.add(pts, SystemClock.now());
        }
        state.waiting.push(buffer);
        let since = *state.waiting_since.get_or_insert(now);
        if !self.in_portions || is_keyframe || now.since(since) >= PORTION {
            self.hand_over(&mut state);
        }
        Ok(())
    }

    /// Hands over what waits, and says that nothing more comes.
    pub(super) fn end(&self) {
        self.hand_over(&mut self.state());
        // Fails only where the pipeline has ended already.
        let _ = self.source.end_of_stream();
    }

    fn hand_over(&self, state: &mut State) {
        state.waiting_since = None;
        if state.waiting.is_empty() {
            return;
        }
        let list: gst::BufferList = state.waiting.drain(..).collect();
        // Fails only where the pipeline has failed, which says why.
        let _ = self.source.push_buffer_list(list);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RTP clock units as nanoseconds.
fn nanos(units: i64, rate: NonZeroU32) -> i64 {
    let nanos = i128::from(units) * 1_000_000_000 / i128::from(rate.get());
    i64::try_from(nanos).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

/// What the pipeline and the box have to know of the stream.
fn described(parameters: &VideoParameters, codec: Codec) -> (gst::Caps, StreamFacts) {
    let (name, format) = match codec {
        Codec::H264 => ("video/x-h264", "avc"),
        Codec::H265 => ("video/x-h265", "hvc1"),
    };
    let (width, height) = parameters.pixel_dimensions();
    let pixels = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let mut caps = gst::Caps::builder(name)
        .field("stream-format", format)
        .field("alignment", "au")
        .field("codec_data", gst::Buffer::from_slice(parameters.extra_data().to_vec()))
        .field("width", pixels(width))
        .field("height", pixels(height));
    if let Some((horizontal, vertical)) = parameters.pixel_aspect_ratio() {
        caps = caps.field("pixel-aspect-ratio", gst::Fraction::new(pixels(horizontal), pixels(vertical)));
    }
    (caps.build(), StreamFacts { codec, width, height })
}

/// When samples arrived, by their running time. A camera's own clock runs faster or slower than the box's, so that
/// what comes out of the pipeline cannot tell.
#[derive(Default)]
pub(super) struct Arrivals {
    samples: Mutex<VecDeque<(gst::ClockTime, Stamp)>>,
}

impl Arrivals {
    fn add(&self, running_time: gst::ClockTime, at: Stamp) {
        let mut samples = self.lock();
        if samples.len() == ARRIVALS_MAX {
            samples.pop_front();
        }
        samples.push_back((running_time, at));
    }

    /// When the sample with this running time arrived; `None` for one that did not come this way.
    pub(super) fn of(&self, running_time: gst::ClockTime) -> Option<Stamp> {
        let samples = self.lock();
        let same = |(time, _): &&(gst::ClockTime, Stamp)| time.absdiff(running_time) <= SAME;
        samples.iter().rev().find(same).map(|(_, at)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(gst::ClockTime, Stamp)>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
