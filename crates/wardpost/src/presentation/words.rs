//! The words, in each language: one table, so that a missing one does not compile.

use crate::events::{Outcome, Truth};
use crate::storage::Tab;
use base::detection::Label;
use base::event::Severity;
use base::language::Language;

/// All texts that have a translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Severity(Severity),
    Over,
    Further,
    InAll,
    Incident,
    Received,
    ClockUnsynced,
    Box,
    IsBack,
    IsOffline,
    IsSilent,
    IsTwins,
    AccessLogCut,
    LinkLost,
    LinkBack,
    RoomLost,
    RoomBack,
    Forgotten,
    Place,
    Position,
    Rule,
    Began,
    Ended,
    StillOpen,
    Why,
    Who,
    Footage,
    FootageEnds,
    Film,
    OnBox,
    Detector,
    Number,
    NotNumbered,
    Outbox,
    Repeats,
    Thumbnail,
    None,
    Time,
    SeverityHead,
    Alert,
    State,
    Heard,
    LastAlert,
    Contiguous,
    Highest,
    Missing,
    Lost,
    PictureCame,
    Duplicates,
    Conflicts,
    Refused,
    Here,
    Since,
    NoAlerts,
    NothingMissing,
    Former,
    TimesAreIn,
    ByWhom,
    What,
    LookedAt,
    Settled,
    NothingLogged,
    Opened,
    Closed,
    HasTrouble,
    HasNoMore,
    TooLarge,
    MotionDetector,
    Event,
    ThePost,
    OnTest,
    Outcome(Outcome),
    Truth(Truth),
    Tab(Tab),
}

/// The word in a language.
pub(super) const fn word(language: Language, word: Word) -> &'static str {
    let (vietnamese, english) = both(word);
    language.choose(vietnamese, english)
}

const fn both(word: Word) -> (&'static str, &'static str) {
    match word {
        Word::Severity(Severity::Notice) => ("LƯU Ý", "NOTICE"),
        Word::Severity(Severity::Warning) => ("QUAN TRỌNG", "WARNING"),
        Word::Severity(Severity::Critical) => ("KHẨN CẤP", "CRITICAL"),
        Word::Over => ("kết thúc sau", "over after"),
        Word::Further => ("thêm", "further:"),
        Word::InAll => ("tổng cộng", "in all"),
        Word::Incident => ("thuộc vụ việc", "incident of"),
        Word::Received => ("nhận lúc", "received"),
        Word::ClockUnsynced => ("đồng hồ thiết bị chưa đúng", "the box's clock is not set"),
        Word::Box => ("thiết bị", "box"),
        Word::IsBack => ("đã hoạt động trở lại", "is back"),
        Word::IsOffline => ("đã ngắt kết nối", "is offline"),
        Word::IsSilent => ("không còn tín hiệu", "is silent"),
        Word::IsTwins => ("bị hai thiết bị dùng chung mã", "is the id of two boxes"),
        Word::AccessLogCut => (
            "có nhật ký truy cập video bị cắt bớt hoặc sửa đổi",
            "has an access log of footage that was cut or changed",
        ),
        Word::LinkLost => (
            "mất kết nối với máy chủ trung tâm: không nhận được cảnh báo",
            "the broker is lost: no alert can arrive",
        ),
        Word::LinkBack => ("đã kết nối lại với máy chủ trung tâm", "the broker is back"),
        Word::RoomLost => (
            "ổ đĩa của trạm trực sắp đầy: chưa nhận thêm cảnh báo, thiết bị đang giữ lại để gửi sau",
            "the post's disk is nearly full: no more alerts are taken, the boxes keep them",
        ),
        Word::RoomBack => {
            ("ổ đĩa của trạm trực đã đủ chỗ, tiếp tục nhận cảnh báo", "the post takes alerts again")
        }
        Word::Forgotten => ("xóa thiết bị khỏi danh sách", "removed from the list"),
        Word::Place => ("địa điểm", "place"),
        Word::Position => ("tọa độ", "position"),
        Word::Rule => ("quy tắc", "rule"),
        Word::Began => ("bắt đầu", "began"),
        Word::Ended => ("kết thúc", "ended"),
        Word::StillOpen => ("đang diễn ra", "still going on"),
        Word::Why => ("lý do", "why"),
        Word::Who => ("đối tượng", "subjects"),
        Word::Footage => ("video trên thiết bị", "footage on the box"),
        Word::FootageEnds => ("đến", "to"),
        Word::Film => ("xuất video", "export"),
        Word::OnBox => ("chạy lệnh sau trên thiết bị", "run this on box"),
        Word::Detector => ("mô hình nhận dạng", "detector"),
        Word::Number => ("số thứ tự", "number"),
        Word::NotNumbered => ("chưa được lưu trên thiết bị", "not on the box's disk yet"),
        Word::Outbox => ("hàng đợi gửi", "outbox"),
        Word::Repeats => ("số lần nhận lại", "came again"),
        Word::Thumbnail => ("ảnh", "thumbnail"),
        Word::None => ("không có", "none"),
        Word::Time => ("thời gian", "time"),
        Word::SeverityHead => ("mức độ", "severity"),
        Word::Alert => ("mã cảnh báo", "alert"),
        Word::State => ("trạng thái", "state"),
        Word::Heard => ("tín hiệu cuối", "heard"),
        Word::LastAlert => ("cảnh báo cuối", "last alert"),
        Word::Contiguous => ("liên tục đến", "contiguous"),
        Word::Highest => ("cao nhất", "highest"),
        Word::Missing => ("thiếu", "missing"),
        Word::Lost => ("mất hẳn", "lost for ever"),
        Word::PictureCame => ("đã có ảnh", "its picture has come"),
        Word::Duplicates => ("trùng", "duplicates"),
        Word::Conflicts => ("mâu thuẫn", "conflicts"),
        Word::Refused => ("bị từ chối", "refused"),
        Word::ByWhom => ("người thực hiện", "by whom"),
        Word::What => ("việc", "what"),
        Word::LookedAt => ("xem ảnh", "looked at the thumbnail"),
        Word::Settled => ("xác nhận mất hẳn", "settled as lost for ever"),
        Word::NothingLogged => ("nhật ký trống", "nothing is logged"),
        Word::Here => ("hoạt động", "online"),
        Word::Since => ("từ", "since"),
        Word::NoAlerts => ("không có cảnh báo", "no alerts"),
        Word::NothingMissing => ("không thiếu cảnh báo nào", "nothing is missing"),
        Word::Former => ("(hàng đợi gửi cũ)", "(former outbox)"),
        Word::Opened => ("đang diễn ra", "opened"),
        Word::Closed => ("đã kết thúc", "closed"),
        Word::HasTrouble => ("có sự cố", "has trouble"),
        Word::HasNoMore => ("đã hết sự cố", "is over its trouble"),
        Word::TooLarge => {
            ("máy chủ trung tâm không nhận tin lớn như vậy", "the broker takes no message of that size")
        }
        Word::MotionDetector => ("phát hiện chuyển động", "motion"),
        Word::TimesAreIn => ("giờ theo múi giờ", "times are in"),
        Word::Event => ("sự kiện", "event"),
        Word::OnTest => {
            ("đang thử nghiệm: cảnh báo không vào hàng đợi", "on test: its alerts are not in the queue")
        }
        Word::ThePost => ("hệ thống", "the post"),
        Word::Outcome(outcome) => outcome_words(outcome),
        Word::Truth(truth) => truth_words(truth),
        Word::Tab(tab) => tab_words(tab),
    }
}

