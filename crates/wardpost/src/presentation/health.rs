//! Troubles of boxes, in words.

use super::quantities::{bytes, number, span};
use super::{Presentation, printable};
use crate::health::{Limit, Standing, Trouble};
use base::language::Language;
use base::time::WallTime;

impl Presentation {
    /// Number of boxes, and of those with trouble.
    pub fn summary(&self, boxes: usize, troubled: usize) -> String {
        match (self.language, troubled) {
            (Language::Vietnamese, 0) => format!("{boxes} thiết bị, không có sự cố"),
            (Language::Vietnamese, _) => format!("{boxes} thiết bị, {troubled} thiết bị có sự cố"),
            (Language::English, 0) => format!("{}, no trouble", counted(boxes)),
            (Language::English, _) => format!("{}, {troubled} with trouble", counted(boxes)),
        }
    }

    /// Troubles with their beginnings, on one line.
    pub fn troubles(&self, standing: &[Standing]) -> String {
        let mut texts: Vec<String> = Vec::new();
        for (trouble, cameras, since) in grouped(standing) {
            let text = self.trouble(trouble, &cameras);
            texts.push(match since {
                Some(at) => format!("{text} ({} {})", self.word(super::Word::Since), self.time(at)),
                None => text,
            });
        }
        texts.join("; ")
    }

    /// Troubles of a notice, on one line; `None` where they do not read.
    pub(super) fn told_troubles(&self, detail: Option<&str>) -> Option<String> {
        let troubles: Vec<Trouble> = serde_json::from_str(detail?).ok()?;
        let standing: Vec<Standing> =
            troubles.into_iter().map(|trouble| Standing { since: None, trouble }).collect();
        let texts =
            grouped(&standing).into_iter().map(|(trouble, cameras, _)| self.trouble(trouble, &cameras));
        Some(texts.collect::<Vec<_>>().join("; "))
    }

    fn trouble(&self, trouble: &Trouble, cameras: &str) -> String {
        match self.language {
            Language::Vietnamese => self.in_vietnamese(trouble, cameras),
            Language::English => self.in_english(trouble, cameras),
        }
    }

    fn in_vietnamese(&self, trouble: &Trouble, cameras: &str) -> String {
        let number = |value: f64, decimals| number(Language::Vietnamese, value, decimals);
        let bytes = |count: u64| bytes(Language::Vietnamese, count);
        match trouble {
            Trouble::Offline => "đã ngắt kết nối".to_owned(),
            Trouble::Silent => "không còn tín hiệu".to_owned(),
            Trouble::Twins => "bị hai thiết bị dùng chung mã".to_owned(),
            Trouble::Missing { count } => format!("thiếu {count} cảnh báo"),
            Trouble::CameraAway { .. } => format!("camera {cameras} không có hình"),
            Trouble::DiskFailing => "ổ đĩa có lỗi, có thể mất video".to_owned(),
            Trouble::DiskFull => "ổ đĩa đầy video chứng cứ, không ghi thêm được".to_owned(),
            Trouble::DiskNearlyFull { free_bytes, free_bytes_min } => {
                format!("ổ đĩa sắp đầy, còn {} (cần {})", bytes(*free_bytes), bytes(*free_bytes_min))
            }
            Trouble::FootageShort { days, days_min } => {
                format!("chỉ lưu được {} ngày video (cần {})", number(*days, 1), number(*days_min, 1))
            }
            Trouble::ClockUnset => "đồng hồ thiết bị chưa đúng".to_owned(),
            Trouble::Shortfall { percent } => {
                format!("phân tích không kịp, bỏ qua {} % số hình cần xem", number(*percent, 0))
            }
            Trouble::OutboxGrowing { depth, seconds } => {
                let waited = super::quantities::seconds(self.language, *seconds as f64);
                format!("hàng đợi gửi còn {depth} cảnh báo, chờ lâu nhất {waited}")
            }
            Trouble::CertificateEnding { ends_at } => {
                format!("chứng thư số hết hạn lúc {}", self.time(*ends_at))
            }
            Trouble::Hot { celsius } => {
                let degrees = celsius
                    .map_or(String::new(), |celsius| format!(" ({} °C)", number(f64::from(celsius), 0)));
                format!("thiết bị quá nóng{degrees}, phải giảm phân tích")
            }
            Trouble::ConfigurationFaults { count, first } => {
                configuration_faults(self.language, *count, first)
            }
            Trouble::TooMuch { limit, refused } => too_much(self.language, *limit, *refused),
            Trouble::OldVersion { version, newest } => {
                format!("phiên bản {} cũ hơn {}", printable(version), printable(newest))
            }
        }
    }

