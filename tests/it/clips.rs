//! Scenarios of `wardwatch clips`: real encoders, real players, sticks that fill up or vanish.

mod commands;
mod picture;
mod player;
mod recorded;
mod stick;
mod stills;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base::clock::SystemClock;
use base::fragment::{Codec, Fragment, FragmentStart, StreamFacts, TimeSource};
use base::ids::Epoch;
use base::time::{Pts, Stamp, WallTime};
use clipstore::export::{
    ClipOrder, ExportOrder, Exported, ExportedFile, FAT32_FILE_BYTES_MAX, GapCause, export,
};
use clipstore::inspect::{self, Depth, Wrong};
use clipstore::{Catalogue, access};
use jiff::tz::TimeZone;
use serde_json::Value;
use tempfile::TempDir;

use crate::store::{clip_files, cut_mp4, open, settings};
use crate::support::sample::START;

const PATIENCE: Duration = Duration::from_secs(60);

/// Playing time of each GOP of a [`Footage`].
const GOP: Duration = Duration::from_secs(2);

/// A camera's encoded stream, cut at its key frames.
struct Footage {
    source: PathBuf,
    codec: Codec,
    init: Arc<[u8]>,
    fragments: Vec<Arc<[u8]>>,
}

/// Has ffmpeg encode GOPs of two seconds at 15 fps; `None`, and the reason on standard error, where it cannot.
fn footage(folder: &Path, codec: Codec, b_frames: u32, width: u32, gops: u32) -> Option<Footage> {
    footage_with(folder, codec, b_frames, width, gops, "")
}

/// The same with more `options` for the encoder.
fn footage_with(
    folder: &Path,
    codec: Codec,
    b_frames: u32,
    width: u32,
    gops: u32,
    options: &str,
) -> Option<Footage> {
    let source = folder.join(format!("{codec:?}-{b_frames}-{width}.mp4"));
    let (encoder, params) = match codec {
        Codec::H264 => ("libx264", "-x264-params"),
        Codec::H265 => ("libx265", "-x265-params"),
    };
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i"])
        .arg(format!("testsrc2=size={width}x{}:rate=15:duration={}", width * 9 / 16 / 2 * 2, gops * 2))
        .args(["-c:v", encoder, "-preset", "ultrafast", "-pix_fmt", "yuv420p", params])
        .arg(format!(
            "log-level=none:keyint=30:min-keyint=30:scenecut=0:open-gop=0:bframes={b_frames}{options}"
        ))
        .args(["-movflags", "frag_keyframe+empty_moov+default_base_moof"])
        .arg(&source)
        .output();
    if !made.as_ref().is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: ffmpeg with {encoder} is not there: {made:?}");
        return None;
    }
    let (init, fragments) = cut_mp4(&fs::read(&source).unwrap());
    assert_eq!(fragments.len(), gops as usize);
    Some(Footage { source, codec, init, fragments })
}

impl Footage {
    /// The `number`th fragment as `gate` delivers it in its first session.
    fn fragment(&self, number: usize) -> Fragment {
        let since = GOP * u32::try_from(number).unwrap();
        Fragment {
            camera: "gate".parse().unwrap(),
            epoch: Epoch(0),
            init: Arc::clone(&self.init),
            bytes: Arc::clone(&self.fragments[number]),
            pts: Pts(u64::try_from(since.as_nanos()).unwrap()),
            duration: GOP,
            starts_at: START + since,
            samples: 30,
            facts: StreamFacts { codec: self.codec, width: 320, height: 180, time: TimeSource::Camera },
            start: FragmentStart::KeyFrame,
            is_break: false,
        }
    }

    /// The same, arriving `after` [`START`] in session `epoch`.
    fn moved(&self, number: usize, epoch: u32, after: Duration) -> Fragment {
        Fragment { epoch: Epoch(epoch), starts_at: START + after, ..self.fragment(number) }
    }
}

