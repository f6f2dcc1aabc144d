//! Parsers against bytes that no camera should send: made from those in tests/corpus/rtsp by cutting, repeating and
//! changing them. None may panic, hang, or give more than it was given.

use std::path::Path;

use proptest::prelude::*;

use super::super::units::Media;
use super::authentication::Login;
use super::interleaved::{Expected, Framer, Piece};
use super::message::{self, Parsed};
use super::url::{self, Url};
use super::{sdp, transport};
use base::secret::{Credentials, Secret};

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/rtsp");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "the corpus is where it is looked for");
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A change of some bytes: at a place, so many of them, replaced by these.
#[derive(Debug, Clone)]
enum Change {
    Replace(prop::sample::Index, usize, Vec<u8>),
    Repeat(prop::sample::Index, usize, usize),
    Cut(prop::sample::Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Replace(at, count, by) => {
                let at = at.index(bytes.len());
                let end = (at + count).min(bytes.len());
                bytes.splice(at..end, by.iter().copied());
            }
            Self::Repeat(at, count, times) => {
                let at = at.index(bytes.len());
                let part = bytes[at..(at + count).min(bytes.len())].repeat(*times);
                bytes.splice(at..at, part);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let signs = prop::sample::select(b"$=;:,\"\\ \r\n\0\xff/*-0aR".to_vec());
    let bytes = prop::collection::vec(prop_oneof![any::<u8>(), signs], 0..12);
    let change = prop_oneof![
        5 => (any::<prop::sample::Index>(), 0..12_usize, bytes).prop_map(|(at, count, by)| Change::Replace(at, count, by)),
        2 => (any::<prop::sample::Index>(), 1..60_usize, 1..200_usize).prop_map(|(at, count, n)| Change::Repeat(at, count, n)),
        1 => any::<prop::sample::Index>().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 0..8)
}

fn changed() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop::sample::select(corpus());
    let parts = prop::collection::vec(whole, 1..3).prop_map(|parts| parts.concat());
    (parts, changes()).prop_map(|(mut bytes, changes)| {
        changes.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    })
}

proptest! {
    #[test]
    fn descriptions(bytes in changed()) {
        if let Ok(description) = sdp::parse(&bytes) {
            let Media { clock_rate, parameter_sets, .. } = description.media;
            prop_assert!(clock_rate > 0);
            prop_assert!(parameter_sets.iter().map(Vec::len).sum::<usize>() <= 2 * bytes.len());
            let home = Url::parse("rtsp://192.0.2.1/main").unwrap();
            let joined = home.join(description.video_control.as_deref().unwrap_or_default()).to_string();
            prop_assert!(joined.starts_with("rtsp"));
        }
    }

    #[test]
    fn replies(bytes in changed()) {
        let Parsed::Head(head, used) = message::parse(&bytes) else { return Ok(()) };
        prop_assert!(used <= bytes.len());
        let _ = (head.cseq(), head.content_length(), message::answer(&head));
        for is_udp in [false, true] {
            let _ = transport::parse_transport(head.header("transport"), is_udp);
        }
        let _ = head.header("session").map(transport::parse_session);
        let home = Url::parse("rtsp://192.0.2.1/main").unwrap();
        let base = url::base(head.header("content-base"), &home).to_string();
        prop_assert!(!base.contains(['\r', '\n', ' ']), "{:?}", base);
        let credentials = Credentials { user: "viewer".into(), password: Secret::new("secret".into()) };
        let mut login = Login::new(Some(credentials));
        if login.refused(head.all("www-authenticate"), 0).is_ok() {
            let answer = login.header("PLAY", "rtsp://a/b").unwrap_or_default();
            prop_assert!(!answer.contains("secret"));
            let request = message::request("PLAY", "rtsp://a/b", 1, &[("Authorization", &answer)]);
            prop_assert_eq!(request.windows(4).filter(|four| four == b"\r\n\r\n").count(), 1);
        }
    }

    #[test]
    fn streams(bytes in changed(), size in 1..3000_usize) {
        let mut framer = Framer::new();
        framer.expect(Expected { channels: vec![0, 1], payload_type: Some(96) });
        let mut out = 0;
        for part in bytes.chunks(size) {
            let room = framer.room();
            room[..part.len()].copy_from_slice(part);
            framer.filled(part.len());
            while let Some(piece) = framer.next_piece() {
                out += match piece {
                    Piece::Frame { data, .. } => data.len() + 4,
                    Piece::Message(message) => message.body.len(),
                };
            }
        }
        let _ = framer.unfinished_message();
        prop_assert!(out as u64 + framer.skipped_bytes() <= bytes.len() as u64);
    }
}
