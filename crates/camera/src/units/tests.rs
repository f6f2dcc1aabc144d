//! Whole streams: encoded by ffmpeg, sent as packets, muxed, and decoded by ffmpeg again.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::mux::{MuxedFragment, Muxer};
use base::bitstream::nal::SetKind;
use base::time::{ClockState, Stamp, WallTime};

mod numbers;

/// RTP ticks per second.
const RATE: u32 = 90_000;

/// Packets of one camera.
struct Sender {
    codec: Codec,
    sequence: u16,
    source: u32,
    payload_bytes: usize,
}

impl Sender {
    fn new(codec: Codec) -> Self {
        Self { codec, sequence: 65_500, source: 7, payload_bytes: 900 }
    }

    fn packet(&mut self, payload: &[u8], marker: bool, time: u32, arrival: Duration) -> Packet {
        let mut data = vec![0x80, if marker { 0x80 | 96 } else { 96 }];
        data.extend(self.sequence.to_be_bytes());
        data.extend(time.to_be_bytes());
        data.extend(self.source.to_be_bytes());
        data.extend(payload);
        self.sequence = self.sequence.wrapping_add(1);
        let arrival = Monotonic::from_nanos(1_000_000_000 + arrival.as_nanos() as u64);
        Packet { kind: PacketKind::Rtp, arrival, data, transport: Transport::Tcp }
    }

    /// An access unit, its NAL units fragmented where they are long.
    fn unit(&mut self, units: &[Vec<u8>], time: u32, arrival: Duration) -> Vec<Packet> {
        let payloads: Vec<Vec<u8>> = units.iter().flat_map(|unit| self.payloads(unit)).collect();
        let last = payloads.len() - 1;
        (0..).zip(payloads).map(|(at, payload)| self.packet(&payload, at == last, time, arrival)).collect()
    }

    fn payloads(&self, unit: &[u8]) -> Vec<Vec<u8>> {
        if unit.len() <= self.payload_bytes {
            return vec![unit.to_vec()];
        }
        let (head, kind, body) = match self.codec {
            Codec::H264 => (vec![unit[0] & 0x60 | 28], unit[0] & 31, &unit[1..]),
            Codec::H265 => (vec![unit[0] & 0x81 | 49 << 1, unit[1]], unit[0] >> 1 & 63, &unit[2..]),
        };
        let pieces = body.len().div_ceil(self.payload_bytes);
        let piece = |(at, piece): (usize, &[u8])| {
            let ends = u8::from(at == 0) << 7 | u8::from(at == pieces - 1) << 6;
            [&head[..], &[ends | kind], piece].concat()
        };
        body.chunks(self.payload_bytes).enumerate().map(piece).collect()
    }
}

/// Access units of an encoded test picture; `None` without ffmpeg or the encoder.
fn encoded(codec: Codec, size: &str, seconds: u32, options: &str) -> Option<Vec<Vec<Vec<u8>>>> {
    let (library, parameters, format) = match codec {
        Codec::H264 => ("libx264", "-x264-params", "h264"),
        Codec::H265 => ("libx265", "-x265-params", "hevc"),
    };
    let source = format!("testsrc2=size={size}:rate=10:duration={seconds}");
    let options = format!("aud=1:scenecut=0:log-level=none:{options}");
    let options = if codec == Codec::H264 { options.replace("log-level=none:", "") } else { options };
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p", "-c:v", library])
        .args(["-preset", "ultrafast", parameters, &options, "-f", format, "-"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let mut units: Vec<Vec<Vec<u8>>> = Vec::new();
    nal::split(codec, output.stdout, |unit| {
        if nal::role(codec, &unit) == Role::Delimiter {
            units.push(Vec::new());
        } else if let Some(last) = units.last_mut() {
            last.push(unit);
        }
    });
    Some(units)
}

/// Five seconds that are encoded once; empty without ffmpeg or the encoder.
fn film(codec: Codec) -> &'static [Vec<Vec<u8>>] {
    static FILMS: [OnceLock<Vec<Vec<Vec<u8>>>>; 2] = [OnceLock::new(), OnceLock::new()];
    FILMS[usize::from(codec == Codec::H265)]
        .get_or_init(|| encoded(codec, "160x96", 5, "keyint=10:min-keyint=10:bframes=0").unwrap_or_default())
}

fn media(codec: Codec) -> Media {
    Media { codec, payload_type: Some(96), clock_rate: RATE, parameter_sets: Vec::new() }
}

/// Pictures in decoding order with presentation times of 10 a second, sent on time.
fn sent(codec: Codec, units: &[Vec<Vec<u8>>]) -> Vec<Packet> {
    let mut sender = Sender::new(codec);
    let mut packets = Vec::new();
    for (number, unit) in (0u32..).zip(units) {
        let arrival = Duration::from_millis(100) * number;
        packets.extend(sender.unit(unit, number * RATE / 10, arrival));
    }
    packets
}

fn samples(media: &Media, packets: &[Packet]) -> (Vec<Sample>, Counts) {
    let (mut assembler, mut samples) = (Assembler::new(media), Vec::new());
    packets.iter().for_each(|packet| assembler.push(packet, &mut samples));
    assembler.finish(&mut samples);
    (samples, assembler.counts())
}

fn muxed(samples: Vec<Sample>) -> Vec<MuxedFragment> {
    let mut muxer = Muxer::default();
    let mut fragments = Vec::new();
    for sample in samples {
        let stamp =
            Stamp { wall: WallTime::from_micros(0), monotonic: sample.arrival, clock: ClockState::Synced };
        let shown = sample.media_nanos;
        fragments.extend(muxer.push(sample, shown, stamp));
    }
    fragments.extend(muxer.finish());
    fragments
}

/// One file for each header.
fn files(fragments: &[MuxedFragment]) -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = Vec::new();
    for fragment in fragments {
        if let Some((init, _)) = &fragment.header {
            files.push(init.clone());
        }
        files.last_mut().expect("a header comes first").extend(&fragment.bytes);
    }
    files
}

