//! Golden texts of the presentation.

use super::*;
use crate::storage::testing::{alert, sender};
use base::ack::Gap;

mod night;

const ID: &str = "019de59b-6cd0-7000-8000-000000000001";

fn stored() -> StoredAlert {
    let alert = Alert { id: ID.parse().unwrap(), thumbnail: None, ..alert("box-1", 7) };
    StoredAlert {
        number: 3,
        sender: sender("box-1"),
        message: serde_json::to_value(&alert).unwrap(),
        received_at: alert.opened_at + Duration::from_millis(400),
        alert,
        repeats: 2,
        thumbnail: None,
    }
}

fn presentation(language: Language) -> Presentation {
    Presentation { language, timezone: TimeZone::get("Asia/Ho_Chi_Minh").unwrap(), colours: false }
}

#[test]
fn an_alert_reads_well_in_both_languages() {
    let stored = stored();
    assert_eq!(
        presentation(Language::English).line(&stored),
        format!(
            "2026-05-02 05:14:03  WARNING  Cổng chợ [ben-nghe/box-1/gate]  Đêm (intrusion), 1 two-wheeler: \
             two-wheeler in \"yard\" for 2.4 s (2.0 s needed)  {ID}"
        )
    );
    assert_eq!(
        presentation(Language::Vietnamese).line(&stored),
        format!(
            "02/05/2026 05:14:03  QUAN TRỌNG  Cổng chợ [ben-nghe/box-1/gate]  Đêm – xâm nhập, 1 xe hai bánh: \
             ở trong \"Sân\" 2,4 giây (ngưỡng 2 giây)  {ID}"
        )
    );
}

#[test]
fn the_end_a_late_coming_and_a_wrong_clock_are_said() {
    let mut late = stored();
    late.alert.phase = Phase::Closed;
    late.alert.closed_at = Some(late.alert.opened_at + Duration::from_millis(75_200));
    late.received_at = late.alert.opened_at + Duration::from_secs(3600);
    late.alert.subjects[0].label = Label::Person;
    late.alert.count = 3;
    late.alert.severity = Severity::Critical;
    assert_eq!(
        presentation(Language::Vietnamese).line(&late),
        format!(
            "02/05/2026 05:15:18  KHẨN CẤP  Cổng chợ [ben-nghe/box-1/gate]  Đêm – xâm nhập, 3 người, kết thúc sau \
             1 phút 15 giây: ở trong \"Sân\" 2,4 giây (ngưỡng 2 giây)  (nhận lúc 02/05/2026 06:14:03)  {ID}"
        )
    );
    late.alert.clock = ClockState::Unsynced;
    let line = presentation(Language::English).line(&late);
    assert!(line.contains("(the box's clock is not set, received 2026-05-02 06:14:03)"), "{line}");
}

#[test]
fn a_further_alert_says_who_is_new_and_how_many_there_were() {
    let mut further = stored();
    further.alert.follows = Some("019de59b-6cd0-7000-8000-00000000000a".parse().unwrap());
    further.alert.count = 6;
    let english = presentation(Language::English);
    assert!(english.line(&further).contains(", further: 1 two-wheeler, in all 6: two-wheeler in"));
    let vietnamese = presentation(Language::Vietnamese);
    assert!(vietnamese.line(&further).contains(", thêm 1 xe hai bánh, tổng cộng 6: "));
    let whole = vietnamese.whole(&further);
    assert!(whole.contains("thuộc vụ việc        019de59b-6cd0-7000-8000-00000000000a\n"), "{whole}");
}

