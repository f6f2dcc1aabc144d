//! Scenarios of `wardwatch clips`: real encoders, real players, sticks that fill up or vanish.

mod player;
mod stick;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use base::clock::SystemClock;
use base::fragment::{Codec, Fragment, FragmentStart, StreamFacts, TimeSource};
use base::ids::Epoch;
use base::time::{Pts, Stamp, WallTime};
use camera::{Source, Transport, supervise};
use clipstore::access::{self, AccessKind};
use clipstore::export::{
    ClipOrder, ExportOrder, Exported, ExportedFile, FAT32_FILE_BYTES_MAX, GapCause, export,
};
use clipstore::inspect::{self, Depth, Wrong};
use clipstore::{Catalogue, Store};
use jiff::tz::TimeZone;
use serde_json::Value;
use streetsim::server::{Access, CameraServer, Feed};
use tempfile::TempDir;

use crate::agent::ToStore;
use crate::store::{clip_files, cut_mp4, open, settings};
use crate::support::camera::{session_program, stream};
use crate::support::sample::{START, closed, opened};
use crate::support::{slices, slices_of, wait_until};

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
    let changed = |number: usize| large.moved(number, 1, GOP * (number as u32 + 3));
    record(place.path(), (0..3).map(|number| small.fragment(number)).chain((0..6).map(changed)));
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
    let mixed = |number: usize| match number {
        0..2 => small.fragment(number),
        number => Fragment { bytes: Arc::clone(&large.fragments[number]), ..small.fragment(number) },
    };
    let directory = record(place.path(), (0..4).map(mixed));
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

fn wardwatch(args: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wardwatch"))
        .arg("clips")
        .args(args)
        .arg("--directory")
        .arg(directory)
        .env("TZ", "Asia/Ho_Chi_Minh")
        .env_remove("SUDO_USER")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_officer_lists_exports_and_is_in_the_log() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 2, 320, 12) else { return };
    let directory = place.path().join("store");
    let store = open(settings(&directory));
    for number in [0, 1, 2, 3, 4, 5, 6, 9, 10, 11] {
        store.append(footage.fragment(number)).unwrap();
    }
    let draft = opened("gate", secs(7));
    let alert = store.put_alert(draft.clone()).unwrap().id.to_string();
    store.put_alert(closed(&draft, secs(9))).unwrap();
    let newest = || store.footage(&"gate".parse().unwrap(), START.wall, START.wall + secs(100)).unwrap();
    wait_until("all is indexed", PATIENCE, || {
        newest().segments.last().is_some_and(|last| last.ends_at == START.wall + secs(24))
    });

    // 22:14:03 UTC is 05:14:03 of the next day in Ho Chi Minh City. The daemon is running.
    let listed = wardwatch(&["list", "--camera", "gate"], &directory);
    let text = stdout(&listed);
    assert!(text.contains("2026-05-02 05:14:10") && text.contains(&alert), "{text}{}", stderr(&listed));
    // As the post prints them: the beginning of an id, and a Vietnamese time.
    let of_one = wardwatch(&["list", &alert[..9]], &directory);
    assert!(stdout(&of_one).contains(&alert), "{}", stderr(&of_one));
    let of_day = wardwatch(&["list", "--from", "02/05/2026", "--to", "02/05/2026"], &directory);
    assert!(stdout(&of_day).contains(&alert), "{}", stderr(&of_day));
    let later =
        wardwatch(&["list", "--footage", "--from", "02/05/2026 06:00:00", "--to", "02/05/2026"], &directory);
    let nearest = "the last footage of gate ends at 2026-05-02 05:14:27+07:00";
    assert!(stdout(&later).contains("no footage") && stderr(&later).contains(nearest), "{}", stderr(&later));
    let spans = wardwatch(&["list", "--footage", "--to", "2026-05-02 05:15"], &directory);
    assert!(stdout(&spans).contains("-- 0:00:04 missing --"), "{}", stdout(&spans));
    let json: Value =
        serde_json::from_slice(&wardwatch(&["list", "--footage", "--json"], &directory).stdout).unwrap();
    assert_eq!((json[0]["segments"].as_u64(), json[1]["segments"].as_u64()), (Some(2), Some(2)), "{json}");

    let stick = place.path().join("stick");
    fs::create_dir(&stick).unwrap();
    let (to, reason) = (stick.to_str().unwrap(), "vụ 12/2026");
    let export = ["export", &alert, "--output", to, "--reason", reason, "--who", "Đặng Thị Hoa", "--json"];
    for _ in 0..2 {
        let done = wardwatch(&export, &directory);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        let json: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(json["clips"][0]["files"][0]["starts_at"], "2026-05-01T22:14:05.120Z");
        assert_eq!(json["clips"][0]["alert"].as_str(), Some(&*alert));
    }
    assert_eq!(names(&stick), ["gate_2026-05-02_05-14-05.mp4", "gate_2026-05-02_05-14-05_copy2.mp4"]);
    assert_eq!(about(&stick.join(&names(&stick)[0]))["alert"].as_str(), Some(&*alert));

    let log = access::read(&directory).unwrap();
    let kinds: Vec<_> = log.entries.iter().map(|entry| entry.what).collect();
    assert_eq!(kinds, [AccessKind::ExportStarted, AccessKind::ExportEnded].repeat(2));
    assert!(log.entries[0].who.starts_with("Đặng Thị Hoa (user id "), "{}", log.entries[0].who);
    let sha256 = Command::new("sha256sum").arg(stick.join(&names(&stick)[1])).output().unwrap();
    assert!(log.entries[3].detail.contains(&stdout(&sha256)[..64]), "{}", log.entries[3].detail);
    assert!(stdout(&wardwatch(&["log"], &directory)).contains("exported by Đặng Thị Hoa"));
    assert_eq!(wardwatch(&["log", "--verify"], &directory).status.code(), Some(0));
    let path = directory.join("access.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    for left in [3, 0] {
        fs::write(&path, whole.split_inclusive('\n').take(left).collect::<String>()).unwrap();
        let cut = wardwatch(&["log", "--verify"], &directory);
        let said = format!("has {left} lines, and the index knows of 4");
        assert!(cut.status.code() == Some(3) && stderr(&cut).contains(&said), "{}", stderr(&cut));
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(wardwatch(&["log", "--verify"], &directory).status.code(), Some(3), "the log is gone");
    fs::write(&path, whole).unwrap();
    assert_eq!(wardwatch(&["log", "--verify"], &directory).status.code(), Some(0));
    fs::write(&path, fs::read_to_string(&path).unwrap().replacen("Hoa", "Lan", 1)).unwrap();
    let broken = wardwatch(&["log", "--verify"], &directory);
    assert_eq!(broken.status.code(), Some(3));
    assert!(stderr(&broken).contains("line 2 does not follow"), "{}", stderr(&broken));
}

