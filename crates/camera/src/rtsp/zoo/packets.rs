//! Packets among stray bytes, on wrong channels, and from strangers.

use super::super::error::RtspError;
use super::camera::{Camera, Reply, by_the_book, ended, framed, read, rtp, status};
use crate::settings::Transport;

/// A camera whose stream is made of these bytes for each number.
fn sending(send: impl Fn(u16) -> Vec<u8> + Send + 'static) -> Camera {
    Camera::sending(by_the_book, send)
}

#[test]
fn stray_bytes_between_packets_are_skipped_and_counted() {
    for stray in [
        &[0x41, 0x9a, 0x03, 0x77, 0x10, 0xfe, 0x22][..],
        b"$",
        b"\0\0\0\0",
        b"RTSX",
        &[b'$', 0, 255, 255, 1, 2],
    ] {
        let camera = sending(move |number| {
            let mut bytes = framed(0, &rtp(number));
            if number % 5 == 4 {
                bytes.extend(stray);
            }
            bytes
        });
        let mut client = camera.open().unwrap();
        let numbers = read(&mut client, 300);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{stray:?}: {numbers:?}");
        let counts = client.counts();
        assert!(counts.skipped_bytes >= 50 * stray.len() as u64, "{stray:?}: {counts:?}");
    }
}

#[test]
fn stray_bytes_are_skipped_also_where_the_payload_type_is_not_the_described_one() {
    let camera = sending(|number| {
        let mut packet = rtp(number);
        packet[1] = 102;
        let stray: &[u8] = if number % 5 == 4 { &[1, 2, 3] } else { &[] };
        [framed(0, &packet), stray.to_vec()].concat()
    });
    camera.plays();
}

#[test]
fn packets_of_channels_that_nobody_asked_for_are_counted() {
    let camera =
        sending(|number| [framed(0, &rtp(number)), framed(2, &rtp(number)), framed(1, b"\0")].concat());
    let client = camera.plays();
    let counts = client.counts();
    assert!(counts.foreign_packets >= 38, "{counts:?}");
    assert_eq!(counts.skipped_bytes, 0);
}

#[test]
fn a_request_of_the_camera_between_packets_is_answered_and_disturbs_nothing() {
    let camera = sending(|number| {
        let mut bytes = framed(0, &rtp(number));
        if number % 10 == 0 {
            bytes.extend(b"GET_PARAMETER rtsp://box RTSP/1.0\r\nCSeq: 5\r\n\r\n");
        }
        bytes
    });
    let client = camera.plays();
    assert_eq!(client.counts().skipped_bytes, 0);
}

#[test]
fn the_end_of_a_connection_is_said_after_its_last_packet() {
    let camera = Camera::new(|request| match request.method.as_str() {
        "PLAY" => Reply::Close("200 OK\r\nSession: 1\r\n".into()),
        _ => by_the_book(request),
    });
    let mut client = camera.open().unwrap();
    let error = ended(&mut client);
    assert!(matches!(error, RtspError::Closed { .. }), "{error}");
}

#[test]
fn a_camera_that_closes_instead_of_answering_is_named() {
    let camera = Camera::new(|_| Reply::Close("100 Continue\r\n".into()));
    let said = camera.open().unwrap_err().to_string();
    assert!(said.contains("closed the connection instead of answering DESCRIBE"), "{said}");
    let nobody = Camera::new(|_| status("200 OK"));
    let said = nobody.open_at("rtsp://127.0.0.1:9/main").unwrap_err().to_string();
    assert!(said.contains("cannot reach 127.0.0.1:9"), "{said}");
}

/// A receiver's or sender's report with BYE behind it.
const BYE: [u8; 16] = [0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 203, 0, 1, 0, 0, 0, 7];

#[test]
fn a_stream_that_the_camera_calls_ended_ends_at_once() {
    let camera = sending(|number| match number {
        0..20 => framed(0, &rtp(number)),
        20 => framed(1, &BYE),
        _ => Vec::new(),
    });
    let error = ended(&mut camera.open().unwrap());
    assert!(matches!(error, RtspError::Bye), "{error}");
}

#[test]
fn a_camera_that_says_goodbye_and_goes_on_is_read() {
    let camera = sending(|number| {
        let bye = if number % 50 == 20 { framed(1, &BYE) } else { Vec::new() };
        [framed(0, &rtp(number)), bye].concat()
    });
    let numbers = read(&mut camera.open().unwrap(), 700);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

/// Another interface than the one that answers, and no `source=`.
#[test]
fn datagrams_of_another_address_are_taken_where_the_camera_itself_sends_none() {
    let mut camera = Camera::sending_from([127, 0, 0, 2], by_the_book, |number| framed(0, &rtp(number)));
    camera.transport = Transport::Udp;
    let client = camera.plays();
    assert!(client.is_udp());
    assert!(client.counts().foreign_packets >= 15, "{:?}", client.counts());
}
