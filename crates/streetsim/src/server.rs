//! RTSP cameras for the demonstration and for tests: a real server in this process, on loopback only.
//!
//! Never part of a box's program.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_rtsp_server as gst_rtsp_server;
use gstreamer_rtsp_server::prelude::*;

use base::fault::ErrorKind;
use base::picture::{Picture, PixelFormat};
use base::secret::Credentials;

/// Errors of the demonstration's cameras.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// GStreamer lacks something.
    #[error("cannot serve a camera: {0}")]
    NotReady(String),
    /// A file that cannot be served.
    #[error("cannot serve {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
}

impl ServerError {
    /// The supervisor's class of this error.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Config
    }
}

impl From<glib::BoolError> for ServerError {
    fn from(error: glib::BoolError) -> Self {
        Self::NotReady(error.to_string())
    }
}

/// Draws frame number n. Frame numbers follow the time since the server started, with or without a client.
pub type Draw = Arc<dyn Fn(u64) -> Picture + Send + Sync>;

/// Source of a camera's pictures.
#[derive(Clone)]
pub enum Feed {
    /// Drawn pictures, encoded as H.264.
    Drawn {
        /// Pictures per second.
        fps: u32,
        /// Encoded kbit/s.
        kbit_per_second: u32,
        /// Function that draws them.
        draw: Draw,
    },
    /// A file's own samples (H.264 or H.265), again and again, in real time.
    File(PathBuf),
}

/// Access of clients.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// User and password that a client must give.
    pub credentials: Option<Credentials>,
    /// Certificate and private key in PEM: the server then speaks `rtsps://` only.
    pub identity_pem: Option<String>,
}

/// Faults that a test switches on and off while the camera runs.
#[derive(Debug, Default)]
pub struct Faults {
    /// Connected, but without further samples.
    pub frozen: AtomicBool,
    /// Every other sample is garbage.
    pub garbled: AtomicBool,
}

/// An RTSP server on 127.0.0.1. Stops when dropped.
pub struct CameraServer {
    server: gst_rtsp_server::RTSPServer,
    source: Option<glib::Source>,
    context: glib::MainContext,
    main_loop: glib::MainLoop,
    scheme: &'static str,
    thread: Option<std::thread::JoinHandle<()>>,
    started: Instant,
}

impl CameraServer {
    /// Listens on `port`, 0 for any free one.
    pub fn start(port: u16, access: &Access) -> Result<Self, ServerError> {
        gst::init().map_err(|error| ServerError::NotReady(format!("GStreamer: {error}")))?;
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        if let Some(auth) = auth(access)? {
            server.set_auth(Some(&auth));
        }
        let context = glib::MainContext::new();
        let source = server
            .create_source(gio::Cancellable::NONE)
            .map_err(|error| ServerError::NotReady(format!("port {port}: {error}")))?;
        source.attach(Some(&context));
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let (running, in_thread) = (main_loop.clone(), context.clone());
        let thread = std::thread::Builder::new().name("camera-server".into()).spawn(move || {
            // The context belongs to this thread alone, so taking it cannot fail.
            let _ = in_thread.with_thread_default(|| running.run());
        });
        let thread = Some(thread.map_err(|error| ServerError::NotReady(error.to_string()))?);
        let scheme = if access.identity_pem.is_some() { "rtsps" } else { "rtsp" };
        Ok(Self { server, source: Some(source), context, main_loop, scheme, thread, started: Instant::now() })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        u16::try_from(self.server.bound_port()).unwrap_or(0)
    }

