//! Streams: real sessions in real child processes against a real RTSP server.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::fragment::{Codec, Fragment, FragmentStart};
use base::picture::Picture;
use base::secret::{Credentials, Secret};
use base::status::StreamState;
use camera::{DecodeMode, Source, StreamHandle, Transport, read_pictures, supervise};
use rustix::process::{Pid, Signal, kill_process};
use streetsim::server::{Access, CameraServer, Feed};

use crate::support::camera::{
    Delivered, bar_camera, bar_feed, session_program, session_program_with, stream,
};
use crate::support::{shared, slices, wait_until};

const PATIENCE: Duration = Duration::from_secs(40);

fn start(stream: camera::StreamSettings) -> (Delivered, StreamHandle) {
    let delivered = Delivered::default();
    let handle = supervise(stream, session_program(), delivered.sink());
    (delivered, handle)
}

/// Writes the fragments of the first epoch as a file, into a folder that lives as long as the value.
fn as_file(fragments: &[Fragment]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let epoch = fragments[0].epoch;
    let mut bytes = fragments[0].init.to_vec();
    for fragment in fragments.iter().filter(|fragment| fragment.epoch == epoch) {
        bytes.extend_from_slice(&fragment.bytes);
    }
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Reads codec and number of decodable frames of a file with ffprobe; its complaints fail the test.
fn probe(path: &Path) -> (String, u32) {
    let arguments = ["-v", "warning", "-count_frames", "-select_streams", "v:0"];
    let entries = ["-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0"];
    let output = Command::new("ffprobe").args(arguments).args(entries).arg(path).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "ffprobe of {}: {complaints}", path.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let (codec, frames) = text.trim().split_once(',').unwrap();
    (codec.to_owned(), frames.parse().unwrap())
}

#[test]
fn a_camera_is_recorded_and_watched_and_its_fragments_make_a_playable_file() {
    let server = bar_camera(10);
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    wait_until("three fragments", PATIENCE, || delivered.fragments().len() >= 3);
    wait_until("live", PATIENCE, || delivered.is(StreamState::Live, ""));
    let frame = delivered.frames().pop().unwrap();
    assert_eq!((frame.picture.width(), frame.picture.height()), (320, 192));
    handle.stop();
    let fragments = delivered.fragments();
    let samples: u32 = fragments.iter().map(|fragment| fragment.samples).sum();
    assert_eq!(fragments[0].facts.codec, Codec::H264);
    let (_folder, path) = as_file(&fragments);
    assert_eq!(probe(&path), ("h264".to_owned(), samples));
    for pair in fragments.windows(2) {
        let gap = pair[1].pts.0.abs_diff(pair[0].pts.0 + pair[0].duration.as_nanos() as u64);
        assert!(gap < 20_000_000, "fragments join: {gap} ns apart");
        let arrived = pair[1].starts_at.monotonic.since(pair[0].starts_at.monotonic);
        assert!(
            arrived.abs_diff(pair[0].duration) < Duration::from_secs(1),
            "stamps follow the clock: {arrived:?}"
        );
    }
}

#[test]
fn frames_come_no_faster_than_asked() {
    let server = bar_camera(20);
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    wait_until("twenty frames", PATIENCE, || delivered.frames().len() >= 20);
    handle.stop();
    let frames = delivered.frames();
    let span = (frames[frames.len() - 1].pts.0 - frames[0].pts.0) as f64 / 1e9;
    let rate = (frames.len() - 1) as f64 / span;
    assert!(rate <= 5.6, "{rate} frames per second of the camera's own time");
}

/// Left edge of the bar, and the number of bright pixels in the middle row.
fn bar(picture: &Picture) -> (usize, usize) {
    let width = picture.width() as usize;
    let row = &picture.luma()[picture.height() as usize / 2 * width..][..width];
    let bright = |x: &usize| row[*x] > 155;
    ((0..width).find(bright).unwrap_or(width), (0..width).filter(bright).count())
}

#[test]
fn an_idle_stream_decodes_key_frames_and_catches_up_when_it_is_woken() {
    let server = bar_camera(10);
    let mut settings = stream("gate", &server.url("/main"));
    settings.watch_fps_max = Some(30.0);
    settings.idle_gap_max = Some(Duration::from_millis(2100));
    let (delivered, handle) = start(settings);
    let gaps = |from: usize| -> Vec<u64> {
        let frames = delivered.frames();
        let pts: Vec<u64> = frames.iter().skip(from).map(|frame| frame.pts.0 / 1_000_000).collect();
        pts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    };
    wait_until("ten frames", PATIENCE, || delivered.frames().len() >= 10);
    assert!(gaps(0).iter().any(|gap| *gap <= 150), "awake at first: {:?}", gaps(0));
    delivered.set_decode_mode(DecodeMode::KeyframesOnly);
    // The camera has a key frame every two seconds.
    wait_until("key frames only", PATIENCE, || gaps(0).iter().rev().take(2).all(|gap| *gap >= 1500));
    let key_frame = delivered.frames().len();
    wait_until("the next key frame", PATIENCE, || delivered.frames().len() > key_frame);
    let before = delivered.frames().len();
    let last = delivered.frames()[before - 1].at.monotonic;
    wait_until("the middle of its GOP", PATIENCE, || {
        base::clock::monotonic().since(last) > Duration::from_secs(1)
    });
    assert_eq!(delivered.frames().len(), before, "nothing is decoded meanwhile");
    delivered.set_decode_mode(DecodeMode::AllFrames);
    wait_until("every frame again", PATIENCE, || delivered.frames().len() >= before + 20);
    handle.stop();
    let frames = delivered.frames();
    let woken = frames.iter().position(|frame| frame.pts.0 > frames[before - 1].pts.0).unwrap();
    let first_gap = (frames[woken].pts.0 - frames[before - 1].pts.0) / 1_000_000;
    assert!(first_gap < 1900, "the GOP is gone on with, not waited for the next: {first_gap} ms");
    for (index, frame) in frames.iter().enumerate() {
        // The bar moves eight pixels in a tenth of a second: a decoder that missed a sample leaves it at its old place.
        let (left, bright) = bar(&frame.picture);
        let millis = (frame.pts.0 - frames[0].pts.0) / 1_000_000;
        let expected = (bar(&frames[0].picture).0 + millis as usize * 8 / 100) % 320;
        let away = left.abs_diff(expected).min(320 - left.abs_diff(expected));
        assert!(
            away <= 24 && bright <= 32,
            "frame {index}: at {left} instead of {expected}, {bright} bright"
        );
    }
    let mut arrived: Vec<_> = frames.iter().map(|frame| frame.at.monotonic).collect();
    assert!(arrived.is_sorted(), "frames that were kept come in order, with their own times");
    arrived.dedup();
    assert_eq!(arrived.len(), frames.len());
    let fragments = delivered.fragments();
    for pair in fragments.windows(2) {
        let gap = pair[1].pts.0.abs_diff(pair[0].pts.0 + pair[0].duration.as_nanos() as u64);
        assert!(gap < 20_000_000, "what is recorded does not know of it: {gap} ns apart");
    }
}

#[test]
fn key_frames_that_are_too_rare_leave_every_frame_decoded() {
    let server = bar_camera(10);
    let mut settings = stream("gate", &server.url("/main"));
    settings.watch_fps_max = Some(30.0);
    settings.idle_gap_max = Some(Duration::from_millis(1500));
    let (delivered, handle) = start(settings);
    delivered.set_decode_mode(DecodeMode::KeyframesOnly);
    wait_until("three GOPs", PATIENCE, || {
        let frames = delivered.frames();
        frames.last().is_some_and(|last| last.pts.0 - frames[0].pts.0 > 6_000_000_000)
    });
    handle.stop();
    let frames = delivered.frames();
    let rate = (frames.len() - 1) as f64 * 1e9 / (frames[frames.len() - 1].pts.0 - frames[0].pts.0) as f64;
    assert!(rate > 5.0, "{rate} frames a second");
}

#[test]
fn a_camera_that_goes_away_and_comes_back_is_taken_up_again() {
    let server = bar_camera(10);
    let port = server.port();
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    wait_until("live", PATIENCE, || delivered.is(StreamState::Live, ""));
    server.stop();
    wait_until("seen as away", PATIENCE, || delivered.is(StreamState::BackingOff, "cannot reach 127.0.0.1"));
    let before = delivered.fragments().len();
    let back = CameraServer::start(port, &Access::default()).unwrap();
    back.mount("/main", bar_feed(10)).unwrap();
    wait_until("recorded again", PATIENCE, || delivered.fragments().len() > before + 1);
    handle.stop();
    let epochs: Vec<u32> = delivered.fragments().iter().map(|fragment| fragment.epoch.0).collect();
    assert!(
        epochs.is_sorted() && epochs[0] < epochs[epochs.len() - 1],
        "a new session is a new epoch: {epochs:?}"
    );
}

#[test]
fn a_frozen_camera_counts_as_broken() {
    let server = CameraServer::start(0, &Access::default()).unwrap();
    let faults = server.mount("/main", bar_feed(10)).unwrap();
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    wait_until("live", PATIENCE, || delivered.is(StreamState::Live, ""));
    faults.frozen.store(true, Ordering::Relaxed);
    wait_until("seen as broken", PATIENCE, || {
        delivered
            .reports()
            .iter()
            .any(|report| report.reason.as_deref().is_some_and(|r| r.contains("no video for 3 s")))
    });
    faults.frozen.store(false, Ordering::Relaxed);
    wait_until("live again", PATIENCE, || delivered.is(StreamState::Live, ""));
    handle.stop();
}

/// A smart codec sends a key frame at the start and then none for minutes: a power cut would take all of it.
#[test]
fn a_camera_without_key_frames_is_recorded_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("still.mp4");
    let picture = "-v error -f lavfi -i testsrc2=size=320x192:rate=10:duration=60 -pix_fmt yuv420p";
    let one_gop = "-c:v libx264 -preset ultrafast -tune zerolatency -x264-params keyint=infinite:scenecut=0";
    let made = std::process::Command::new("ffmpeg")
        .args(picture.split(' ').chain(one_gop.split(' ')))
        .arg(&film)
        .status();
    if !made.is_ok_and(|made| made.success()) {
        eprintln!("skipped: ffmpeg with libx264 is not there");
        return;
    }
    let server = CameraServer::start(0, &Access::default()).unwrap();
    server.mount("/main", Feed::File(film)).unwrap();
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    wait_until("three parts", PATIENCE, || delivered.fragments().len() >= 3);
    wait_until("the long GOP is told", PATIENCE, || {
        delivered.reports().iter().any(|report| {
            let notes = report.health.notes(report.facts.as_ref());
            report.state == StreamState::Live && notes.iter().any(|note| note.contains("no key frame"))
        })
    });
    handle.stop();
    let fragments = delivered.fragments();
    let starts: Vec<FragmentStart> = fragments.iter().map(|fragment| fragment.start).collect();
    assert_eq!(starts[..3], [FragmentStart::KeyFrame, FragmentStart::Continued, FragmentStart::Continued]);
    let samples: u32 = fragments.iter().map(|fragment| fragment.samples).sum();
    let (_folder, path) = as_file(&fragments);
    assert_eq!(probe(&path), ("h264".to_owned(), samples));
    assert!(fragments.iter().all(|fragment| fragment.epoch == fragments[0].epoch), "one session");
}

