use proptest::prelude::*;

use super::*;

fn framer() -> Framer {
    let mut framer = Framer::new();
    framer.expect(Expected { channels: vec![0, 1], payload_type: Some(96) });
    framer
}

/// An RTP packet with this sequence number and so many bytes of payload, in its frame.
fn frame(channel: u8, sequence: u16, payload: usize) -> Vec<u8> {
    let mut data = vec![0x80, 96];
    data.extend(sequence.to_be_bytes());
    data.extend([0; 8]);
    data.extend((0..payload).map(|at| (at * 7 + 3) as u8));
    let mut frame = vec![b'$', channel];
    frame.extend((data.len() as u16).to_be_bytes());
    frame.extend(data);
    frame
}

/// Sequence numbers of the packets, and how many messages there were.
fn take(framer: &mut Framer) -> (Vec<u16>, usize) {
    let (mut sequences, mut messages) = (Vec::new(), 0);
    while let Some(piece) = framer.next_piece() {
        match piece {
            Piece::Frame { data, .. } if data.len() >= 4 => {
                sequences.push(u16::from_be_bytes([data[2], data[3]]));
            }
            Piece::Frame { .. } => {}
            Piece::Message(_) => messages += 1,
        }
    }
    (sequences, messages)
}

fn frames(numbers: std::ops::Range<u16>) -> Vec<u8> {
    numbers.flat_map(|number| frame(0, number, 200)).collect()
}

#[test]
fn packets_and_messages_come_apart_however_they_are_cut() {
    let reply = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody";
    let bytes =
        [frames(0..3), reply.to_vec(), frame(1, 3, 0), b"OPTIONS * RTSP/1.0\r\n\r\n".to_vec(), frames(4..6)];
    let bytes = bytes.concat();
    for size in [1, 3, 7, 100, 4000] {
        let mut framer = framer();
        let (mut sequences, mut messages) = (Vec::new(), 0);
        for part in bytes.chunks(size) {
            framer.push(part);
            let (more, said) = take(&mut framer);
            sequences.extend(more);
            messages += said;
        }
        assert_eq!((sequences, messages), (vec![0, 1, 2, 3, 4, 5], 2), "in pieces of {size}");
        assert_eq!(framer.skipped_bytes(), 0);
    }
}

#[test]
fn stray_bytes_cost_themselves_alone() {
    let strays: [&[u8]; 8] = [
        &[0x41, 0x9a, 0x03, 0x77, 0x10, 0xfe, 0x22],
        b"$",
        b"$$$$$$$$",
        &[b'$', 0, 0xff, 0xff, 0, 0, 0, 0],
        &[b'$', 7, 0, 3, 1, 2, 3, 4],
        b"RTSP",
        b"RTSX/1.0 200 OK\r\n\r\n",
        &[0; 3000],
    ];
    for stray in strays {
        let mut framer = framer();
        framer.push(&frames(0..3));
        framer.push(stray);
        framer.push(&frames(3..400));
        assert_eq!(take(&mut framer).0, (0..400).collect::<Vec<u16>>(), "{stray:?}");
        assert_eq!(framer.skipped_bytes(), stray.len() as u64, "{stray:?}");
    }
}

#[test]
fn a_length_that_lies_costs_one_packet() {
    for (number, length) in [(5, 100_u16), (5, 600), (5, 5000), (5, 65535), (5, 0)] {
        let mut framer = framer();
        let mut lying = frame(0, number, 200);
        lying[2..4].copy_from_slice(&length.to_be_bytes());
        framer.push(&frames(0..5));
        framer.push(&lying);
        framer.push(&frames(6..500));
        let wanted: Vec<u16> = (0..500).filter(|of| *of != number).collect();
        let got: Vec<u16> = take(&mut framer).0.into_iter().filter(|of| *of != number).collect();
        assert_eq!(got, wanted, "length {length}");
    }
}

#[test]
fn other_channels_are_handed_out_and_do_not_disturb() {
    let mut framer = framer();
    let foreign = [b'$', 4, 0, 5, 1, 2, 3, 4, 5];
    framer.push(&[frames(0..2), foreign.to_vec(), frames(2..4)].concat());
    let mut channels = Vec::new();
    while let Some(Piece::Frame { channel, .. }) = framer.next_piece() {
        channels.push(channel);
    }
    assert_eq!((channels, framer.skipped_bytes()), (vec![0, 0, 4, 0, 0], 0));
}

#[test]
fn a_body_that_never_comes_does_not_swallow_packets() {
    let mut framer = framer();
    let reply = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 400\r\n\r\n";
    framer.push(&[reply.to_vec(), frames(0..4)].concat());
    assert_eq!(take(&mut framer), (vec![0, 1, 2, 3], 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No bytes make it panic, hang, lose count or grow.
    #[test]
    fn any_bytes_are_taken(
        parts in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                (0..2_u8, any::<u16>(), 0..2000_usize).prop_map(|(c, s, n)| frame(c, s, n)),
                Just(b"RTSP/1.0 200 OK\r\nContent-Length: 70\r\n\r\n".to_vec()),
                Just(b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n".to_vec()),
                Just(b"$$$$".to_vec()),
                prop::collection::vec(prop::sample::select(b"$\x00\x01\x80\x60R".to_vec()), 0..200),
            ],
            0..60,
        ),
        size in 1..5000_usize,
    ) {
        let mut framer = framer();
        let mut out = 0;
        let bytes = parts.concat();
        for part in bytes.chunks(size) {
            framer.push(part);
            while let Some(piece) = framer.next_piece() {
                out += match piece {
                    Piece::Frame { data, .. } => data.len() + 4,
                    Piece::Message(message) => message.body.len(),
                };
            }
            prop_assert!(framer.buffer.len() <= WAITING_BYTES_MAX + 3 * READ_BYTES);
        }
        prop_assert!(out as u64 + framer.skipped_bytes() <= bytes.len() as u64);
    }

    /// After any stray bytes, real packets come through again, all but a few.
    #[test]
    fn order_is_found_again(stray in prop::collection::vec(any::<u8>(), 1..400)) {
        let mut framer = framer();
        framer.push(&frames(0..3));
        framer.push(&stray);
        framer.push(&frames(3..500));
        let sequences = take(&mut framer).0;
        let last = sequences.iter().filter(|of| **of >= 400).count();
        prop_assert_eq!(last, 100);
    }
}