/// The digests of the pictures that ffmpeg decodes out of `bytes`; its complaints fail the test.
fn decoded(bytes: &[u8], format: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film");
    std::fs::write(&path, bytes).unwrap();
    pictures(&path, format)
}

fn pictures(path: &Path, format: &str) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-f", format, "-i"])
        .arg(path)
        .args(["-fps_mode", "passthrough", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(complaints.is_empty(), "{complaints}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pictures = text.lines().filter(|line| !line.starts_with('#'));
    pictures.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

fn annex_b(units: &[Vec<Vec<u8>>]) -> Vec<u8> {
    units.iter().flatten().flat_map(|unit| [&[0, 0, 0, 1], &unit[..]].concat()).collect()
}

fn raw_format(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "h264",
        Codec::H265 => "hevc",
    }
}

/// Sends `units`, muxes the samples, and expects every picture of `parts` in as many files.
fn expect_exact(codec: Codec, parts: &[Vec<Vec<Vec<u8>>>], packets: &[Packet]) {
    let (samples, counts) = samples(&media(codec), packets);
    assert_eq!(counts.undecodable, 0, "{counts:?}");
    let files = files(&muxed(samples));
    assert_eq!(files.len(), parts.len());
    for (file, part) in files.iter().zip(parts) {
        assert_eq!(decoded(file, "mp4"), decoded(&annex_b(part), raw_format(codec)));
    }
}

#[test]
fn every_picture_is_decoded_as_it_was_encoded() {
    for codec in [Codec::H264, Codec::H265] {
        let Some(units) = encoded(codec, "320x192", 6, "keyint=20:min-keyint=20:bframes=0") else {
            eprintln!("skipped: ffmpeg cannot encode {codec}");
            continue;
        };
        expect_exact(codec, std::slice::from_ref(&units), &sent(codec, &units));
    }
}

#[test]
fn parameters_that_change_get_a_header_of_their_own_and_cost_no_picture() {
    for codec in [Codec::H264, Codec::H265] {
        let options = "keyint=20:min-keyint=20:bframes=0";
        let Some(first) = encoded(codec, "320x192", 4, options) else { continue };
        let second = encoded(codec, "640x360", 4, options).unwrap();
        let both = [first.clone(), second.clone()].concat();
        expect_exact(codec, &[first.clone(), second.clone()], &sent(codec, &both));
        // Full range instead of limited: the same size and profile.
        let range = if codec == Codec::H264 { "fullrange=on" } else { "range=full" };
        let third = encoded(codec, "320x192", 4, &format!("{options}:{range}")).unwrap();
        let both = [first.clone(), third.clone()].concat();
        expect_exact(codec, &[first, third], &sent(codec, &both));
    }
}

#[test]
fn parameters_are_what_the_encoder_was_told() {
    for (codec, options, expected) in [
        (Codec::H264, "keyint=10:bframes=3:b-adapt=0:8x8dct=1:level=30", (324, 182, 100, 30, Some((1, 1)))),
        (Codec::H264, "keyint=10:bframes=0:cabac=0:level=12", (324, 182, 66, 12, Some((1, 1)))),
        (Codec::H265, "keyint=10:bframes=3:b-adapt=0", (324, 182, 1, 60, None)),
    ] {
        let Some(units) = encoded(codec, "324x182", 2, options) else { continue };
        let (samples, _) = samples(&media(codec), &sent(codec, &units));
        let found = samples[0].parameters.clone().unwrap();
        let told = (found.width, found.height, found.profile, found.level, found.aspect);
        assert_eq!(told, expected, "{options}");
        let reordered = options.contains("bframes=3");
        assert_eq!(found.reorder > 0, reordered, "{options}");
        let sets = base::bitstream::sets::sets_of(codec, &found.codec_data);
        let sent: Vec<_> =
            units[0].iter().filter(|unit| matches!(nal::role(codec, unit), Role::Set(_))).collect();
        assert!(sets.iter().eq(sent), "{options}");
    }
}

#[test]
fn sets_by_turns_end_in_one_file_that_has_them_in_its_samples() {
    let options = "keyint=10:min-keyint=10:bframes=0";
    let Some(first) = encoded(Codec::H264, "320x192", 10, options) else { return };
    let second = encoded(Codec::H264, "320x192", 10, &format!("{options}:fullrange=on")).unwrap();
    let turns: Vec<Vec<Vec<u8>>> =
        (0..100).map(|at| if at / 10 % 2 == 0 { first[at].clone() } else { second[at].clone() }).collect();
    let (samples, counts) = samples(&media(Codec::H264), &sent(Codec::H264, &turns));
    assert_eq!((samples.len(), counts.parameter_changes), (100, 3));
    let files = files(&muxed(samples));
    let pictures: Vec<String> = files.iter().flat_map(|file| decoded(file, "mp4")).collect();
    let expected: Vec<String> = turns.chunks(10).flat_map(|gop| decoded(&annex_b(gop), "h264")).collect();
    assert_eq!(pictures, expected);
    assert_eq!(files.len(), 4);
}

#[test]
fn sizes_by_turns_have_a_file_each() {
    let options = "keyint=10:min-keyint=10:bframes=0";
    let Some(first) = encoded(Codec::H264, "320x192", 6, options) else { return };
    let second = encoded(Codec::H264, "640x360", 6, options).unwrap();
    let turns: Vec<Vec<Vec<u8>>> =
        (0..60).map(|at| if at / 10 % 2 == 0 { first[at].clone() } else { second[at].clone() }).collect();
    let parts: Vec<_> = turns.chunks(10).map(<[_]>::to_vec).collect();
    expect_exact(Codec::H264, &parts, &sent(Codec::H264, &turns));
}

#[test]
fn decoding_begins_at_a_cra_picture_without_its_leading_pictures() {
    let options = "keyint=20:min-keyint=20:open-gop=1:bframes=3:b-adapt=0:repeat-headers=1";
    let Some(units) = encoded(Codec::H265, "320x192", 8, options) else { return };
    let kind = |unit: &Vec<Vec<u8>>| unit.iter().map(|one| one[0] >> 1 & 63).find(|kind| *kind < 32).unwrap();
    let cra = units.iter().position(|unit| kind(unit) == 21).expect("x265 sends CRA pictures");
    let leading = units[cra..].iter().take(8).filter(|unit| matches!(kind(unit), 8 | 9)).count();
    assert!(leading > 0);
    let (samples, counts) = samples(&media(Codec::H265), &sent(Codec::H265, &units[cra..]));
    assert_eq!(samples[0].access, Access::KeyFrame);
    assert_eq!(counts.undecodable as usize, leading);
    assert_eq!(samples.len(), units.len() - cra - leading);
}

#[test]
fn an_intra_refresh_stream_begins_at_a_recovery_point() {
    let Some(units) = encoded(Codec::H264, "320x192", 20, "keyint=20:intra-refresh=1:bframes=0") else {
        return;
    };
    // Without its only IDR picture; the sets are those of the description.
    let sets: Vec<Vec<u8>> = units[0].iter().filter(|unit| matches!(unit[0] & 31, 7 | 8)).cloned().collect();
    let media = Media { parameter_sets: sets, ..media(Codec::H264) };
    let (samples, _) = samples(&media, &sent(Codec::H264, &units[1..]));
    assert_eq!(samples[0].access, Access::RecoveryPoint);
    assert!(samples.len() > 100, "{}", samples.len());
}

#[test]
fn one_bad_packet_costs_one_picture_at_most() {
    let Some(units) = encoded(Codec::H264, "320x192", 6, "keyint=10:min-keyint=10:bframes=0") else { return };
    let plain = samples(&media(Codec::H264), &sent(Codec::H264, &units)).0.len();
    let bad: [&[u8]; 9] = [
        b"",
        b"\x7d\x85\0\x01abc",
        b"\x7e\x01\x02",
        b"\x7f\x10",
        b"\x60\x01\x02",
        b"\xe1\x9a\x03",
        b"\x7c\x41tail",
        b"\x78\0\x28\x06\x01",
        b"\x7c",
    ];
    for bad in bad {
        let mut sender = Sender::new(Codec::H264);
        let mut packets = Vec::new();
        for (number, unit) in (0u32..).zip(&units) {
            let (time, arrival) = (number * RATE / 10, Duration::from_millis(100) * number);
            if number % 7 == 3 {
                packets.push(sender.packet(bad, false, time, arrival));
            }
            packets.extend(sender.unit(unit, time, arrival));
        }
        let (samples, counts) = samples(&media(Codec::H264), &packets);
        assert_eq!((samples.len(), counts.lost), (plain, 0), "{bad:?}");
        assert!(counts.skipped() > 0, "{bad:?}");
    }
}

#[test]
fn samples_behind_a_loss_go_on_and_are_marked_up_to_the_next_key_frame() {
    let Some(units) = encoded(Codec::H264, "320x192", 6, "keyint=20:min-keyint=20:bframes=0") else { return };
    let packets = sent(Codec::H264, &units);
    // The packet that begins the picture at 2.5 s.
    let stamp = 25 * RATE / 10;
    let lost = packets.iter().position(|packet| packet.data[4..8] == stamp.to_be_bytes()).unwrap();
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut packets: Vec<Packet> =
            packets.iter().map(|packet| Packet { transport, ..packet.clone() }).collect();
        packets.remove(lost);
        let (samples, counts) = samples(&media(Codec::H264), &packets);
        assert_eq!(counts.lost, 1);
        assert!(samples.len() >= units.len() - 1, "{}", samples.len());
        let broken = samples.iter().filter(|sample| sample.is_broken);
        let times: Vec<u64> = broken.map(|sample| sample.media_nanos / 1_000_000).collect();
        assert!(times.len() >= 14 && times.iter().all(|at| (2400..4000).contains(at)), "{times:?}");
    }
}

#[test]
fn a_key_frame_whose_sets_were_lost_is_not_believed() {
    let options = "keyint=10:min-keyint=10:bframes=0";
    let Some(first) = encoded(Codec::H264, "320x192", 2, options) else { return };
    let second = encoded(Codec::H264, "640x360", 2, options).unwrap();
    let mut packets = sent(Codec::H264, &[first.clone(), second].concat());
    let change = 20 * RATE / 10;
    // All that stands before the slices of the first picture of the other size.
    packets
        .retain(|packet| packet.data[4..8] != change.to_be_bytes() || matches!(packet.data[12] & 31, 5 | 28));
    let (samples, _) = samples(&media(Codec::H264), &packets);
    let files = files(&muxed(samples));
    let pictures: Vec<usize> = files.iter().map(|file| decoded(file, "mp4").len()).collect();
    assert_eq!(pictures, [20, 10], "the first GOP of the other size is left out");
}

#[test]
fn a_source_that_changes_its_number_with_each_gop_is_one_stream() {
    let Some(units) = encoded(Codec::H264, "320x192", 6, "keyint=10:min-keyint=10:bframes=0") else { return };
    let mut sender = Sender::new(Codec::H264);
    let mut packets = Vec::new();
    for (number, unit) in (0u32..).zip(&units) {
        if number % 10 == 0 {
            sender.source += 1;
            // With times and numbers of their own.
            sender.sequence = sender.sequence.wrapping_mul(31).wrapping_add(977);
        }
        let time = (number * RATE / 10).wrapping_add(sender.source * 0x0101_0101);
        packets.extend(sender.unit(unit, time, Duration::from_millis(100) * number));
    }
    let (samples, counts) = samples(&media(Codec::H264), &packets);
    assert_eq!((samples.len(), counts.source_changes), (units.len(), 5));
    let last = samples.last().unwrap().media_nanos;
    assert!(last.abs_diff(5_900_000_000) < 500_000_000, "{last}");
    assert!(samples.windows(2).all(|pair| pair[0].media_nanos < pair[1].media_nanos));
}

/// Media times in milliseconds of pictures with these stamps, arriving every 100 ms.
fn placed(stamps: impl IntoIterator<Item = u32>) -> Vec<(i64, bool, bool)> {
    let mut times = Times::new(RATE);
    let place = |(number, stamp): (u64, u32)| {
        let placed = times.place(stamp, Monotonic::from_nanos(number * 100_000_000 + 5), 0);
        (placed.media / 1_000_000, placed.is_jump, placed.by_arrival)
    };
    (0..).zip(stamps).map(place).collect()
}

#[test]
fn stamps_that_wrap_are_believed() {
    let placed = placed((0..100u32).map(|at| 0xffff_fff0u32.wrapping_add(at * 9000)));
    assert!((0..).zip(&placed).all(|(at, found)| *found == (at * 100, false, false)), "{placed:?}");
}

#[test]
fn one_stamp_that_is_off_is_passed_over() {
    let placed = placed((0..100u32).map(|at| if at == 50 { at * 9000 + 3600 * RATE } else { at * 9000 }));
    assert!((0..).zip(&placed).all(|(at, found)| *found == (at * 100, false, false)), "{placed:?}");
}

#[test]
fn a_clock_that_is_set_back_or_ahead_goes_on_by_arrival() {
    for step in [3i64, 3600, -3600] {
        let stamp = |at: u32| {
            let moved = if at >= 80 { -step * i64::from(RATE) } else { 0 };
            (i64::from(at) * 9000 + 100_000_000 + moved) as u32
        };
        let placed = placed((0..160).map(stamp));
        assert!(placed.windows(2).all(|pair| pair[0].0 < pair[1].0), "{step}");
        assert_eq!(placed.iter().filter(|one| one.1).count(), 1, "{step}");
        assert!(placed[159].0.abs_diff(15_900) < 300, "{step}: {:?}", placed[159]);
        assert!(!placed[159].2);
    }
}

#[test]
fn stamps_at_another_pace_are_stretched_to_arrival() {
    // 12.5 stamped for 10 sent; milliseconds instead of ticks; standing still.
    for step in [7200u32, 100, 1, 0] {
        let placed = placed((0..600).map(|at| at * step));
        let (last, _, by_arrival) = placed[599];
        assert!(by_arrival, "{step}");
        assert!(last.abs_diff(59_900) < 1000, "{step}: {last}");
        assert!(placed.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{step}");
    }
}

#[test]
fn a_network_that_stalls_and_catches_up_changes_no_time() {
    let mut times = Times::new(RATE);
    for at in 0..1200u64 {
        // Four seconds of pictures arrive at once, now and then.
        let arrives = if at % 300 > 250 && at % 300 < 290 { at / 300 * 300 + 290 } else { at };
        let placed = times.place(at as u32 * 9000, Monotonic::from_nanos(arrives * 100_000_000), 0);
        assert_eq!(
            (placed.media, placed.is_jump, placed.by_arrival),
            (at as i64 * 100_000_000, false, false),
            "{at}"
        );
    }
}

#[test]
fn a_long_gop_comes_in_parts_that_need_each_other() {
    let Some(units) = encoded(Codec::H264, "320x192", 20, "keyint=1000:bframes=0") else { return };
    let (samples, _) = samples(&media(Codec::H264), &sent(Codec::H264, &units));
    let fragments = muxed(samples);
    let starts: Vec<_> = fragments.iter().map(|fragment| fragment.start.as_str()).collect();
    assert_eq!(starts, ["key-frame", "continued", "continued", "continued"]);
    assert_eq!(decoded(&files(&fragments)[0], "mp4").len(), units.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// For any packets: no panic, no more samples than packets, and times do not run back.
    #[test]
    fn noise_is_survived(
        packets in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..80), any::<bool>(), 0u64..1_000_000_000),
            0..120,
        ),
        is_h264: bool,
    ) {
        let codec = if is_h264 { Codec::H264 } else { Codec::H265 };
        let (mut assembler, mut samples) = (Assembler::new(&media(codec)), Vec::new());
        let (mut arrival, mut bytes) = (0, 0);
        for (number, (is_framed, payload, marker, passed)) in (0u16..).zip(packets) {
            arrival += passed;
            bytes += payload.len() + 1024;
            let head = [0x80, if marker { 0xe0 } else { 0x60 }, (number >> 8) as u8, number as u8];
            let data = if is_framed { [&head[..], &payload].concat() } else { payload };
            let packet = Packet { kind: PacketKind::Rtp, arrival: Monotonic::from_nanos(arrival), data, transport: Transport::Udp };
            assembler.push(&packet, &mut samples);
        }
        assembler.finish(&mut samples);
        let made: usize = samples.iter().map(|sample| sample.data.len()).sum();
        prop_assert!(made <= bytes * 4);
        muxed(samples);
    }

    /// Packets of a real stream that are changed, cut, left out, doubled and moved: no panic, no time that runs back, and no
    /// more samples than pictures were sent.
    #[test]
    fn damage_is_survived(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0u8..6, any::<u16>(), any::<u8>()), 0..40),
        transport in prop::sample::select(vec![Transport::Tcp, Transport::Udp]),
        codec in prop::sample::select(vec![Codec::H264, Codec::H265]),
    ) {
        let mut packets = sent(codec, film(codec));
        for (place, kind, at, value) in damage {
            if packets.is_empty() {
                break;
            }
            let place = place.index(packets.len());
            let length = packets[place].data.len().max(1);
            match kind {
                0 | 1 if !packets[place].data.is_empty() => packets[place].data[usize::from(at) % length] = value,
                2 => packets[place].data.truncate(usize::from(at) % length),
                3 => drop(packets.remove(place)),
                4 => packets.insert(place, packets[place].clone()),
                _ => {
                    let other = usize::from(at) % packets.len();
                    packets.swap(place, other);
                }
            }
        }
        let packets: Vec<Packet> = packets.into_iter().map(|packet| Packet { transport, ..packet }).collect();
        let (samples, _) = samples(&media(codec), &packets);
        prop_assert!(samples.len() <= packets.len());
        let fragments = muxed(samples);
        let ticks = fragments.iter().map(|fragment| fragment.duration).sum::<Duration>();
        prop_assert!(ticks < Duration::from_secs(3600), "{:?}", ticks);
    }

    /// Parameter sets of noise never panic.
    #[test]
    fn sets_of_noise_are_survived(unit in prop::collection::vec(any::<u8>(), 1..200)) {
        for codec in [Codec::H264, Codec::H265] {
            for set in [SetKind::Vps, SetKind::Sps, SetKind::Pps] {
                base::bitstream::Sets::new(codec).take(set, &unit, false);
            }
        }
    }
    /// NAL units of a real stream with some bytes changed: read as parameter sets and slices, they never panic, and no picture
    /// is larger than the standards admit.
    #[test]
    fn changed_units_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..12),
        length in 0usize..200,
        codec in prop::sample::select(vec![Codec::H264, Codec::H265]),
    ) {
        let mut units: Vec<Vec<u8>> = film(codec).iter().take(3).flatten().cloned().collect();
        if units.is_empty() {
            return Ok(());
        }
        for (unit, at, value) in changes {
            let unit = unit.get_mut(&mut units);
            let at = at.index(unit.len());
            unit[at] = value;
            unit.truncate(length.max(1));
        }
        let mut sets = base::bitstream::Sets::new(codec);
        for unit in &units {
            match nal::role(codec, unit) {
                Role::Set(set) => drop(sets.take(set, unit, false)),
                _ => {
                    if let Some((_, sps)) = sets.of_slice(unit) {
                        prop_assert!(sps.width.max(sps.height) <= base::bitstream::sps::PIXELS_MAX);
                        let wanted = sets.wanted(&[unit]);
                        let codec_data = sets.parameters(&wanted, sps).codec_data;
                        prop_assert!(codec_data.len() <= 64 + 2 * wanted.iter().map(Vec::len).sum::<usize>());
                        let _ = base::bitstream::sets::sets_of(codec, &codec_data);
                    }
                }
            }
            let mut parts = 0;
            nal::split(codec, unit.clone(), |part| parts += part.len());
            prop_assert!(parts <= unit.len());
        }
    }
}