/// A store in `folder/store` that has recorded `fragments`. Segments are of ten seconds.
fn record(folder: &Path, fragments: impl IntoIterator<Item = Fragment>) -> PathBuf {
    let directory = folder.join("store");
    let store = open(settings(&directory));
    for fragment in fragments {
        store.append(fragment).unwrap();
    }
    store.close();
    directory
}

/// Exports the footage of `gate` between two times after [`START`] to `folder/stick`.
fn export_gate(folder: &Path, from: Duration, to: Duration, file_bytes_max: u64) -> Exported {
    let stick = folder.join("stick");
    fs::create_dir_all(&stick).unwrap();
    let order = order(&stick, from, to, file_bytes_max);
    let catalogue = Catalogue::open(&folder.join("store")).unwrap();
    let (mut last, mut total) = (0, 0);
    let exported = export(&catalogue, &order, &SystemClock, &mut |done, all| {
        assert!(done >= last);
        (last, total) = (done, all);
    });
    let exported = exported.unwrap();
    assert!(exported.failed.is_some() || last > 0 && last <= total, "{last} of {total}");
    exported
}

fn order(stick: &Path, from: Duration, to: Duration, file_bytes_max: u64) -> ExportOrder {
    ExportOrder {
        clips: vec![ClipOrder {
            camera: "gate".parse().unwrap(),
            from: START.wall + from,
            to: Some(START.wall + to),
            alert: None,
        }],
        folder: stick.to_owned(),
        who: "Hoa".into(),
        why: "a test".into(),
        box_id: Some("box-1".parse().unwrap()),
        timezone: TimeZone::UTC,
        file_bytes_max,
    }
}

fn one_file(exported: &Exported) -> &ExportedFile {
    let [clip] = &exported.clips[..] else { panic!("{exported:?}") };
    let [file] = &clip.files[..] else { panic!("{exported:?}") };
    file
}

/// A packet: milliseconds of its presentation and of its decoding, true for a key frame, and its digest.
type Packet = (i64, i64, bool, String);

/// Returns a file's packets in decoding order; ffprobe must read them without a complaint.
fn packets(path: &Path) -> Vec<Packet> {
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-show_packets", "-show_data_hash", "md5", "-of", "json"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let millis = |packet: &Value, key: &str| {
        let seconds: f64 = packet[key].as_str().unwrap().parse().unwrap();
        (seconds * 1000.0).round() as i64
    };
    let packet = |packet: &Value| {
        let flags = packet["flags"].as_str().unwrap();
        assert!(!flags.contains('D'), "a packet outside of the edit list: {packet}");
        let digest = packet["data_hash"].as_str().unwrap().to_owned();
        (millis(packet, "pts_time"), millis(packet, "dts_time"), flags.starts_with('K'), digest)
    };
    read["packets"].as_array().unwrap().iter().map(packet).collect()
}

/// Number of pictures that ffmpeg decodes; it must not complain.
fn decoded(path: &Path) -> usize {
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().trim_end_matches(',').parse().unwrap()
}

