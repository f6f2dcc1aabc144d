//! Cameras whose video travels inside the RTSP connection, without TLS: most of them.
//!
//! GStreamer's `rtspsrc` wakes several threads for every packet, and costs more than everything behind it. Here one
//! thread reads the connection and makes samples of it (with `retina`), which go into the pipeline through an `appsrc`.
//! What retina does not understand before the first sample is left to `rtspsrc`, which reads around more of what
//! cameras get wrong.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use retina::client::{
    PacketItem, PlayOptions, Playing, Session, SessionOptions, SetupOptions, TeardownPolicy,
};
use retina::codec::ParametersRef;
use tokio::time::timeout;

use super::feed::Feed;
use super::parts::Failure;
use super::pipeline::{Tail, codec_not_supported};
use super::settings::{RtspSource, StreamSettings};
use super::units::{self, Media, Packet, PacketKind};
use super::wire::FailureKind;
use crate::bitstream::sets::sets_of;
use crate::clock;
use crate::domain::fragment::Codec;

/// How long the camera may take to answer one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A stream that is only recorded is read this often, and waits in the kernel meanwhile: each read costs a wake-up.
const PAUSE: Duration = Duration::from_millis(100);
/// Where more than this came since the last pause, none is made: the kernel's room is 128 KiB at first, and a camera
/// that finds it full may throw samples away.
const PAUSE_BYTES_MAX: usize = 48 * 1024;

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
    let (mut session, media) = connect(rtsp, &tail.stream).await?;
    let feed = Feed::new(&media, tail);
    let mut leisure = tail.stream.watch_fps_max.is_none().then(Leisure::default);
    while let Some(item) = next(&mut session, leisure.as_mut()).await {
        let (kind, data) = match item.map_err(|error| broken(&error, &tail.stream))? {
            PacketItem::Rtp(packet) => (PacketKind::Rtp, packet.raw().to_vec()),
            PacketItem::Rtcp(packet) => (PacketKind::Rtcp, packet.raw().to_vec()),
            _ => continue,
        };
        if let Some(leisure) = &mut leisure {
            leisure.bytes_since_pause += data.len();
        }
        let arrival = clock::monotonic();
        feed.push(&Packet { kind, arrival, data, transport: units::Transport::Tcp })?;
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
    session: &mut Pin<Box<Session<Playing>>>,
    leisure: Option<&mut Leisure>,
) -> Option<Result<PacketItem, retina::Error>> {
    if let Some(leisure) = leisure {
        if let Some(item) = session.next().now_or_never() {
            return item;
        }
        if std::mem::take(&mut leisure.bytes_since_pause) <= PAUSE_BYTES_MAX {
            // The whole thread sleeps, since the runtime itself would wake for every packet. It has nothing else to do.
            std::thread::sleep(PAUSE);
        }
    }
    session.next().await
}

/// DESCRIBE, SETUP and PLAY of the first video stream. Sound is neither recorded nor asked for: nobody on the street
/// agreed to be listened to.
async fn connect(
    rtsp: &RtspSource,
    stream: &StreamSettings,
) -> Result<(Pin<Box<Session<Playing>>>, Media), Broken> {
    let url = url::Url::parse(&rtsp.url)
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
    let described = &session.streams()[index];
    let media = Media {
        codec,
        payload_type: None,
        clock_rate: described.clock_rate_hz(),
        parameter_sets: parameter_sets(described.parameters(), codec),
    };
    answered(session.setup(index, SetupOptions::default()), stream).await?;
    let session = answered(session.play(PlayOptions::default()), stream).await?;
    Ok((Box::pin(session), media))
}

/// The parameter sets that the description holds.
fn parameter_sets(parameters: Option<ParametersRef<'_>>, codec: Codec) -> Vec<Vec<u8>> {
    match parameters {
        Some(ParametersRef::Video(video)) => sets_of(codec, video.extra_data()),
        _ => Vec::new(),
    }
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
