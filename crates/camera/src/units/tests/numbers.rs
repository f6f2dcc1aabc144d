//! Cameras that count packets, payload types and fragments in their own way: each picture as it was encoded.

use super::*;

/// Packets of a stream, each changed by `change` (number of its picture, its place in it), over TCP and UDP; every picture is there.
fn expect_whole(change: impl Fn(&mut Sender, u32, Vec<Packet>) -> Vec<Packet>) {
    for codec in [Codec::H264, Codec::H265] {
        let Some(units) = encoded(codec, "640x360", 5, "keyint=10:min-keyint=10:bframes=0:slices=2") else {
            eprintln!("skipped: ffmpeg cannot encode {codec}");
            continue;
        };
        for transport in [Transport::Tcp, Transport::Udp] {
            let mut sender = Sender::new(codec);
            let mut packets = Vec::new();
            for (number, unit) in (0u32..).zip(&units) {
                let sent = sender.unit(unit, number * RATE / 10, Duration::from_millis(100) * number);
                packets.extend(change(&mut sender, number, sent));
            }
            let packets: Vec<Packet> =
                packets.into_iter().map(|packet| Packet { transport, ..packet }).collect();
            expect_exact(codec, std::slice::from_ref(&units), &packets);
        }
    }
}

/// Writes another number into a packet.
fn renumber(packet: &mut Packet, number: u16) {
    packet.data[2..4].copy_from_slice(&number.to_be_bytes());
}

#[test]
fn numbers_that_begin_anew_with_each_gop_cost_no_packet() {
    expect_whole(|sender, number, mut packets| {
        if number % 10 == 0 {
            sender.sequence = 100;
        }
        for packet in &mut packets {
            renumber(packet, sender.sequence);
            sender.sequence += 1;
        }
        packets
    });
}

#[test]
fn a_connection_whose_packets_have_all_one_number_is_recorded() {
    for codec in [Codec::H264, Codec::H265] {
        let units = film(codec);
        if units.is_empty() {
            continue;
        }
        let mut packets = sent(codec, units);
        packets.iter_mut().for_each(|packet| renumber(packet, 7));
        expect_exact(codec, &[units.to_vec()], &packets);
    }
}

#[test]
fn copies_of_packets_inside_a_connection_are_left_out() {
    let units = film(Codec::H264);
    if units.is_empty() {
        return;
    }
    let packets = sent(Codec::H264, units);
    let mut doubled = Vec::new();
    for (at, packet) in packets.iter().enumerate() {
        doubled.push(packet.clone());
        if at % 3 == 0 {
            doubled.push(packet.clone());
        }
        if at % 7 == 6 {
            doubled.push(packets[at - 4].clone());
        }
    }
    expect_exact(Codec::H264, &[units.to_vec()], &doubled);
    let (_, counts) = samples(&media(Codec::H264), &doubled);
    assert_eq!(counts.repeated as usize, doubled.len() - packets.len());
}

/// Error correction that was not asked for has numbers of the same count, also between the fragments of a unit.
#[test]
fn packets_of_another_payload_type_within_the_count_cost_nothing() {
    expect_whole(|sender, _, packets| {
        let mut all = Vec::new();
        for (at, mut packet) in packets.into_iter().enumerate() {
            renumber(&mut packet, sender.sequence);
            sender.sequence = sender.sequence.wrapping_add(1);
            let mut correction = packet.clone();
            all.push(packet);
            if at % 3 == 0 {
                renumber(&mut correction, sender.sequence);
                correction.data[1] = 127;
                correction.data.truncate(40);
                sender.sequence = sender.sequence.wrapping_add(1);
                all.push(correction);
            }
        }
        all
    });
}

#[test]
fn fragments_of_which_none_says_that_it_is_the_last_are_whole() {
    expect_whole(|sender, _, mut packets| {
        for packet in &mut packets {
            let (kind, head) = match sender.codec {
                Codec::H264 => (packet.data[12] & 31 == 28, 13),
                Codec::H265 => (packet.data[12] >> 1 & 63 == 49, 14),
            };
            if kind {
                packet.data[head] &= !0x40;
            }
        }
        packets
    });
}