    /// URL of the feed mounted at `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port())
    }

    /// Shows `feed` at `path` (with a leading slash).
    pub fn mount(&self, path: &str, feed: Feed) -> Result<Arc<Faults>, ServerError> {
        let faults = Arc::new(Faults::default());
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_shared(true);
        factory.set_launch(&launch_line(&feed)?);
        let viewer = gst::Structure::builder("viewer")
            .field("media.factory.access", true)
            .field("media.factory.construct", true);
        factory.add_role_from_structure(&viewer.build());
        let (started, of_feed) = (self.started, faults.clone());
        factory.connect_media_configure(move |_, media| {
            if let Err(error) = configure(media, &feed, &of_feed, started) {
                tracing::error!("demonstration camera: {error}");
            }
        });
        let mounts =
            self.server.mount_points().ok_or_else(|| ServerError::NotReady("no mount points".to_owned()))?;
        mounts.add_factory(path, factory);
        Ok(faults)
    }

    /// Stops as if the camera's plug were pulled: every connection ends, and the port is free again.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let (server, main_loop, source) = (self.server.clone(), self.main_loop.clone(), self.source.take());
        self.context.invoke(move || {
            if let Some(source) = source {
                source.destroy();
            }
            server.client_filter(Some(&mut |_, _| gst_rtsp_server::RTSPFilterResult::Remove));
            main_loop.quit();
        });
        if thread.join().is_err() {
            tracing::error!("the camera server's thread had panicked");
        }
    }
}