    fn in_english(&self, trouble: &Trouble, cameras: &str) -> String {
        let number = |value: f64, decimals| number(Language::English, value, decimals);
        let bytes = |count: u64| bytes(Language::English, count);
        match trouble {
            Trouble::Offline => "offline".to_owned(),
            Trouble::Silent => "silent".to_owned(),
            Trouble::Twins => "its id is that of two boxes".to_owned(),
            Trouble::Missing { count: 1 } => "1 alert is missing".to_owned(),
            Trouble::Missing { count } => format!("{count} alerts are missing"),
            Trouble::CameraAway { .. } => format!("no picture from camera {cameras}"),
            Trouble::DiskFailing => "its disk fails, footage may be lost".to_owned(),
            Trouble::DiskFull => "its disk is full of evidence, nothing new is recorded".to_owned(),
            Trouble::DiskNearlyFull { free_bytes, free_bytes_min } => {
                format!(
                    "its disk is nearly full, {} left ({} needed)",
                    bytes(*free_bytes),
                    bytes(*free_bytes_min)
                )
            }
            Trouble::FootageShort { days, days_min } => {
                format!("footage goes back {} days ({} needed)", number(*days, 1), number(*days_min, 1))
            }
            Trouble::ClockUnset => "its clock is not set".to_owned(),
            Trouble::Shortfall { percent } => {
                format!("the analysis is behind, {} % of the inferences are left out", number(*percent, 0))
            }
            Trouble::OutboxGrowing { depth, seconds } => {
                let waited = span(Language::English, std::time::Duration::from_secs(*seconds));
                format!("{depth} alerts wait in its outbox, the oldest for {waited}")
            }
            Trouble::CertificateEnding { ends_at } => format!("its certificate ends {}", self.time(*ends_at)),
            Trouble::Hot { celsius } => {
                let degrees = celsius
                    .map_or(String::new(), |celsius| format!(" ({} °C)", number(f64::from(celsius), 0)));
                format!("it is too hot{degrees}, and analyses less")
            }
            Trouble::ConfigurationFaults { count, first } => {
                configuration_faults(self.language, *count, first)
            }
            Trouble::TooMuch { limit, refused } => too_much(self.language, *limit, *refused),
            Trouble::OldVersion { version, newest } => {
                format!("version {} is older than {}", printable(version), printable(newest))
            }
        }
    }
}

/// Parts of a box's configuration that are not in force. The box words them in English.
fn configuration_faults(language: Language, count: u64, first: &str) -> String {
    match (language, count) {
        (Language::Vietnamese, _) => {
            format!(
                "cấu hình có {count} lỗi, phần lỗi chưa có hiệu lực (chạy `wardwatch check` trên thiết bị)"
            )
        }
        (Language::English, 1) => {
            format!("a part of its configuration is not in force: {}", printable(first))
        }
        (Language::English, _) => {
            format!("{count} parts of its configuration are not in force, the first: {}", printable(first))
        }
    }
}

/// A box that sends more than the post takes.
fn too_much(language: Language, limit: Limit, refused: u64) -> String {
    match (language, limit) {
        (Language::Vietnamese, Limit::Wards) => {
            format!(
                "gửi dưới tên quá nhiều phường, đã từ chối {refused} tin (chứng thư số có thể bị đánh cắp)"
            )
        }
        (Language::Vietnamese, _) => format!(
            "gửi quá nhiều, đã từ chối {refused} tin (chứng thư số có thể bị đánh cắp, hoặc một quy tắc báo liên tục)"
        ),
        (Language::English, Limit::Wards) => {
            format!("it speaks in too many wards, {refused} messages were refused (a stolen certificate?)")
        }
        (Language::English, _) => format!(
            "it sends too much, {refused} messages were refused (a stolen certificate, or a rule that fires without end?)"
        ),
    }
}

/// Each trouble once, with the cameras of all that differ in nothing else, and the earliest beginning.
fn grouped(standing: &[Standing]) -> Vec<(&Trouble, String, Option<WallTime>)> {
    let mut groups: Vec<(&Trouble, String, Option<WallTime>)> = Vec::new();
    for one in standing {
        let Trouble::CameraAway { camera } = &one.trouble else {
            groups.push((&one.trouble, String::new(), one.since));
            continue;
        };
        let away = groups.iter_mut().find(|(trouble, ..)| matches!(trouble, Trouble::CameraAway { .. }));
        match away {
            Some((_, cameras, since)) => {
                cameras.push_str(", ");
                cameras.push_str(camera.as_str());
                *since = (*since).min(one.since);
            }
            None => groups.push((&one.trouble, camera.to_string(), one.since)),
        }
    }
    groups
}

fn counted(boxes: usize) -> String {
    if boxes == 1 { "1 box".to_owned() } else { format!("{boxes} boxes") }
}
