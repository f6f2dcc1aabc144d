//! Reasons of alerts, in words.

use super::quantities::{number, seconds};
use super::{Presentation, printable};
use base::alert::Alert;
use base::language::Language;
use base::reason::{Code, Reason};

impl Presentation {
    /// Reason of an alert in the language of the texts. Boxes write the English text; so it is shown where the reason has
    /// no code that is known here.
    pub(crate) fn reason(&self, alert: &Alert) -> String {
        match (self.language, &alert.reason) {
            (Language::Vietnamese, Some(reason)) => {
                in_vietnamese(reason).unwrap_or_else(|| printable(&alert.why))
            }
            _ => printable(&alert.why),
        }
    }
}

/// The sentence of a reason; `None` for an unknown code, or where a number is missing.
fn in_vietnamese(reason: &Reason) -> Option<String> {
    let words = Words { reason };
    let (place, name) = (words.place(), words.name());
    Some(match Code::of(&reason.code)? {
        Code::InZone => format!("ở {place} {}", words.lasted()?),
        Code::CrossedToRight => format!("qua {name} từ trái sang phải ({})", words.score()?),
        Code::CrossedToLeft => format!("qua {name} từ phải sang trái ({})", words.score()?),
        Code::EnteredZone => format!("đi từ bên ngoài vào {name}"),
        Code::AppearedInZone => format!("xuất hiện {place} và di chuyển ở đó {}", words.lasted()?),
        Code::WrongWay => words.wrong_way()?,
        Code::Loitering => format!("quanh quẩn {place} {}", words.lasted()?),
        Code::LoiteringBesideParked => {
            format!("quanh quẩn cạnh xe đang đỗ {place} {}", words.lasted()?)
        }
        Code::Crowd => words.crowd()?,
        Code::Stopped => format!("dừng đỗ {place} {}", words.lasted()?),
        Code::SpeedingGroup => words.speeding_group()?,
        Code::LeftAlone => format!("bị bỏ lại {place}, không có người bên cạnh {}", words.lasted()?),
        Code::ThingLeft => format!("có đồ vật bị đặt xuống và bỏ lại {place} {}", words.lasted()?),
        Code::TakenAway => format!("xe đỗ {place} {} rồi bị lấy đi", words.lasted()?),
        Code::GoneAsAnother => {
            format!("xe đỗ {place} {} nay không còn, có xe chạy đi từ ngay cạnh chỗ đỗ", words.lasted()?)
        }
        Code::PictureFrozen => format!("hình đứng yên, không thay đổi suốt {}", words.lasted()?),
        Code::CameraBlackedOut => words.camera("hình tối đen")?,
        Code::CameraMoved => words.camera("camera bị xoay lệch")?,
        Code::CameraDefocused => words.camera("camera bị mất nét")?,
        Code::CameraCovered => words.camera("camera bị che hoặc phun sơn")?,
        Code::NoPicture => format!("không có hình suốt {}", words.lasted()?),
        Code::NoPictureSinceStart => {
            format!("không có hình từ khi thiết bị khởi động, đã {}", words.lasted()?)
        }
    })
}

/// Parts of Vietnamese sentences.
struct Words<'r> {
    reason: &'r Reason,
}

impl Words<'_> {
    fn number(&self, name: &str) -> Option<f64> {
        self.reason.numbers.get(name).map(|number| f64::from(*number))
    }

    fn decimal(&self, name: &str) -> Option<String> {
        Some(number(Language::Vietnamese, self.number(name)?, 1))
    }

    fn whole(&self, name: &str) -> Option<String> {
        Some(number(Language::Vietnamese, self.number(name)?, 0))
    }

    fn seconds(&self, name: &str) -> Option<String> {
        Some(seconds(Language::Vietnamese, self.number(name)?))
    }

    /// `2,4 giây (ngưỡng 2 giây)`.
    fn lasted(&self) -> Option<String> {
        Some(format!("{} (ngưỡng {})", self.seconds("seconds")?, self.seconds("seconds_needed")?))
    }

    fn score(&self) -> Option<String> {
        let percent = number(Language::Vietnamese, self.number("score")? * 100.0, 0);
        Some(format!("độ tin cậy {percent} %"))
    }

    /// The place's name in quotation marks.
    fn name(&self) -> String {
        let name = self.reason.place.as_deref();
        name.map_or("khung hình".to_owned(), |name| format!("\"{}\"", printable(name)))
    }

    fn place(&self) -> String {
        format!("trong {}", self.name())
    }

    fn wrong_way(&self) -> Option<String> {
        Some(format!(
            "đi ngược chiều {} một đoạn bằng {} lần chiều dài xe trong {} (ngưỡng {} lần trong {}), lệch {}° so với chiều quy \
             định (ngưỡng {}°)",
            self.place(),
            self.decimal("lengths")?,
            self.seconds("seconds")?,
            self.decimal("lengths_needed")?,
            self.seconds("seconds_needed")?,
            self.whole("degrees")?,
            self.whole("degrees_needed")?,
        ))
    }

    fn crowd(&self) -> Option<String> {
        let density = match (self.decimal("density"), self.decimal("density_needed")) {
            (Some(density), Some(needed)) => format!(", mật độ {density} trên 100 m² (ngưỡng {needed})"),
            _ => String::new(),
        };
        Some(format!(
            "cùng lúc có {} đối tượng {} suốt {} (ngưỡng {} trong {}){density}",
            self.whole("count")?,
            self.place(),
            self.seconds("seconds")?,
            self.whole("count_needed")?,
            self.seconds("seconds_needed")?,
        ))
    }

    fn speeding_group(&self) -> Option<String> {
        Some(format!(
            "{} xe chạy khoảng {} đến {} km/h trong vòng {} {} (ngưỡng {} xe, {} km/h); tốc độ đo trên hình, chỉ để tham \
             khảo, không phải chứng cứ",
            self.whole("count")?,
            self.whole("kmh")?,
            self.whole("kmh_highest")?,
            self.seconds("seconds")?,
            self.place(),
            self.whole("count_needed")?,
            self.whole("kmh_needed")?,
        ))
    }

    fn camera(&self, what: &str) -> Option<String> {
        let in_place = self.whole("in_place_percent")?;
        Some(format!("{what} suốt {}, chỉ còn {in_place} % cảnh vật ở đúng chỗ", self.lasted()?))
    }
}
