//! The words, in each language: one table, so that a missing one does not compile.

use std::str::FromStr;

use base::detection::Label;
use base::event::Severity;

/// Language of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Tiếng Việt.
    Vietnamese,
    /// English.
    #[default]
    English,
}

impl Language {
    /// The language of a locale's name such as `vi_VN.UTF-8`; English for an unknown one.
    pub fn of_locale(name: &str) -> Self {
        if name == "vi" || name.starts_with("vi_") || name.starts_with("vi.") {
            Self::Vietnamese
        } else {
            Self::English
        }
    }
}

impl FromStr for Language {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "vi" => Ok(Self::Vietnamese),
            "en" => Ok(Self::English),
            _ => Err(format!("\"{text}\" is not a language that is spoken here; give \"vi\" or \"en\"")),
        }
    }
}

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
}

/// The word in a language.
pub(super) const fn word(language: Language, word: Word) -> &'static str {
    let (vietnamese, english) = both(word);
    match language {
        Language::Vietnamese => vietnamese,
        Language::English => english,
    }
}

const fn both(word: Word) -> (&'static str, &'static str) {
    match word {
        Word::Severity(Severity::Notice) => ("LƯU Ý", "NOTICE"),
        Word::Severity(Severity::Warning) => ("CẢNH BÁO", "WARNING"),
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
            "mất kết nối với máy chủ tin nhắn: không nhận được cảnh báo",
            "the broker is lost: no alert can arrive",
        ),
        Word::LinkBack => ("đã kết nối lại với máy chủ tin nhắn", "the broker is back"),
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
        Word::Detector => ("bộ phát hiện", "detector"),
        Word::Number => ("số thứ tự", "number"),
        Word::NotNumbered => ("chưa được lưu trên thiết bị", "not on the box's disk yet"),
        Word::Outbox => ("hộp thư đi", "outbox"),
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
        Word::Former => ("(hộp thư cũ)", "(former outbox)"),
        Word::TimesAreIn => ("giờ theo múi giờ", "times are in"),
    }
}

/// Name of a rule's kind; an unknown one stays as it is written.
pub(super) fn rule_kind(language: Language, kind: &str) -> String {
    let vietnamese = match kind {
        "intrusion" => "xâm nhập",
        "tripwire" => "vượt vạch",
        "red_zone_entry" => "vào vùng cấm",
        "wrong_way" => "đi ngược chiều",
        "loitering" => "lảng vảng",
        "crowd" => "tụ tập đông người",
        "stopped_vehicle" => "xe dừng đỗ",
        "speeding_group" => "nhóm xe chạy quá tốc độ",
        "left_behind" => "vật bị bỏ lại",
        "taken_away" => "vật bị lấy đi",
        "camera_sabotage" => "camera bị phá hoại",
        "camera_offline" => "camera mất kết nối",
        other => return other.replace('_', " "),
    };
    match language {
        Language::Vietnamese => vietnamese.to_owned(),
        Language::English => kind.replace('_', " "),
    }
}

/// A count with its label.
pub(super) fn counted(language: Language, count: u32, label: Label) -> String {
    let (vietnamese, one, many) = match label {
        Label::Person => ("người", "person", "people"),
        Label::TwoWheeler => ("xe hai bánh", "two-wheeler", "two-wheelers"),
        Label::Car => ("ô tô", "car", "cars"),
        Label::LargeVehicle => ("xe lớn", "large vehicle", "large vehicles"),
        Label::Moving => ("vật chuyển động", "moving thing", "moving things"),
    };
    match language {
        Language::Vietnamese => format!("{count} {vietnamese}"),
        Language::English => format!("{count} {}", if count == 1 { one } else { many }),
    }
}