/// The infra-red filter, or a person in the camera's menu: another size from one GOP to the next.
#[test]
fn another_size_in_mid_stream_begins_another_file_on_the_same_session() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("sizes.ts");
    let mut bytes = Vec::new();
    for (size, starts) in [("320x192", "0"), ("640x360", "6"), ("320x192", "12")] {
        let made = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=10:duration=6")])
            .args(["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0"])
            .args(["-output_ts_offset", starts, "-muxdelay", "0", "-f", "mpegts", "-"])
            .output();
        let Some(made) = made.ok().filter(|made| made.status.success()) else {
            eprintln!("skipped: ffmpeg with libx264 is not there");
            return;
        };
        bytes.extend(made.stdout);
    }
    std::fs::write(&film, bytes).unwrap();
    let mut settings = stream("gate", "");
    settings.source = Source::File { path: film, looped: false };
    let (delivered, handle) = start(settings);
    wait_until("the film's end", PATIENCE, || delivered.is(StreamState::Ended, ""));
    handle.stop();
    let fragments = delivered.fragments();
    let mut sizes: Vec<(u32, u32)> = Vec::new();
    let mut decoded = 0;
    for part in fragments.chunk_by(|one, next| one.init == next.init) {
        sizes.push((part[0].facts.width, part[0].facts.height));
        assert_eq!(part[0].start, FragmentStart::KeyFrame);
        let (_folder, path) = as_file(part);
        decoded += probe(&path).1;
    }
    assert_eq!(sizes, [(320, 192), (640, 360), (320, 192)]);
    assert!(decoded >= 170, "{decoded} of 180 pictures");
    assert!(fragments.iter().all(|fragment| fragment.epoch == fragments[0].epoch), "one session");
}

