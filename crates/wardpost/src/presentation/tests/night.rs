//! Golden texts of a whole night at a post: every rule, severity and notice, in both languages.
//!
//! `WARDWATCH_WRITE_GOLDENS=1 cargo nextest run -p wardpost` writes them anew.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::health::{Standing, Trouble};
use crate::storage::Verdict;
use base::event::Subject;
use base::reason::{Code, Reason};

/// An alert of the night: rule's kind and name, severity, label and number of subjects, reason.
type Row = (&'static str, &'static str, Severity, Option<(Label, u32)>, Reason, &'static str);

fn rows() -> Vec<Row> {
    use Severity::{Critical, Notice, Warning};
    let at = |code: Code, place: &str| Reason::new(code).at(Some(place));
    let person = |count: u32| Some((Label::Person, count));
    let rider = |count: u32| Some((Label::TwoWheeler, count));
    vec![
        (
            "intrusion",
            "Kho hàng ban đêm",
            Critical,
            person(1),
            at(Code::InZone, "Kho").for_seconds(2.4, 2.0),
            "person in \"Kho\" for 2.4 s (2.0 s needed)",
        ),
        (
            "tripwire",
            "Cổng sau",
            Notice,
            rider(1),
            at(Code::CrossedToRight, "Vạch cổng").with("score", 0.81),
            "two-wheeler (score 0.81) crossed \"Vạch cổng\" from left to right",
        ),
        (
            "tripwire",
            "Cổng sau",
            Notice,
            Some((Label::Car, 1)),
            at(Code::CrossedToLeft, "Vạch cổng").with("score", 0.66),
            "car (score 0.66) crossed \"Vạch cổng\" from right to left",
        ),
        (
            "red_zone_entry",
            "Làn xe buýt",
            Warning,
            rider(2),
            at(Code::EnteredZone, "Làn buýt"),
            "two-wheeler came into the zone: it was outside, and is now in \"Làn buýt\"",
        ),
        (
            "red_zone_entry",
            "Làn xe buýt",
            Warning,
            Some((Label::LargeVehicle, 1)),
            at(Code::AppearedInZone, "Làn buýt").for_seconds(0.8, 0.6),
            "large vehicle came into view in \"Làn buýt\" and moves there, 0.8 s by now (0.6 s needed)",
        ),
        (
            "wrong_way",
            "Đường một chiều",
            Warning,
            rider(1),
            at(Code::WrongWay, "Lê Lợi")
                .for_seconds(1.5, 1.0)
                .with("lengths", 1.3)
                .with("lengths_needed", 1.2)
                .with("degrees", 172.0)
                .with("degrees_needed", 120.0),
            "two-wheeler in \"Lê Lợi\" went 1.3 of its lengths in 1.5 s (1.2 in 1.0 s needed), 172 degrees off the \
             direction (120 needed)",
        ),
        (
            "loitering",
            "Trước ngân hàng",
            Warning,
            person(1),
            at(Code::Loitering, "Vỉa hè").for_seconds(75.2, 60.0),
            "person in \"Vỉa hè\" for 75 s (60 s needed)",
        ),
        (
            "loitering",
            "Bãi giữ xe",
            Critical,
            person(2),
            Reason::new(Code::LoiteringBesideParked).for_seconds(61.0, 60.0),
            "person on the picture beside a parked two-wheeler for 61 s (60 s needed)",
        ),
        (
            "crowd",
            "Quảng trường",
            Warning,
            person(12),
            at(Code::Crowd, "Quảng trường")
                .for_seconds(12.0, 10.0)
                .with("count", 12.0)
                .with("count_needed", 8.0)
                .with("density", 4.6)
                .with("density_needed", 4.5),
            "12 persons in \"Quảng trường\" for 12 s (8 for 10 s needed), 4.6 on 100 square metres (4.5 needed)",
        ),
        (
            "stopped_vehicle",
            "Cấm dừng đỗ",
            Notice,
            Some((Label::LargeVehicle, 1)),
            at(Code::Stopped, "Trước cổng trường").for_seconds(305.0, 300.0),
            "large vehicle stands in \"Trước cổng trường\" for 305 s (300 s needed)",
        ),
        (
            "speeding_group",
            "Đua xe",
            Critical,
            rider(5),
            at(Code::SpeedingGroup, "Đại lộ")
                .with("seconds", 4.0)
                .with("count", 5.0)
                .with("count_needed", 3.0)
                .with("kmh", 71.0)
                .with("kmh_highest", 88.0)
                .with("kmh_needed", 60.0),
            "5 two-wheelers at about 71 to 88 km/h within 4 s (3 at 60 km/h needed), measured on the picture: a hint, not \
             proof",
        ),
        (
            "left_behind",
            "Vật lạ",
            Warning,
            Some((Label::Moving, 1)),
            at(Code::ThingLeft, "Sảnh").for_seconds(121.0, 120.0),
            "something was put down and left alone in \"Sảnh\" for 121 s (120 s needed)",
        ),
        (
            "left_behind",
            "Xe bỏ lại",
            Notice,
            rider(1),
            at(Code::LeftAlone, "Hẻm 12").for_seconds(1830.0, 1800.0),
            "two-wheeler was left alone in \"Hẻm 12\" for 1830 s (1800 s needed)",
        ),
        (
            "taken_away",
            "Trộm xe",
            Critical,
            rider(1),
            at(Code::TakenAway, "Bãi xe").for_seconds(540.0, 60.0),
            "two-wheeler that had stood in \"Bãi xe\" for 540 s (60 s needed) was taken away",
        ),
        (
            "taken_away",
            "Trộm xe",
            Critical,
            rider(1),
            at(Code::GoneAsAnother, "Bãi xe").for_seconds(90.0, 60.0),
            "two-wheeler that had stood in \"Bãi xe\" for 90 s (60 s needed) is gone, and one that began beside its place \
             went off",
        ),
        (
            "camera_sabotage",
            "Camera bị phá hoại",
            Critical,
            None,
            Reason::new(Code::PictureFrozen).for_seconds(31.0, 30.0),
            "the picture is frozen: the same for 31 s (30 s needed)",
        ),
        (
            "camera_sabotage",
            "Camera bị phá hoại",
            Critical,
            None,
            Reason::new(Code::CameraBlackedOut).for_seconds(8.0, 8.0).with("in_place_percent", 0.0),
            "the camera is blacked out for 8 s (8 s needed): 0 % of what stands still is in its place",
        ),
        (
            "camera_sabotage",
            "Camera bị phá hoại",
            Critical,
            None,
            Reason::new(Code::CameraMoved).for_seconds(9.0, 8.0).with("in_place_percent", 12.0),
            "the camera has been moved for 9 s (8 s needed): 12 % of what stands still is in its place",
        ),
        (
            "camera_sabotage",
            "Camera bị phá hoại",
            Critical,
            None,
            Reason::new(Code::CameraDefocused).for_seconds(10.0, 8.0).with("in_place_percent", 31.0),
            "the camera is out of focus for 10 s (8 s needed): 31 % of what stands still is in its place",
        ),
        (
            "camera_sabotage",
            "Camera bị phá hoại",
            Critical,
            None,
            Reason::new(Code::CameraCovered).for_seconds(8.0, 8.0).with("in_place_percent", 3.0),
            "the camera is covered or sprayed for 8 s (8 s needed): 3 % of what stands still is in its place",
        ),
        (
            "camera_offline",
            "Camera mất kết nối",
            Warning,
            None,
            Reason::new(Code::NoPicture).for_seconds(63.0, 60.0),
            "no picture for 63 s (60 s needed)",
        ),
        (
            "camera_offline",
            "Camera mất kết nối",
            Warning,
            None,
            Reason::new(Code::NoPictureSinceStart).for_seconds(60.0, 60.0),
            "no picture for 60 s since the box has been running (60 s needed)",
        ),
    ]
}

/// The alert of a row, some minutes into the night.
fn alert_of(number: usize, row: Row) -> StoredAlert {
    let (kind, name, severity, subjects, reason, why) = row;
    let mut told = stored();
    let alert = &mut told.alert;
    let opened_at = alert.opened_at + Duration::from_secs(300 * number as u64);
    alert.rule.kind = kind.to_owned();
    alert.rule.name = name.to_owned();
    (alert.severity, alert.opened_at) = (severity, opened_at);
    (alert.reason, alert.why) = (Some(reason), why.to_owned());
    let subject = alert.subjects[0].clone();
    alert.count = subjects.map_or(0, |(_, count)| count);
    alert.subjects = subjects.map_or(Vec::new(), |(label, count): (Label, u32)| {
        vec![Subject { label, ..subject.clone() }; count as usize]
    });
    told.received_at = opened_at + Duration::from_millis(400);
    told
}

fn troubles() -> Vec<Trouble> {
    let camera = |id: &str| Trouble::CameraAway { camera: id.parse().unwrap() };
    vec![
        Trouble::Offline,
        Trouble::Silent,
        Trouble::Twins,
        Trouble::Missing { count: 3 },
        camera("cho"),
        camera("gate"),
        Trouble::DiskFailing,
        Trouble::DiskFull,
        Trouble::DiskNearlyFull { free_bytes: 400_000_000, free_bytes_min: 1_500_000_000 },
        Trouble::FootageShort { days: 0.6, days_min: 7.0 },
        Trouble::ClockUnset,
        Trouble::Shortfall { percent: 22.0 },
        Trouble::OutboxGrowing { depth: 48, seconds: 5_400 },
        Trouble::CertificateEnding { ends_at: stored().received_at + Duration::from_secs(864_000) },
        Trouble::Hot { celsius: Some(84.5) },
        Trouble::OldVersion { version: "0.1.0".to_owned(), newest: "0.2.0".to_owned() },
    ]
}

fn notices() -> Vec<StoredNotice> {
    let at = stored().received_at;
    let of_box = |kind: &str, detail: Option<String>| StoredNotice {
        number: 1,
        at,
        kind: kind.to_owned(),
        sender: Some(sender("box-1")),
        detail,
    };
    let of_post = |kind: &str, detail: Option<&str>| StoredNotice {
        sender: None,
        ..of_box(kind, detail.map(str::to_owned))
    };
    let text = |troubles: &[Trouble]| Some(serde_json::to_string(troubles).unwrap());
    vec![
        of_box("silent", Some("nothing for 300 s".to_owned())),
        of_box("here", None),
        of_box("offline", None),
        of_box("twins", Some("another client uses this id: two boxes speak by turns".to_owned())),
        of_box("access-log", Some("it had 5 lines, and has 4".to_owned())),
        of_post("link-lost", Some("the broker refused the connection")),
        of_post("link-back", None),
        of_box("trouble", text(&troubles()[4..])),
        of_box("well", text(&troubles()[4..6])),
    ]
}

/// Everything that an officer sees in one night.
fn night(language: Language) -> String {
    let show = presentation(language);
    let mut lines: Vec<String> = Vec::new();
    for (number, row) in rows().into_iter().enumerate() {
        let opened = alert_of(number, row);
        lines.push(show.line(&opened));
        let mut closed = opened;
        closed.alert.phase = Phase::Closed;
        closed.alert.closed_at =
            Some(closed.alert.opened_at + Duration::from_millis(12_400 * (number as u64 + 1)));
        closed.received_at = closed.alert.closed_at.unwrap();
        lines.push(show.line(&closed));
    }
    let mut further = stored();
    further.alert.follows = Some(ID.parse().unwrap());
    further.alert.count = 6;
    lines.push(show.line(&further));
    let mut late = stored();
    late.received_at = late.received_at + Duration::from_secs(3600);
    lines.push(show.line(&late));
    late.alert.clock = ClockState::Unsynced;
    lines.push(show.line(&late));
    lines.push(show.late_thumbnail(&LateThumbnail { number: 1, at: late.received_at, stored: stored() }));
    lines.extend(notices().iter().map(|notice| show.notice(notice)));
    late.alert.phase = Phase::Closed;
    late.alert.closed_at = Some(late.alert.opened_at + Duration::from_secs(75));
    late.alert.camera.heading = Some(90.0);
    (late.alert.thumbnail_withheld, late.alert.details_withheld) = (
        Some("the broker takes no more than 8 KiB".into()),
        Some("the broker takes no more than 8 KiB".into()),
    );
    late.alert.follows = Some(ID.parse().unwrap());
    (late.alert.seq, late.alert.model.name) = (NOT_KEPT, "motion".into());
    late.alert.subjects.clear();
    lines.extend([show.whole(&stored()), show.whole(&late)]);
    lines.extend([show.list_head().join(" | "), show.list_row(&stored()).join(" | ")]);
    let outbox = Default::default();
    let hole = |is_former, is_lost| Hole {
        sender: sender("box-1"),
        outbox,
        is_former,
        is_lost,
        gap: Gap { first: 3, last: 5 },
    };
    lines.extend([hole(false, false), hole(true, true)].map(|hole| show.hole(&hole)));
    lines.extend([show.summary(300, 0), show.summary(300, 11)]);
    let since = Some(stored().received_at);
    lines.push(
        show.troubles(&troubles().into_iter().map(|trouble| Standing { since, trouble }).collect::<Vec<_>>()),
    );
    lines.push(show.box_head().join(" | "));
    let access = Access {
        at: stored().received_at,
        who: "Lan".into(),
        command: "tail".into(),
        sender: sender("box-1"),
        alert: ID.into(),
    };
    let settlement = Settlement {
        number: 1,
        verdict: Verdict { who: "Lan".into(), why: "ổ đĩa cháy".into(), at: stored().received_at },
        sender: sender("box-1"),
        outbox,
        gap: Gap { first: 3, last: 5 },
    };
    lines.push(show.log_head().join(" | "));
    lines.extend([show.access_row(&access), show.settlement_row(&settlement)].map(|row| row.join(" | ")));
    lines.extend([show.nothing_logged(), show.no_alerts(), show.nothing_missing()].map(str::to_owned));
    lines.push(show.times_are_in());
    lines.join("\n") + "\n"
}

#[test]
fn a_whole_night_reads_as_it_should() {
    for (language, name) in [(Language::Vietnamese, "night.vi.txt"), (Language::English, "night.en.txt")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/presentation/tests").join(name);
        let text = night(language);
        if std::env::var_os("WARDWATCH_WRITE_GOLDENS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == golden, "{} differs; it would be:\n{text}", path.display());
    }
}

#[test]
fn no_english_word_is_left_in_a_vietnamese_night() {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().count() > 1);
        words.map(str::to_lowercase).collect()
    };
    let both: BTreeSet<String> = words(&night(Language::English))
        .intersection(&words(&night(Language::Vietnamese)))
        .cloned()
        .collect();
    // Names that the ward gave, ids, units, and words that Vietnamese has borrowed or that look alike.
    let ids = "ben nghe box gate cho night clip street nano asia ho chi minh lan tail gb mb km cd de";
    // The command that is typed on a box.
    let command = "sudo wardwatch clips export output reason alert";
    let names = rows()
        .into_iter()
        .map(|(_, name, .., reason, _)| format!("{name} {}", reason.place.unwrap_or_default()));
    let allowed = words(
        &names
            .chain([ids.to_owned(), "camera cổng đêm chợ sân ổ đĩa cháy".to_owned(), command.to_owned()])
            .collect::<Vec<_>>()
            .join(" "),
    );
    let left: Vec<_> = both.difference(&allowed).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_rule_kind_and_reason_has_words() {
    let told: Vec<Reason> = rows().into_iter().map(|(.., reason, _)| reason).collect();
    for code in Code::ALL {
        assert!(told.iter().any(|reason| reason.code == code.as_str()), "{code:?} is not in the night");
    }
    // A reason that is not known here, or lacks a number, is shown as the box wrote it.
    let mut strange = stored();
    for reason in
        [Reason { code: "from-the-future".to_owned(), ..Reason::default() }, Reason::new(Code::InZone)]
    {
        strange.alert.reason = Some(reason);
        assert!(presentation(Language::Vietnamese).line(&strange).contains(&strange.alert.why));
    }
}