/// The file's description of itself.
fn about(path: &Path) -> Value {
    let file = fs::read(path).unwrap();
    let at = file.windows(16).position(|window| window == clipstore::export::CLIP_UUID).unwrap();
    let size = u32::from_be_bytes(file[at - 8..at - 4].try_into().unwrap()) as usize;
    serde_json::from_slice(&file[at + 16..at - 8 + size]).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_export_is_the_cameras_packets_bit_by_bit() {
    for (codec, b_frames) in [(Codec::H264, 0), (Codec::H264, 2), (Codec::H265, 0), (Codec::H265, 3)] {
        let place = TempDir::new().unwrap();
        let Some(footage) = footage(place.path(), codec, b_frames, 320, 8) else { return };
        record(place.path(), (0..8).map(|number| footage.fragment(number)));
        let exported = export_gate(place.path(), secs(0), secs(16), FAT32_FILE_BYTES_MAX);
        let file = one_file(&exported);
        assert_eq!(file.path.file_name().unwrap(), "gate_2026-05-01_22-14-03.mp4");
        assert_eq!((file.content.gaps.len(), file.content.samples, exported.is_whole()), (0, 240, true));
        assert_eq!(file.content.seconds, 16.0);

        let (got, wanted) = (packets(&file.path), packets(&footage.source));
        let first_shown = got.iter().map(|packet| packet.0).min().unwrap();
        assert_eq!(first_shown, 0, "{codec} with {b_frames} B-frames starts at 0");
        let origin = wanted.iter().map(|packet| packet.0).min().unwrap();
        for (index, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            assert_eq!((&got.2, &got.3), (&wanted.2, &wanted.3), "{codec} packet {index}");
            assert!((got.0 - (wanted.0 - origin)).abs() <= 1, "{codec} packet {index}: {got:?} {wanted:?}");
        }
        assert_eq!((got.len(), decoded(&file.path)), (240, 240));
    }
}

#[test]
fn a_clip_is_cut_to_gops_and_says_what_it_is() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 8) else { return };
    record(place.path(), (0..8).map(|number| footage.fragment(number)));
    let exported = export_gate(place.path(), secs(5), secs(11), FAT32_FILE_BYTES_MAX);
    let file = one_file(&exported);
    assert_eq!(file.content.starts_at, START.wall + secs(4), "at most one GOP early");
    assert_eq!(file.content.ends_at, START.wall + secs(12));
    let (got, wanted) = (packets(&file.path), packets(&footage.source));
    assert!(got.iter().map(|packet| &packet.3).eq(wanted[60..180].iter().map(|packet| &packet.3)));

    let about = about(&file.path);
    assert_eq!(about["schema"], "wardwatch.clip/1");
    assert_eq!((about["camera"].as_str(), about["box"].as_str()), (Some("gate"), Some("box-1")));
    assert_eq!(about["starts_at"], "2026-05-01T22:14:07.120Z");
    assert_eq!((about["exported_by"].as_str(), about["reason"].as_str()), (Some("Hoa"), Some("a test")));
    assert_eq!(about["segments"].as_array().unwrap().len(), 2);
    let created = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format_tags=creation_time", "-of", "csv=p=0"])
        .arg(&file.path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&created.stdout).trim(), "2026-05-01T22:14:07.000000Z");
}

#[test]
fn a_gap_is_as_long_in_the_file_as_it_was_and_is_told() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 8) else { return };
    // Fragments 1 and 2 never came; then the camera was away for half a minute.
    let first = [0, 3, 4].map(|number| footage.fragment(number));
    let second = [5, 6].map(|number| footage.moved(number, 1, secs(30) + GOP * number as u32));
    record(place.path(), first.into_iter().chain(second));
    let exported = export_gate(place.path(), secs(0), secs(60), FAT32_FILE_BYTES_MAX);
    let file = one_file(&exported);
    let gaps: Vec<_> =
        file.content.gaps.iter().map(|gap| (gap.cause, gap.position_seconds, gap.seconds)).collect();
    let not_recorded = GapCause::NotRecorded;
    assert_eq!(gaps, [(not_recorded, 2.0, 4.0), (not_recorded, 10.0, 30.0), (not_recorded, 44.0, 16.0)]);
    assert_eq!(file.content.gaps[0].from, START.wall + secs(2));
    assert_eq!(file.content.gaps[0].to, START.wall + secs(6));
    assert!(exported.is_whole(), "what was never recorded is no flaw");
    assert_eq!(about(&file.path)["gaps"].as_array().unwrap().len(), 3);

    let got = packets(&file.path);
    let keyframes: Vec<i64> = got.iter().filter(|packet| packet.2).map(|packet| packet.0).collect();
    assert_eq!(keyframes, [0, 6000, 8000, 40_000, 42_000]);
    assert_eq!((got.len(), decoded(&file.path)), (150, 150));
    assert_eq!(file.content.seconds, 44.0);
    let entries = access::read(&place.path().join("store")).unwrap().entries;
    assert!(entries.last().unwrap().detail.contains("with 3 gaps"), "{entries:?}");
}