#[test]
fn garbage_in_the_stream_ends_at_most_its_own_session() {
    let server = CameraServer::start(0, &Access::default()).unwrap();
    let faults = server.mount("/main", bar_feed(10)).unwrap();
    server.mount("/other", bar_feed(10)).unwrap();
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    let (neighbour, neighbour_handle) = start(stream("yard", &server.url("/other")));
    wait_until("both live", PATIENCE, || {
        delivered.is(StreamState::Live, "") && neighbour.is(StreamState::Live, "")
    });
    faults.garbled.store(true, Ordering::Relaxed);
    let before = neighbour.fragments().len();
    wait_until("the neighbour goes on", PATIENCE, || neighbour.fragments().len() >= before + 3);
    faults.garbled.store(false, Ordering::Relaxed);
    let frames = delivered.frames().len();
    wait_until("pictures again", PATIENCE, || delivered.frames().len() > frames + 5);
    assert_eq!(
        neighbour.reports().iter().filter(|report| report.state == StreamState::BackingOff).count(),
        0
    );
    handle.stop();
    neighbour_handle.stop();
}

#[test]
fn a_wrong_password_is_named_and_never_printed() {
    let credentials = Credentials { user: "admin".into(), password: Secret::new("right".into()) };
    let server =
        CameraServer::start(0, &Access { credentials: Some(credentials.clone()), ..Access::default() })
            .unwrap();
    server.mount("/main", bar_feed(10)).unwrap();
    let mut wrong = stream("gate", &server.url("/main"));
    let Source::Rtsp(rtsp) = &mut wrong.source else { unreachable!() };
    rtsp.credentials =
        Some(Credentials { user: "admin".into(), password: Secret::new("s3cret-wrong".into()) });
    let (delivered, handle) = start(wrong.clone());
    wait_until("refused", PATIENCE, || {
        delivered.is(
            StreamState::Misconfigured,
            "refuses user \"admin\" with this password: check user and password_file",
        )
    });
    handle.stop();
    assert!(!format!("{:?}{wrong:?}", delivered.reports()).contains("s3cret"));

    let Source::Rtsp(rtsp) = &mut wrong.source else { unreachable!() };
    rtsp.credentials = Some(credentials);
    let (delivered, handle) = start(wrong);
    wait_until("let in", PATIENCE, || delivered.is(StreamState::Live, ""));
    handle.stop();
}