/// Outcomes, as they stand on buttons and in tables.
const fn outcome_words(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::PatrolSent => ("đã cử tổ tuần tra", "patrol sent"),
        Outcome::DealtWith => ("đã xử lý", "dealt with"),
        Outcome::NoAction => ("đúng, không cần xử lý", "true, no action needed"),
        Outcome::Animal => ("động vật", "animal"),
        Outcome::Rain => ("mưa, sương mù hoặc côn trùng", "rain, fog or insects"),
        Outcome::Light => ("ánh đèn hoặc ánh sáng thay đổi", "lights or a change of light"),
        Outcome::Shadow => ("bóng đổ", "shadow"),
        Outcome::Parked => {
            ("xe đỗ hoặc vật có sẵn ở đó", "parked vehicle, or a thing that always stands there")
        }
        Outcome::WrongPerson => ("người hoặc xe được phép", "person or vehicle that may be there"),
        Outcome::Other => ("báo sai, nguyên nhân khác", "false, another cause"),
        Outcome::Test => ("thử hệ thống", "test of the system"),
        Outcome::Earlier => ("có trước khi dùng trang trực ban", "from before the duty officer's page"),
    }
}

/// Steps of the log; `None` for an unknown one.
pub(super) fn action_words(action: &str) -> Option<(&'static str, &'static str)> {
    Some(match action {
        "take" => ("nhận xử lý", "took it over"),
        "release" => ("trả lại hàng đợi", "released it"),
        "hand-over" => ("giao cho", "handed it to"),
        "return" => ("tự trả lại hàng đợi vì không có thao tác", "returned it, since nothing was done"),
        "park" => ("hoãn lại", "parked it"),
        "unpark" => ("đưa lại hàng đợi", "brought it back"),
        "close" => ("đóng", "closed it"),
        "escalate" => ("báo cấp tiếp theo", "told the next level"),
        "hook" => ("gọi kênh báo ngoài", "called the hook"),
        "shelve" => ("tạm tắt", "shelved"),
        "unshelve" => ("bật lại", "ended a shelf"),
        "begin-shift" => ("bắt đầu ca trực", "began a shift"),
        "end-shift" => ("kết thúc ca trực", "ended a shift"),
        _ => return None,
    })
}

const fn truth_words(truth: Truth) -> (&'static str, &'static str) {
    match truth {
        Truth::True => ("báo đúng", "true"),
        Truth::False => ("báo sai", "false"),
        Truth::Test => ("thử", "test"),
        Truth::Unjudged => ("chưa đánh giá", "not judged"),
    }
}

const fn tab_words(tab: Tab) -> (&'static str, &'static str) {
    match tab {
        Tab::Open => ("Chờ xử lý", "Queue"),
        Tab::Parked => ("Đang hoãn", "Parked"),
        Tab::Shelved => ("Tạm tắt", "Shelved"),
        Tab::Test => ("Thử nghiệm", "Test"),
        Tab::Closed => ("Đã đóng", "Closed"),
    }
}

/// A count of things without a class that stand still.
pub(super) fn counted_things(language: Language, count: u32) -> String {
    let english = if count == 1 { "thing" } else { "things" };
    format!("{count} {}", language.choose("đồ vật", english))
}

/// A count with its label.
pub(super) fn counted(language: Language, count: u32, label: Label) -> String {
    let one = language.label(label);
    match (language, label, count) {
        (Language::Vietnamese, ..) => format!("{count} {one}"),
        (Language::English, Label::Moving, 1) => format!("{count} moving thing"),
        (Language::English, Label::Moving, _) => format!("{count} moving things"),
        (Language::English, Label::Person, count) if count != 1 => format!("{count} people"),
        (Language::English, _, 1) => format!("{count} {one}"),
        (Language::English, ..) => format!("{count} {one}s"),
    }
}