#[test]
fn a_clock_that_steps_back_hides_nothing() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 0, 320, 4) else { return };
    let back = |number| {
        let fragment = footage.fragment(number);
        let wall = WallTime::from_micros(fragment.starts_at.wall.as_micros() - 3_000_000);
        Fragment { starts_at: Stamp { wall, ..fragment.starts_at }, ..fragment }
    };
    record(place.path(), [footage.fragment(0), footage.fragment(1), back(2), back(3)]);
    let exported = export_gate(place.path(), secs(0), secs(5), FAT32_FILE_BYTES_MAX);
    let file = one_file(&exported);
    assert_eq!(file.content.gaps.len(), 1);
    assert_eq!((file.content.gaps[0].cause, file.content.gaps[0].seconds), (GapCause::ClockSet, 0.0));
    let got = packets(&file.path);
    assert_eq!(got.len(), 120, "nothing was lost in between");
    assert!(got.iter().map(|packet| &packet.3).eq(packets(&footage.source).iter().map(|packet| &packet.3)));
    assert!(got.is_sorted_by_key(|packet| packet.1));
}

#[test]
fn other_parameters_and_full_files_go_on_in_another_file() {
    let place = TempDir::new().unwrap();
    let Some(small) = footage(place.path(), Codec::H264, 2, 320, 3) else { return };
    let Some(large) = footage(place.path(), Codec::H264, 2, 640, 6) else { return };
    record(
        place.path(),
        (0..3)
            .map(|number| small.fragment(number))
            .chain((0..6).map(|number: usize| large.moved(number, 1, GOP * (number as u32 + 3)))),
    );
    let exported = export_gate(place.path(), secs(0), secs(18), FAT32_FILE_BYTES_MAX);
    let files = &exported.clips[0].files;
    assert_eq!(files[0].content.goes_on, Some("the stream's parameters change"));
    let paths: Vec<_> = files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(paths, ["gate_2026-05-01_22-14-03.mp4", "gate_2026-05-01_22-14-03-2.mp4"]);
    assert_eq!((decoded(&files[0].path), decoded(&files[1].path)), (90, 180));
    assert_eq!(files[1].content.starts_at, START.wall + secs(6));

    let limit = 1_000_000;
    let exported = export_gate(place.path(), secs(6), secs(18), limit);
    let files = &exported.clips[0].files;
    assert!(files.len() > 1 && files.iter().all(|file| file.bytes <= limit), "{files:#?}");
    assert!(files[0].path.ends_with("gate_2026-05-01_22-14-09.mp4"));
    let got: Vec<Packet> = files.iter().flat_map(|file| packets(&file.path)).collect();
    assert!(got.iter().map(|packet| &packet.3).eq(packets(&large.source).iter().map(|packet| &packet.3)));
    assert!(files.iter().all(|file| packets(&file.path)[0].2), "each starts on a keyframe");
}

#[test]
fn a_clip_out_of_a_long_gop_begins_where_decoding_can() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 0, 320, 6) else { return };
    let part = |number: usize| {
        let start = if number.is_multiple_of(3) { FragmentStart::KeyFrame } else { FragmentStart::Continued };
        Fragment { start, ..footage.fragment(number) }
    };
    let directory = record(place.path(), (0..6).map(part));
    let exported = export_gate(place.path(), secs(5), secs(6), FAT32_FILE_BYTES_MAX);
    let content = &one_file(&exported).content;
    assert_eq!((content.starts_at, content.samples), (START.wall, 90));

    // The continuation of a part that cannot be read is of no use.
    let path = &clip_files(&directory)[0];
    let mut bytes = fs::read(path).unwrap();
    let trun = bytes.windows(4).position(|kind| kind == b"trun").unwrap();
    bytes[trun + 8..trun + 12].fill(0xff);
    fs::write(path, bytes).unwrap();
    let exported = export_gate(place.path(), secs(0), secs(12), FAT32_FILE_BYTES_MAX);
    let content = &one_file(&exported).content;
    assert_eq!((content.starts_at, content.samples), (START.wall + secs(6), 90));
    let flaws: Vec<_> = exported.clips[0].flaws.iter().map(|flaw| flaw.what.as_str()).collect();
    assert!(flaws.iter().any(|flaw| flaw.contains("the fragment before it is missing")), "{flaws:?}");
}