#[test]
fn a_camera_over_tls_is_believed_only_by_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let camera = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (own_file, other_file) =
        (write("own.pem", &camera.cert.pem()), write("other.pem", &other.cert.pem()));
    let identity_pem = Some(camera.cert.pem() + &camera.signing_key.serialize_pem());
    let server = CameraServer::start(0, &Access { identity_pem, ..Access::default() }).unwrap();
    server.mount("/main", bar_feed(10)).unwrap();
    let trusting = |ca_file: Option<&Path>| {
        let mut settings = stream("gate", &server.url("/main"));
        let Source::Rtsp(rtsp) = &mut settings.source else { unreachable!() };
        rtsp.ca_file = ca_file.map(Into::into);
        start(settings)
    };
    assert!(server.url("/main").starts_with("rtsps://"));
    let (any, first) = trusting(None);
    let (own, second) = trusting(Some(&own_file));
    let (wrong, third) = trusting(Some(&other_file));
    wait_until("any certificate is taken", PATIENCE, || any.is(StreamState::Live, ""));
    wait_until("its own is taken", PATIENCE, || own.is(StreamState::Live, ""));
    wait_until("another's is refused", PATIENCE, || wrong.is(StreamState::Misconfigured, "ca_file"));
    assert!(wrong.fragments().is_empty());
    [first, second, third].into_iter().for_each(StreamHandle::stop);
}

#[test]
fn h265_and_datagrams_work_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15:duration=4"])
        .args([
            "-c:v",
            "libx265",
            "-preset",
            "ultrafast",
            "-x265-params",
            "keyint=15:log-level=none",
            "-tag:v",
            "hvc1",
        ])
        .arg(&clip)
        .status()
        .unwrap();
    assert!(made.success());
    let server = CameraServer::start(0, &Access::default()).unwrap();
    server.mount("/main", Feed::File(clip)).unwrap();
    let mut settings = stream("gate", &server.url("/main"));
    let Source::Rtsp(rtsp) = &mut settings.source else { unreachable!() };
    rtsp.transport = Transport::Udp;
    let (delivered, handle) = start(settings);
    wait_until("recorded", PATIENCE, || delivered.fragments().len() >= 3);
    wait_until("watched", PATIENCE, || delivered.frames().len() >= 5);
    handle.stop();
    let fragments = delivered.fragments();
    assert_eq!(fragments[0].facts.codec, Codec::H265);
    let (_folder, path) = as_file(&fragments);
    assert_eq!(probe(&path).0, "hevc");
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    let server = bar_camera(10);
    let (no_path, first) = start(stream("gate", &server.url("/nowhere")));
    let (nobody, second) = start(stream("gate", "rtsp://127.0.0.1:9/main"));
    wait_until("no such path", PATIENCE, || no_path.is(StreamState::Misconfigured, "has no stream at"));
    wait_until("nobody there", PATIENCE, || {
        nobody.is(StreamState::BackingOff, "is the camera on, and the address right?")
    });
    first.stop();
    second.stop();
}