#[test]
fn nothing_in_an_alert_steers_a_terminal() {
    let mut evil = stored();
    evil.alert.reason = None;
    evil.alert.why = "a\x1b[2Jb\nc\u{202e}d".into();
    evil.alert.camera.name = "\u{9b}31m".into();
    evil.alert.rule.kind = "\x07beep_kind".into();
    evil.alert.rule.name = "Đêm\r".into();
    let presentation = presentation(Language::Vietnamese);
    for text in [presentation.line(&evil), presentation.whole(&evil).replace('\n', "")] {
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn colours_are_for_terminals() {
    let plain = presentation(Language::English);
    let line = Presentation { colours: true, ..plain.clone() }.line(&stored());
    assert!(line.contains("\x1b[33mWARNING\x1b[0m"), "{line:?}");
    assert_eq!(line.replace("\x1b[33m", "").replace("\x1b[0m", ""), plain.line(&stored()));
}

#[test]
fn an_alert_is_shown_whole() {
    let expected = "\
mã cảnh báo          019de59b-6cd0-7000-8000-000000000001 (đang diễn ra)
mức độ               QUAN TRỌNG
địa điểm             Cổng chợ [ben-nghe/box-1/gate]
tọa độ               10.776900, 106.700900
quy tắc              Đêm – xâm nhập [night]
bắt đầu              02/05/2026 05:14:03
kết thúc             đang diễn ra
nhận lúc             02/05/2026 05:14:03
đối tượng            1 xe hai bánh
lý do                ở trong \"Sân\" 2,4 giây (ngưỡng 2 giây)
mô hình nhận dạng    street-nano
video trên thiết bị  clip-1 (02/05/2026 05:13:58)
xuất video           chạy lệnh sau trên thiết bị ben-nghe/box-1: sudo wardwatch clips export 019de59b-6cd0-7000-8000-000000000001 --output . --reason \"alert 019de59b-6cd0-7000-8000-000000000001\"
số thứ tự            7 (hàng đợi gửi 00000000-0000-0000-0000-000000000000)
số lần nhận lại      2
ảnh                  không có
";
    assert_eq!(presentation(Language::Vietnamese).whole(&stored()), expected);
}

#[test]
fn notices_and_holes_are_lines_of_their_own() {
    let at = stored().received_at;
    let silent = StoredNotice {
        number: 1,
        at,
        kind: "silent".into(),
        sender: Some(sender("box-1")),
        detail: Some("nothing for 300 s".into()),
    };
    assert_eq!(
        presentation(Language::English).notice(&silent),
        "2026-05-02 05:14:03  --- box ben-nghe/box-1 is silent (nothing for 300 s) ---"
    );
    let back = StoredNotice { kind: "here".into(), detail: None, ..silent.clone() };
    assert_eq!(
        presentation(Language::Vietnamese).notice(&back),
        "02/05/2026 05:14:03  --- thiết bị ben-nghe/box-1 đã hoạt động trở lại ---"
    );
    let detail = Some("it had 5 lines, and has 4".to_owned());
    let cut = StoredNotice { kind: "access-log".into(), detail, ..silent.clone() };
    assert_eq!(
        presentation(Language::Vietnamese).notice(&cut),
        "02/05/2026 05:14:03  --- thiết bị ben-nghe/box-1 có nhật ký truy cập video bị cắt bớt hoặc sửa đổi ---"
    );
    assert_eq!(
        presentation(Language::English).notice(&cut),
        "2026-05-02 05:14:03  --- box ben-nghe/box-1 has an access log of footage that was cut or changed (it had 5 lines, and has 4) ---"
    );
    let lost = StoredNotice { kind: "link-lost".into(), sender: None, detail: None, ..silent };
    assert!(presentation(Language::Vietnamese).notice(&lost).contains("không nhận được cảnh báo"));
    let hole = Hole {
        sender: sender("box-1"),
        outbox: Default::default(),
        is_former: true,
        is_lost: false,
        gap: Gap { first: 3, last: 5 },
    };
    assert_eq!(
        presentation(Language::English).hole(&hole),
        "ben-nghe/box-1  missing 3-5  outbox 00000000-0000-0000-0000-000000000000 (former outbox)"
    );
    let lost = Hole { is_lost: true, is_former: false, gap: Gap { first: 7, last: 7 }, ..hole };
    assert_eq!(
        presentation(Language::Vietnamese).hole(&lost),
        "ben-nghe/box-1  mất hẳn 7  hàng đợi gửi 00000000-0000-0000-0000-000000000000"
    );
    let late = LateThumbnail { number: 1, at, stored: stored() };
    assert_eq!(
        presentation(Language::English).late_thumbnail(&late),
        format!("2026-05-02 05:14:03  ... Cổng chợ [ben-nghe/box-1/gate]  its picture has come  {ID}")
    );
}

#[test]
fn what_a_box_does_wrong_is_whole_in_both_languages() {
    use crate::health::{Limit, Standing, Trouble};
    let first = "zones.yard: two points\x1b[2J".to_owned();
    let troubles = [
        Trouble::ConfigurationFaults { count: 1, first: first.clone() },
        Trouble::ConfigurationFaults { count: 2, first },
        Trouble::TooMuch { limit: Limit::Wards, refused: 937 },
        Trouble::TooMuch { limit: Limit::Alerts, refused: 12 },
    ];
    let told = |language| {
        let presentation = Presentation { language, timezone: TimeZone::UTC, colours: false };
        troubles.clone().map(|trouble| presentation.troubles(&[Standing { since: None, trouble }]))
    };
    assert_eq!(
        told(Language::Vietnamese),
        [
            "cấu hình có 1 lỗi, phần lỗi chưa có hiệu lực (chạy `wardwatch check` trên thiết bị)",
            "cấu hình có 2 lỗi, phần lỗi chưa có hiệu lực (chạy `wardwatch check` trên thiết bị)",
            "gửi dưới tên quá nhiều phường, đã từ chối 937 tin (chứng thư số có thể bị đánh cắp)",
            "gửi quá nhiều, đã từ chối 12 tin (chứng thư số có thể bị đánh cắp, hoặc một quy tắc báo liên tục)",
        ]
    );
    let english = told(Language::English);
    assert!(
        english[0].starts_with("a part of its configuration is not in force: zones.yard: two points"),
        "{english:?}"
    );
    assert!(
        english[1].starts_with("2 parts of its configuration are not in force, the first"),
        "{english:?}"
    );
    assert!(!english.concat().contains('\x1b'), "{english:?}");
    assert!(
        english[2].contains("937 messages were refused") && english[3].contains("12 messages"),
        "{english:?}"
    );
}

#[test]
fn json_steers_no_terminal_and_reads_as_before() {
    let value = serde_json::json!({ "why": "\u{9b}31m\u{202e}evil\u{2066}\u{7f}\r\n Cổng chợ" });
    let text = serde_json::to_string_pretty(&value).unwrap();
    let printed = printable_json(&text);
    assert!(printed.chars().all(|c| c == '\n' || !is_steering(c)), "{printed:?}");
    assert!(printed.contains("Cổng chợ"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
}