/// Files of earlier versions after a camera changed its size: the pictures of one stream under the header of another.
#[test]
fn pictures_under_a_wrong_header_are_found_and_begin_another_file() {
    let place = TempDir::new().unwrap();
    let Some(small) = footage(place.path(), Codec::H264, 0, 320, 4) else { return };
    let Some(large) = footage_with(place.path(), Codec::H264, 0, 640, 4, ":sps-id=3") else { return };
    let directory = record(
        place.path(),
        (0..4).map(|number: usize| match number {
            0..2 => small.fragment(number),
            number => Fragment { bytes: Arc::clone(&large.fragments[number]), ..small.fragment(number) },
        }),
    );
    let found = inspect::check(&settings(&directory), Depth::Deep, &mut |_, _| {}).unwrap();
    let found: Vec<_> = found.iter().map(|finding| (finding.wrong, finding.at)).collect();
    assert_eq!(found, [(Wrong::Header, Some(START.wall + secs(4)))]);
    let exported = export_gate(place.path(), secs(0), secs(8), FAT32_FILE_BYTES_MAX);
    let files = &exported.clips[0].files;
    assert_eq!(files.iter().map(|file| file.content.samples).collect::<Vec<_>>(), [60, 60]);
    assert_eq!(decoded(&files[0].path), 60);
    assert!(files[0].content.goes_on.is_some_and(|why| why.contains("header")), "{files:#?}");
    assert!(exported.clips[0].flaws[0].what.contains("does not have"), "{exported:#?}");
}

#[test]
fn what_is_damaged_or_gone_is_a_gap_and_the_rest_is_exported() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 0, 320, 12) else { return };
    // Three segments: 0 to 4, 5 to 9, 10 and 11.
    let directory = record(place.path(), (0..12).map(|number| footage.fragment(number)));
    let catalogue = Catalogue::open(&directory).unwrap();
    let gate = "gate".parse().unwrap();
    let segments = catalogue.footage(&gate, START.wall, START.wall + secs(24)).unwrap().segments;
    let mut second = fs::read(&segments[1].path).unwrap();
    let moofs: Vec<usize> = (0..second.len() - 4).filter(|at| &second[*at..at + 4] == b"moof").collect();
    assert_eq!(moofs.len(), 5);
    // The second GOP's trun claims more samples than there can be; a bit of the fourth one's picture is flipped.
    let trun = moofs[1] + second[moofs[1]..].windows(4).position(|kind| kind == b"trun").unwrap();
    second[trun + 8..trun + 12].fill(0xff);
    let picture = moofs[4] - 500;
    second[picture] ^= 1;
    fs::write(&segments[1].path, second).unwrap();
    fs::remove_file(&segments[0].path).unwrap();

    let exported = export_gate(place.path(), secs(0), secs(24), FAT32_FILE_BYTES_MAX);
    let file = one_file(&exported);
    let gaps: Vec<_> =
        file.content.gaps.iter().map(|gap| (gap.cause, gap.position_seconds, gap.seconds)).collect();
    assert_eq!(gaps, [(GapCause::Removed, 0.0, 10.0), (GapCause::Damaged, 2.0, 2.0)]);
    let flaws: Vec<_> = exported.clips[0].flaws.iter().map(|flaw| (flaw.at, flaw.what.as_str())).collect();
    assert_eq!(flaws.len(), 3, "{flaws:?}");
    assert!(flaws[0].1.contains("removed since"), "{flaws:?}");
    assert!(flaws[1].1.contains("claims 4294967295 samples"), "{flaws:?}");
    assert!(flaws[2].1.contains("sha256 differs"), "{flaws:?}");
    assert_eq!([flaws[0].0, flaws[1].0], [START.wall, START.wall + secs(12)]);
    assert_eq!(packets(&file.path).len(), 6 * 30);
}