#[test]
fn a_session_that_is_killed_or_hangs_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let registry = folder.path().join("registry.bin");
    let server = bar_camera(10);
    let delivered = Delivered::default();
    let program = session_program_with(registry.clone());
    let handle = supervise(stream("gate", &server.url("/main")), program, delivered.sink());
    for (round, signal) in [Signal::KILL, Signal::STOP].into_iter().enumerate() {
        let epoch = u32::try_from(round).unwrap() + 1;
        wait_until("fragments of this epoch", PATIENCE, || {
            delivered.fragments().last().is_some_and(|fragment| fragment.epoch.0 >= epoch)
        });
        for pid in sessions_with(&registry) {
            kill_process(pid, signal).unwrap();
        }
    }
    wait_until("a third session", PATIENCE, || {
        delivered.fragments().last().is_some_and(|fragment| fragment.epoch.0 >= 3)
    });
    handle.stop();
    assert!(sessions_with(&registry).is_empty(), "no session is left behind");
}

/// Session processes that were started with this plugin registry.
fn sessions_with(registry: &Path) -> Vec<Pid> {
    let own = format!("GST_REGISTRY={}", registry.display());
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        // Gone, or not ours to read: not one of these sessions.
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == own.as_bytes()) {
            pids.extend(Pid::from_raw(pid));
        }
    }
    pids
}

#[test]
fn a_session_can_neither_write_nor_start_a_process_nor_listen() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_wardwatch")).args(["session", "--try-sandbox"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    if said.contains("not applied") {
        eprintln!("skipped: this kernel lacks a part of the sandbox: {said}");
        return;
    }
    let refused = ["write", "execute", "start a process", "signal the daemon", "listen"];
    let refused: String = refused.iter().map(|rule| format!("{rule}: refused\n")).collect();
    assert_eq!(said, refused + "read /usr: allowed\n");
    assert!(output.status.success());
}

#[test]
fn real_footage_passes_through_untouched() {
    let Some(clip) = shared("clips/intel_car-detection.mp4") else { return };
    let server = CameraServer::start(0, &Access::default()).unwrap();
    server.mount("/main", Feed::File(clip.clone())).unwrap();
    let (delivered, handle) = start(stream("gate", &server.url("/main")));
    wait_until("eight seconds", PATIENCE, || {
        delivered.fragments().iter().map(|fragment| fragment.duration).sum::<Duration>()
            > Duration::from_secs(8)
    });
    handle.stop();
    let fragments = delivered.fragments();
    let (_folder, path) = as_file(&fragments);
    assert_eq!(probe(&path).0, "h264");
    let (recorded, original) = (slices(&path), slices(&clip));
    let start =
        original.windows(recorded.len().min(50)).position(|window| window == &recorded[..window.len()]);
    assert!(start.is_some(), "the recorded slices are the file's own, byte by byte");
}

#[test]
fn a_file_is_a_camera_too() {
    let Some(clip) = shared("clips/intel_car-detection.mp4") else { return };
    let mut settings = stream("gate", "");
    settings.source = Source::File { path: clip.clone(), looped: false };
    let (delivered, handle) = start(settings);
    wait_until("recorded in real time", PATIENCE, || delivered.fragments().len() >= 2);
    wait_until("watched", PATIENCE, || delivered.frames().len() >= 5);
    handle.stop();
}

#[test]
fn a_files_pictures_are_read_to_its_end() {
    for (name, size, pictures) in
        [("opencv4nodejs_traffic", (640, 360), 480), ("intel_car-detection", (768, 432), 377)]
    {
        let Some(clip) = shared(&format!("clips/{name}.mp4")) else { return };
        let mut reader = read_pictures(&clip).unwrap();
        let mut count = 0;
        while let Some((_, picture)) = reader.next_picture().unwrap() {
            assert_eq!((picture.width(), picture.height()), size);
            count += 1;
        }
        assert_eq!(count, pictures, "{name}");
    }
}

#[test]
fn what_is_not_a_video_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "dear ward").unwrap();
    let error = read_pictures(&path).and_then(|mut reader| reader.next_picture().map(|_| ())).unwrap_err();
    assert!(error.to_string().contains("letter.txt"), "{error}");
}
