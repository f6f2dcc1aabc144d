//! The languages of officers' texts, and the words that box and post both write.

use std::str::FromStr;

use super::detection::Label;

/// IANA name of the wards' time zone.
pub const TIMEZONE: &str = "Asia/Ho_Chi_Minh";

/// Language of the texts for duty officers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Tiếng Việt.
    #[default]
    Vietnamese,
    /// English.
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

    /// The text of this language.
    pub const fn choose<T: Copy>(self, vietnamese: T, english: T) -> T {
        match self {
            Self::Vietnamese => vietnamese,
            Self::English => english,
        }
    }

    /// Format of a date with its time, for `strftime`.
    pub const fn time_format(self) -> &'static str {
        self.choose("%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S")
    }

    /// Name of a rule's kind, with a capital letter in front; an unknown one stays as it is written.
    pub fn rule_kind(self, kind: &str) -> String {
        let vietnamese = match kind {
            "intrusion" => "Xâm nhập",
            "tripwire" => "Qua vạch",
            "red_zone_entry" => "Vào vùng cấm",
            "wrong_way" => "Đi ngược chiều",
            "loitering" => "Lảng vảng",
            "crowd" => "Tụ tập đông người",
            "stopped_vehicle" => "Dừng đỗ sai quy định",
            "speeding_group" => "Nhóm xe chạy tốc độ cao (nghi đua xe)",
            "left_behind" => "Xe/đồ vật bị bỏ lại",
            "taken_away" => "Xe bị lấy đi (nghi trộm)",
            "camera_sabotage" => "Camera bị phá hoại",
            "camera_offline" => "Camera mất kết nối",
            other => return other.replace('_', " "),
        };
        let english = kind.replace('_', " ");
        let mut letters = english.chars();
        let english =
            letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect());
        match self {
            Self::Vietnamese => vietnamese.to_owned(),
            Self::English => english,
        }
    }

    /// The word for a label.
    pub const fn label(self, label: Label) -> &'static str {
        let (vietnamese, english) = match label {
            Label::Person => ("người", "person"),
            Label::TwoWheeler => ("xe hai bánh", "two-wheeler"),
            Label::Car => ("ô tô", "car"),
            Label::LargeVehicle => ("xe tải/xe khách", "large vehicle"),
            Label::Moving => ("vật chuyển động", "moving"),
        };
        self.choose(vietnamese, english)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_known_by_their_names() {
        assert_eq!(Language::of_locale("vi_VN.UTF-8"), Language::Vietnamese);
        for other in ["C", "en_US.UTF-8", "", "visigoth"] {
            assert_eq!(Language::of_locale(other), Language::English, "{other}");
        }
        assert!("fr".parse::<Language>().is_err());
        assert_eq!("vi".parse(), Ok(Language::Vietnamese));
        assert_eq!(Language::English.rule_kind("red_zone_entry"), "Red zone entry");
        assert_eq!(Language::Vietnamese.rule_kind("of_the_future"), "of the future");
    }
}