impl Drop for CameraServer {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn auth(access: &Access) -> Result<Option<gst_rtsp_server::RTSPAuth>, ServerError> {
    if access.credentials.is_none() && access.identity_pem.is_none() {
        return Ok(None);
    }
    let auth = gst_rtsp_server::RTSPAuth::new();
    let token = gst_rtsp_server::RTSPToken::builder().field("media.factory.role", "viewer").build();
    match &access.credentials {
        Some(credentials) => {
            let basic =
                gst_rtsp_server::RTSPAuth::make_basic(&credentials.user, credentials.password.reveal());
            auth.add_basic(&basic, &token);
        }
        None => auth.set_default_token(Some(&mut token.copy())),
    }
    if let Some(pem) = &access.identity_pem {
        let certificate = gio::TlsCertificate::from_pem(pem)
            .map_err(|error| ServerError::NotReady(format!("the camera's certificate: {error}")))?;
        auth.set_tls_certificate(Some(&certificate));
    }
    Ok(Some(auth))
}

fn launch_line(feed: &Feed) -> Result<String, ServerError> {
    let source = "appsrc name=feed is-live=true format=time";
    Ok(match feed {
        Feed::Drawn { fps, kbit_per_second, .. } => {
            let encoder =
                ["x264enc", "openh264enc"].into_iter().find(|e| gst::ElementFactory::find(e).is_some());
            let gop = fps * 2;
            let encoder = match encoder {
                Some("x264enc") => format!(
                    "x264enc tune=zerolatency speed-preset=ultrafast bitrate={kbit_per_second} key-int-max={gop}"
                ),
                Some(_) => format!("openh264enc bitrate={} gop-size={gop}", kbit_per_second * 1000),
                None => {
                    return Err(ServerError::NotReady(
                        "no H.264 encoder: install gstreamer1.0-plugins-ugly".into(),
                    ));
                }
            };
            format!("( {source} ! videoconvert ! {encoder} ! rtph264pay name=pay0 pt=96 config-interval=-1 )")
        }
        Feed::File(path) => {
            let caps = FileSamples::open(path)?.caps.clone();
            let codec =
                if caps.structure(0).is_some_and(|s| s.name() == "video/x-h265") { "h265" } else { "h264" };
            format!("( {source} ! {codec}parse ! rtp{codec}pay name=pay0 pt=96 config-interval=-1 )")
        }
    })
}

fn configure(
    media: &gst_rtsp_server::RTSPMedia,
    feed: &Feed,
    faults: &Arc<Faults>,
    started: Instant,
) -> Result<(), ServerError> {
    let bin =
        media.element().downcast::<gst::Bin>().map_err(|_| ServerError::NotReady("no bin".to_owned()))?;
    let find = |name: &str| bin.by_name(name).ok_or_else(|| ServerError::NotReady(format!("no {name}")));
    let source = find("feed")?.downcast::<gst_app::AppSrc>();
    let source = source.map_err(|_| ServerError::NotReady("no appsrc".to_owned()))?;
    garble_on_demand(&find("pay0")?, faults.clone());
    let (feed, faults) = (feed.clone(), faults.clone());
    let thread = std::thread::Builder::new().name("camera-feed".into()).spawn(move || {
        let result = match feed {
            Feed::Drawn { fps, draw, .. } => draw_into(&source, fps, &draw, &faults, started),
            Feed::File(path) => play_into(&source, &path, &faults),
        };
        if let Err(error) = result {
            tracing::error!("demonstration camera: {error}");
        }
    });
    thread.map(|_| ()).map_err(|error| ServerError::NotReady(error.to_string()))
}

/// Spoils samples between encoder and payloader while the fault is on.
fn garble_on_demand(payloader: &gst::Element, faults: Arc<Faults>) {
    let Some(pad) = payloader.static_pad("sink") else { return };
    let counter = AtomicU64::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, probe| {
        let spoil = faults.garbled.load(Ordering::Relaxed)
            && counter.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut probe.data
            && spoil
            && let Ok(mut map) = buffer.make_mut().map_writable()
        {
            // The start code and the kind of the first unit stay, so that it travels; its inside is noise.
            for (index, byte) in map.iter_mut().enumerate().skip(16) {
                *byte ^= (index as u8).wrapping_mul(37);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

fn draw_into(
    source: &gst_app::AppSrc,
    fps: u32,
    draw: &Draw,
    faults: &Faults,
    started: Instant,
) -> Result<(), ServerError> {
    let frame_time = Duration::from_secs(1) / fps.max(1);
    let first = u64::try_from(started.elapsed().as_nanos() / frame_time.as_nanos()).unwrap_or(0);
    let origin = Instant::now();
    source.set_property("do-timestamp", true);
    for n in 0u32.. {
        wait_for(origin + frame_time * n);
        if faults.frozen.load(Ordering::Relaxed) {
            if source.current_state() == gst::State::Null {
                return Ok(());
            }
            continue;
        }
        let picture = draw(first + u64::from(n));
        if n == 0 {
            source.set_caps(Some(&raw_caps(&picture, fps)));
        }
        if source.push_buffer(gst::Buffer::from_slice(Samples(picture))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// A picture's samples as a buffer's memory, without a copy.
struct Samples(Picture);

impl AsRef<[u8]> for Samples {
    fn as_ref(&self) -> &[u8] {
        self.0.samples()
    }
}

fn raw_caps(picture: &Picture, fps: u32) -> gst::Caps {
    let format = match picture.format() {
        PixelFormat::I420 => "I420",
        PixelFormat::Nv12 => "NV12",
    };
    // GStreamer's own planes have strides rounded up to 4; widths of the pictures drawn here are multiples of 8.
    gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", i32::try_from(picture.width()).unwrap_or(0))
        .field("height", i32::try_from(picture.height()).unwrap_or(0))
        .field("framerate", gst::Fraction::new(i32::try_from(fps).unwrap_or(1), 1))
        .field("colorimetry", if picture.colour().full_range { "1:4:0:0" } else { "bt601" })
        .build()
}

fn play_into(source: &gst_app::AppSrc, path: &Path, faults: &Faults) -> Result<(), ServerError> {
    let origin = Instant::now();
    let mut loop_starts_at = gst::ClockTime::ZERO;
    loop {
        let file = FileSamples::open(path)?;
        source.set_caps(Some(&file.caps));
        let mut loop_ends_at = loop_starts_at;
        while let Some(buffer) = file.next() {
            let Some(dts) = buffer.dts_or_pts() else { continue };
            wait_for(origin + Duration::from(loop_starts_at + dts));
            loop_ends_at =
                loop_starts_at + dts + buffer.duration().unwrap_or(gst::ClockTime::from_mseconds(40));
            let mut shifted = buffer.copy();
            if let Some(buffer) = shifted.get_mut() {
                buffer.set_pts(buffer.pts().map(|pts| pts + loop_starts_at));
                buffer.set_dts(buffer.dts().map(|dts| dts + loop_starts_at));
            }
            if !faults.frozen.load(Ordering::Relaxed) && source.push_buffer(shifted).is_err() {
                return Ok(());
            }
        }
        if loop_ends_at == loop_starts_at {
            return Err(ServerError::Unreadable {
                path: path.to_owned(),
                reason: "it holds no samples".to_owned(),
            });
        }
        loop_starts_at = loop_ends_at;
    }
}

fn wait_for(at: Instant) {
    if let Some(left) = at.checked_duration_since(Instant::now()) {
        std::thread::sleep(left);
    }
}

/// A file's encoded samples in order.
struct FileSamples {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    caps: gst::Caps,
    first: RefCell<Option<gst::Sample>>,
    /// Decoding time of the first sample.
    origin: RefCell<Option<gst::ClockTime>>,
}

impl FileSamples {
    fn open(path: &Path) -> Result<Self, ServerError> {
        let unreadable =
            |reason: &str| ServerError::Unreadable { path: path.to_owned(), reason: reason.to_owned() };
        let source = gst::ElementFactory::make("filesrc").build()?;
        source.set_property("location", path.to_str().ok_or_else(|| unreadable("its path is not UTF-8"))?);
        let parse = gst::ElementFactory::make("parsebin").build()?;
        let wanted: gst::Caps = "video/x-h264,stream-format=byte-stream,alignment=au;\
                               video/x-h265,stream-format=byte-stream,alignment=au"
            .parse()?;
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(8).build();
        keep_hidden_samples(&sink);
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, &parse, sink.upcast_ref()])?;
        source.link(&parse)?;
        let (weak, target) = (pipeline.downgrade(), sink.clone());
        parse.connect_pad_added(move |_, pad| {
            // Newer releases expose a pad before its caps have been set.
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let kind = caps.structure(0).map(|s| s.name().to_string());
            let parser = match kind.as_deref() {
                Some("video/x-h264") => "h264parse",
                Some("video/x-h265") => "h265parse",
                _ => return,
            };
            let Some(pipeline) = weak.upgrade() else { return };
            let Ok(parser) = gst::ElementFactory::make(parser).build() else { return };
            let linked = pipeline.add(&parser).is_ok()
                && parser.link_filtered(&target, &wanted).is_ok()
                && parser.sync_state_with_parent().is_ok();
            if let Some(input) = parser.static_pad("sink").filter(|_| linked) {
                // A second track finds its place taken.
                let _ = pad.link(&input);
            }
        });
        pipeline.set_state(gst::State::Playing).map_err(|_| unreadable("it cannot be opened"))?;
        let first = sink
            .try_pull_sample(gst::ClockTime::from_seconds(5))
            .ok_or_else(|| unreadable("it holds no H.264 or H.265 video; convert it first"))?;
        let caps = first.caps_owned().ok_or_else(|| unreadable("its samples have no caps"))?;
        Ok(Self { pipeline, sink, caps, first: Some(first).into(), origin: None.into() })
    }

    /// The next sample, its times counted from the file's first one; `None` at the end.
    ///
    /// Samples that an edit list hides are sent like any other: later ones refer to them.
    fn next(&self) -> Option<gst::Buffer> {
        let first = self.first.borrow_mut().take();
        let sample = first.or_else(|| self.sink.pull_sample().ok())?;
        let mut buffer = sample.buffer_owned()?;
        drop(sample);
        let (pts, dts) = (buffer.pts(), buffer.dts().or(buffer.pts()));
        let origin = *self.origin.borrow_mut().get_or_insert(dts.unwrap_or(gst::ClockTime::ZERO));
        let changed = buffer.make_mut();
        changed.set_pts(pts.map(|time| time.saturating_sub(origin)));
        changed.set_dts(dts.map(|time| time.saturating_sub(origin)));
        Some(buffer)
    }
}

/// Gives the sink a segment without bounds. A sink drops samples outside of its segment, among them those that an edit
/// list hides.
fn keep_hidden_samples(sink: &gst_app::AppSink) {
    let Some(pad) = sink.static_pad("sink") else { return };
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, probe| {
        if let Some(gst::PadProbeData::Event(event)) = &mut probe.data
            && event.type_() == gst::EventType::Segment
        {
            *event = gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new());
        }
        gst::PadProbeReturn::Ok
    });
}

impl Drop for FileSamples {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