#[test]
fn what_cannot_be_done_says_what_could_be() {
    let place = TempDir::new().unwrap();
    let directory = record(place.path(), [crate::support::sample::fragment("gate", 0, 1000)]);
    let stick = place.path().to_str().unwrap();
    let good = ["export", "--camera", "gate", "--from", "2026-05-02 05:14", "--to", "2026-05-02 05:15"];
    let output = ["--output", stick, "--reason", "a test"];
    let unknown = "019e0000-0000-7000-8000-000000000000";
    let changed = |at: usize, to: &'static str| {
        let mut args = [&good[..], &output[..]].concat();
        args[at] = to;
        args
    };
    for (args, code, expected) in [
        (changed(2, "yard"), 1, "has nothing of a camera \"yard\"; it has gate"),
        (changed(4, "tomorrow"), 1, "\"tomorrow\" is not a time; write "),
        (changed(4, "2026-05-02 05:16"), 1, "is not before --to"),
        (changed(8, "/nowhere/usb"), 1, "there is no folder /nowhere/usb; mount the stick"),
        (changed(10, " "), 2, "must say something"),
        (["export", unknown].iter().copied().chain(output).collect(), 1, "`wardwatch clips list` lists"),
        (["export", "0f"].iter().copied().chain(output).collect(), 1, "no alert begins with 0f"),
        (["export"].iter().copied().chain(output).collect(), 2, "required"),
        ([&good[..], &output[..2]].concat(), 2, "--reason"),
        // These fragments are made up: as footage, no player could read them.
        (changed(0, "export"), 1, "not exported: it is damaged"),
    ] {
        let done = wardwatch(&args, &directory);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {}{}", stdout(&done), stderr(&done));
        assert!(stderr(&done).contains(expected), "{args:?}: {}", stderr(&done));
    }
    assert_eq!(access::read(&directory).unwrap().entries.len(), 2, "one export was begun, and failed");
    let when = ["export", "--camera", "gate", "--from", "02/05/2026 05:20", "--to", "02/05/2026 05:21"];
    let nothing = wardwatch(&[&when[..], &output[..]].concat(), &directory);
    let nearest = "the last footage of gate ends at 2026-05-02 05:14:05+07:00";
    assert!(nothing.status.code() == Some(1) && stderr(&nothing).contains(nearest), "{}", stderr(&nothing));
    let nothing = wardwatch(&["list"], place.path());
    assert!(stderr(&nothing).contains("there is no index.sqlite in it"), "{}", stderr(&nothing));
}

#[test]
fn exports_of_several_processes_are_all_in_an_unbroken_log() {
    let place = TempDir::new().unwrap();
    let Some(footage) = footage(place.path(), Codec::H264, 0, 320, 2) else { return };
    let directory = record(place.path(), (0..2).map(|number| footage.fragment(number)));
    let stick = place.path().join("stick");
    fs::create_dir(&stick).unwrap();
    let processes: Vec<_> = (0..6)
        .map(|_| {
            Command::new(env!("CARGO_BIN_EXE_wardwatch"))
                .args(["clips", "export", "--camera", "gate", "--from", "2026-05-01T22:14:00Z", "--to"])
                .args(["2026-05-01T22:15:00Z", "--reason", "a test", "--output"])
                .arg(&stick)
                .arg("--directory")
                .arg(&directory)
                .spawn()
                .unwrap()
        })
        .collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    access::verify(&directory).unwrap();
    assert_eq!(access::read(&directory).unwrap().entries.len(), 12);
    assert_eq!(names(&stick).len(), 6, "{:?}", names(&stick));
}

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