#[test]
fn the_forbidden_bit_on_fragments_alters_nothing() {
    expect_whole(|sender, number, mut packets| {
        for packet in packets.iter_mut().filter(|_| number % 2 == 0) {
            let is_fragment = match sender.codec {
                Codec::H264 => packet.data[12] & 31 == 28,
                Codec::H265 => packet.data[12] >> 1 & 63 == 49,
            };
            packet.data[12] |= u8::from(is_fragment) << 7;
        }
        packets
    });
}

#[test]
fn a_payload_type_that_changes_in_mid_stream_costs_less_than_a_gop() {
    let Some(units) = encoded(Codec::H264, "640x360", 6, "keyint=10:min-keyint=10:bframes=0") else { return };
    let mut packets = sent(Codec::H264, &units);
    let change = packets.len() / 3;
    packets[change..].iter_mut().for_each(|packet| packet.data[1] = packet.data[1] & 0x80 | 97);
    let (samples, _) = samples(&media(Codec::H264), &packets);
    assert!(samples.len() + 10 >= units.len(), "{} of {}", samples.len(), units.len());
}

/// A camera that counts by twos, or whose count is shared with a track that was not asked for.
#[test]
fn gaps_in_the_numbers_of_a_connection_that_never_end_are_no_losses() {
    let Some(units) = encoded(Codec::H264, "640x360", 6, "keyint=10:min-keyint=10:bframes=0") else { return };
    let mut packets = sent(Codec::H264, &units);
    for (number, packet) in (0u16..).zip(&mut packets) {
        renumber(packet, number.wrapping_mul(2));
    }
    let (samples, counts) = samples(&media(Codec::H264), &packets);
    assert!(samples.len() + 20 >= units.len(), "{} of {}", samples.len(), units.len());
    assert!(samples.iter().rev().take(30).all(|sample| !sample.is_broken));
    assert!(counts.lost < 32, "{counts:?}");
}

/// The key frame that brings another size has lost a packet: nothing of it may stand under the header of before.
#[test]
fn a_damaged_key_frame_of_another_size_costs_its_gop_and_alters_no_header() {
    for codec in [Codec::H264, Codec::H265] {
        let options = "keyint=10:min-keyint=10:bframes=0";
        let Some(first) = encoded(codec, "320x192", 2, options) else { continue };
        let second = encoded(codec, "640x360", 3, options).unwrap();
        let both = [first.clone(), second.clone()].concat();
        let mut packets = sent(codec, &both);
        let stamp = (first.len() as u32 * RATE / 10).to_be_bytes();
        let of_key_frame: Vec<usize> =
            (0..packets.len()).filter(|at| packets[*at].data[4..8] == stamp).collect();
        packets.remove(of_key_frame[of_key_frame.len() - 2]);
        let (samples, _) = samples(&media(codec), &packets);
        let files = files(&muxed(samples));
        assert_eq!(files.len(), 2);
        assert_eq!(decoded(&files[0], "mp4"), decoded(&annex_b(&first), raw_format(codec)));
        assert_eq!(decoded(&files[1], "mp4"), decoded(&annex_b(&second), raw_format(codec))[10..]);
    }
}

/// Two fields, each a picture of its own, with one stamp.
#[test]
fn pictures_that_share_a_stamp_do_not_make_time_run_faster() {
    let mut times = Times::new(RATE);
    let mut last = 0;
    for picture in 0..1500u32 {
        let arrival = Monotonic::from_nanos(u64::from(picture) * 20_000_000 + 5);
        last = times.place(picture / 2 * RATE / 25, arrival, 0).media;
    }
    assert!((last - 29_980_000_000).abs() < 500_000_000, "{last}");
    // One stamp a second.
    let mut times = Times::new(RATE);
    for picture in 0..450u32 {
        let arrival = Monotonic::from_nanos(u64::from(picture) * 66_666_667 + 5);
        last = times.place(picture / 15 * RATE, arrival, 0).media;
    }
    assert!((last - 29_930_000_000).abs() < 1_500_000_000, "{last}");
}
