//! Whole sessions against scripted cameras that send real pictures. The RTSP client alone is tried beside its code.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::status::StreamState;
use camera::supervise;

use crate::support::camera::{Delivered, session_program, stream};
use crate::support::scripted::{Asked, CLOSE, Camera, Film, Part};
use crate::support::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// A key frame a second.
fn film() -> Film {
    Film::encode("h264", &[Part { size: "320x240", seconds: 4, options: "" }])
}

#[test]
fn a_camera_that_admits_one_connection_is_recorded_over_it_and_told_of_the_end() {
    let camera = Camera::start(film(), Arc::new(|_, _| None));
    let delivered = Delivered::default();
    let handle = supervise(stream("gate", &camera.url()), session_program(), delivered.sink());
    wait_until("recorded", PATIENCE, || delivered.fragments().len() >= 2);
    handle.stop();
    wait_until("told of the end", PATIENCE, || {
        camera.methods_of(1).last().is_some_and(|of| of == "TEARDOWN")
    });
    assert_eq!(camera.refused.load(Ordering::Relaxed), 0);
    assert_eq!(camera.connections.load(Ordering::Relaxed), 1);
}

#[test]
fn a_camera_that_is_not_understood_is_asked_by_gstreamer_next_and_recorded() {
    let script = |asked: &Asked, times: usize| {
        (asked.0 == "DESCRIBE" && times == 1)
            .then(|| "200 OK\r\nContent-Type: x/y\r\n\r\nnothing of use".to_owned())
    };
    let camera = Camera::start(film(), Arc::new(script));
    let delivered = Delivered::default();
    let handle = supervise(stream("gate", &camera.url()), session_program(), delivered.sink());
    wait_until("not understood", PATIENCE, || delivered.is(StreamState::BackingOff, "is not understood"));
    wait_until("recorded", PATIENCE, || !delivered.fragments().is_empty());
    assert_eq!(camera.connections.load(Ordering::Relaxed), 2, "GStreamer's client records it");
    assert_eq!(camera.methods_of(1), ["DESCRIBE"]);
    assert_eq!(camera.methods_of(2)[0], "OPTIONS", "GStreamer's client begins so");
    handle.stop();
    assert_eq!(camera.refused.load(Ordering::Relaxed), 0);
}

/// Over OPTIONS, with which a session is kept alive first.
#[test]
fn a_camera_that_closes_over_a_keep_alive_is_asked_another_way_by_the_next_session() {
    let script = |asked: &Asked, _: usize| match asked.0.as_str() {
        "OPTIONS" => Some(format!("{CLOSE}200 OK\r\nPublic: GET_PARAMETER")),
        "SETUP" => {
            let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
            Some(format!("200 OK\r\nSession: 4711;timeout=3\r\n{transport}"))
        }
        _ => None,
    };
    let camera = Camera::start(film(), Arc::new(script));
    let delivered = Delivered::default();
    let handle = supervise(stream("gate", &camera.url()), session_program(), delivered.sink());
    wait_until("closed", PATIENCE, || delivered.is(StreamState::BackingOff, "the connection over OPTIONS"));
    let is_kept_alive = || camera.methods_of(2).iter().filter(|of| *of == "GET_PARAMETER").count() >= 3;
    wait_until("kept alive", PATIENCE, is_kept_alive);
    assert!(!camera.methods_of(2).contains(&"OPTIONS".to_owned()), "{:?}", camera.methods_of(2));
    assert_eq!(camera.connections.load(Ordering::Relaxed), 2);
    handle.stop();
}
