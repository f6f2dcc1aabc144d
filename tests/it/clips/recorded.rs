//! Exports of what a box recorded.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base::clock::SystemClock;
use base::fragment::Codec;
use base::time::WallTime;
use camera::{Source, Transport, supervise};
use clipstore::Store;
use clipstore::export::{FAT32_FILE_BYTES_MAX, export};
use streetsim::server::{Access, CameraServer, Feed};
use tempfile::TempDir;

use super::{PATIENCE, decoded, footage, one_file, order, packets, secs};
use crate::daemon::ToStore;
use crate::store::{open, settings};
use crate::support::camera::{session_program, stream};
use crate::support::{slices, slices_of, wait_until};

/// A camera's own encoder reorders pictures; at night it makes fewer of them, and does not say how many.
#[test]
fn few_pictures_a_second_and_out_of_order_are_recorded_as_they_were_sent() {
    for (codec, encoder, transport) in [
        (Codec::H264, "libx264", Transport::Tcp),
        (Codec::H264, "libx264", Transport::Udp),
        (Codec::H265, "libx265", Transport::Tcp),
    ] {
        let place = TempDir::new().unwrap();
        let source = place.path().join("night.mp4");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=8:duration=4"])
            .args(["-c:v", encoder, "-bf", "3", "-g", "8", "-pix_fmt", "yuv420p"])
            .args(["-x264-params", "b-pyramid=normal:b-adapt=0", "-x265-params", "log-level=none:b-adapt=0"])
            .arg(&source)
            .output();
        if !made.as_ref().is_ok_and(|made| made.status.success()) {
            eprintln!("skipped: ffmpeg with {encoder} is not there: {made:?}");
            continue;
        }
        let sent = packets(&source);
        assert!(!sent.is_sorted_by_key(|packet| packet.0), "{encoder} has made pictures out of order");
        let server = CameraServer::start(0, &Access::default()).unwrap();
        server.mount("/main", Feed::File(source.clone())).unwrap();
        let directory = place.path().join("store");
        let minute = clipstore::Settings { segment: secs(60), ..settings(&directory) };
        let store = open(minute);
        let mut settings = stream("gate", &server.url("/main"));
        settings.watch_fps_max = None;
        if let Source::Rtsp(rtsp) = &mut settings.source {
            rtsp.transport = transport;
        }
        let handle = supervise(settings, session_program(), Box::new(ToStore(store.clone())));
        let gate = "gate".parse().unwrap();
        let footage =
            || store.footage(&gate, WallTime::from_micros(0), WallTime::from_micros(i64::MAX)).unwrap();
        let longest =
            || footage().segments.iter().map(|segment| segment.ends_at.since(segment.starts_at)).max();
        wait_until("two rounds of the film", PATIENCE, || longest() >= Some(secs(8)));
        handle.stop();
        store.close();
        let segments = footage().segments;
        assert_eq!(segments.len(), 1, "{codec:?}: {segments:?}");

        let recorded = segments[0].path.clone();
        let (got, pictures, wanted) =
            (packets(&recorded), slices_of(&recorded, codec), slices_of(&source, codec));
        assert_eq!((got.len(), wanted.len()), (pictures.len(), sent.len()));
        let start = wanted.iter().position(|slice| *slice == pictures[0]).expect("it is the camera's");
        for (index, packet) in got.iter().enumerate() {
            let (round, at) = ((start + index) / sent.len(), (start + index) % sent.len());
            assert_eq!(pictures[index], wanted[at], "{codec:?}, packet {index}");
            let shown = (packet.0 - got[0].0, round as i64 * 4000 + sent[at].0 - sent[start].0);
            // Over UDP, GStreamer takes times that go back by more than its buffer holds for a camera that paused.
            let is_shown_in_time = transport == Transport::Udp || shown.0.abs_diff(shown.1) <= 2;
            assert!(is_shown_in_time, "{codec:?}, packet {index} is shown at {shown:?} ms");
        }
        let in_order = got.windows(2).all(|pair| pair[0].1 < pair[1].1);
        assert!(in_order && got.iter().all(|packet| packet.1 <= packet.0), "{codec:?}: {got:?}");
        assert_eq!(decoded(&recorded), got.len());
    }
}

#[test]
fn what_the_box_recorded_is_exported_over_the_joins_of_segments() {
    let place = TempDir::new().unwrap();
    // With pictures out of order, as cameras with B-frames send them.
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 4) else { return };
    let server = CameraServer::start(0, &Access::default()).unwrap();
    server.mount("/main", Feed::File(footage.source.clone())).unwrap();
    let settings = clipstore::Settings {
        segment: Duration::from_secs(3),
        sync_interval: Duration::from_millis(500),
        ..settings(&place.path().join("store"))
    };
    let store = Store::open(settings, Arc::new(SystemClock)).unwrap();
    let mut settings = stream("gate", &server.url("/main"));
    settings.watch_fps_max = None;
    let handle = supervise(settings, session_program(), Box::new(ToStore(store.clone())));
    let everything =
        || store.footage(&"gate".parse().unwrap(), WallTime::from_micros(0), WallTime::from_micros(i64::MAX));
    wait_until("four segments", PATIENCE, || everything().unwrap().segments.len() >= 4);

    // The newest footage of a camera that is being recorded.
    let stick = place.path().join("stick");
    fs::create_dir(&stick).unwrap();
    let mut order = order(&stick, secs(0), secs(0), FAT32_FILE_BYTES_MAX);
    order.clips[0].from = WallTime::from_micros(0);
    order.clips[0].to = None;
    let exported = export(&store, &order, &SystemClock, &mut |_, _| {}).unwrap();
    handle.stop();
    store.close();
    let file = one_file(&exported);
    let inside: Vec<_> = file.content.gaps.iter().filter(|gap| gap.position_seconds > 0.0).collect();
    assert!(exported.is_whole() && inside.is_empty(), "{:?} {inside:?}", exported.clips[0].flaws);

    let (cycle, got) = (slices(&footage.source), slices(&file.path));
    assert!(got.len() > 100, "{} pictures", got.len());
    let start = cycle.iter().position(|slice| *slice == got[0]).expect("the first picture is the camera's");
    for (index, slice) in got.iter().enumerate() {
        assert_eq!(slice, &cycle[(start + index) % cycle.len()], "picture {index}");
    }
    // The packets of the segments, one behind the other; each segment states its own start of presentation.
    let exported = packets(&file.path);
    assert_eq!(decoded(&file.path), exported.len());
    let mut left = &exported[..];
    let mut origin = None;
    for segment in everything().unwrap().segments {
        let wanted = packets(&segment.path);
        let (here, rest) = left.split_at(wanted.len().min(left.len()));
        left = rest;
        let origin = *origin.get_or_insert(wanted[0].1);
        for (index, (got, packet)) in here.iter().zip(&wanted).enumerate() {
            assert_eq!(got.3, packet.3, "packet {index} of {}", segment.path.display());
            let (decoded, shown) = (got.1 - exported[0].1, got.0 - here[0].0);
            let (decoded_wanted, shown_wanted) = (packet.1 - origin, packet.0 - wanted[0].0);
            assert!((decoded - decoded_wanted).abs() <= 1, "{index}: {decoded} for {decoded_wanted} ms");
            assert!((shown - shown_wanted).abs() <= 1, "{index}: {shown} for {shown_wanted} ms");
        }
    }
    assert!(left.is_empty());
}
