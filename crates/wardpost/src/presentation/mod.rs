//! Stored messages as text for people: in Vietnamese or English, in local time. Pure: no terminal, no clock, no database.
//!
//! Text from a box is shown without control characters: nothing in an alert can control a terminal.

mod events;
mod health;
mod quantities;
mod reasons;
mod words;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;

pub use base::language::Language;

use super::presence::Reported;
use super::storage::{
    Access, BoxState, Forgotten, Hole, LateThumbnail, Settlement, StoredAlert, StoredNotice,
};
use base::ack::Gap;
use base::alert::{Alert, NOT_KEPT};
use base::detection::Label;
use base::event::{Phase, Severity};
use base::time::{ClockState, WallTime};
use quantities::span;
use words::{Word, counted, counted_things, word};

/// Delay of an alert after its event, above which its line names the time of arrival.
const LATE: Duration = Duration::from_secs(60);

/// Beginning of a silent box's detail, before the seconds.
pub(super) const SILENT_FOR: &str = "nothing for ";

/// Format of the texts.
#[derive(Debug, Clone)]
pub struct Presentation {
    /// Language of the texts.
    pub language: Language,
    /// Time zone of the times.
    pub timezone: TimeZone,
    /// Severities have a colour (ANSI), for a terminal.
    pub colours: bool,
}

impl Presentation {
    /// An alert on one line: time, severity, place, rule, subjects, reason, alert id.
    pub fn line(&self, stored: &StoredAlert) -> String {
        let alert = &stored.alert;
        let mut line = format!(
            "{}  {}  {}  {}",
            self.time(told_at(alert)),
            self.severity(alert.severity),
            self.place(stored),
            self.rule(alert)
        );
        let subjects = self.subjects(alert);
        if !subjects.is_empty() {
            let _ = write!(line, ", {subjects}");
        }
        if let (Phase::Closed, Some(closed_at)) = (alert.phase, alert.closed_at) {
            let lasted = span(self.language, closed_at.since(alert.opened_at));
            let _ = write!(line, ", {} {lasted}", self.word(Word::Over));
        }
        let _ = write!(line, ": {}", self.reason(alert));
        if let Some(remark) = self.remark(stored) {
            let _ = write!(line, "  ({remark})");
        }
        let _ = write!(line, "  {}", alert.id);
        line
    }

    /// The later arrival of an alert's thumbnail, on one line.
    pub fn late_thumbnail(&self, late: &LateThumbnail) -> String {
        let (at, place) = (self.time(late.at), self.place(&late.stored));
        format!("{at}  ... {place}  {}  {}", self.word(Word::PictureCame), late.stored.alert.id)
    }

    /// A notice on one line.
    pub fn notice(&self, notice: &StoredNotice) -> String {
        if let Some(line) = self.health_notice(notice) {
            return line;
        }
        let said = match notice.kind.as_str() {
            "here" => Word::IsBack,
            "offline" => Word::IsOffline,
            "silent" => Word::IsSilent,
            "twins" => Word::IsTwins,
            "access-log" => Word::AccessLogCut,
            "link-lost" => Word::LinkLost,
            "link-back" => Word::LinkBack,
            "room-lost" => Word::RoomLost,
            "room-back" => Word::RoomBack,
            other => return format!("{}  ---  {}", self.time(notice.at), printable(other)),
        };
        let is_good = matches!(said, Word::IsBack | Word::LinkBack | Word::RoomBack);
        let who = notice
            .sender
            .as_ref()
            .map_or(String::new(), |sender| format!("{} {sender} ", self.word(Word::Box)));
        let detail = self.detail(notice);
        let text = format!("--- {who}{}{detail} ---", self.word(said));
        format!("{}  {}", self.time(notice.at), self.coloured(if is_good { "32" } else { "1;35" }, text))
    }

    /// A notice about troubles; `None` for another one.
    fn health_notice(&self, notice: &StoredNotice) -> Option<String> {
        let (said, colour) = match notice.kind.as_str() {
            "trouble" => (Word::HasTrouble, "1;35"),
            "well" => (Word::HasNoMore, "32"),
            _ => return None,
        };
        let sender = notice.sender.as_ref()?;
        let troubles = self.told_troubles(notice.detail.as_deref())?;
        let text = format!("--- {} {sender} {}: {troubles} ---", self.word(Word::Box), self.word(said));
        Some(format!("{}  {}", self.time(notice.at), self.coloured(colour, text)))
    }

    /// Reason of a notice, in parentheses. The post keeps it in English; other languages have words for silence alone.
    fn detail(&self, notice: &StoredNotice) -> String {
        let Some(detail) = &notice.detail else { return String::new() };
        match self.language {
            Language::English => format!(" ({})", printable(detail)),
            Language::Vietnamese => {
                let seconds = detail.strip_prefix(SILENT_FOR).and_then(|rest| rest.strip_suffix(" s"));
                let seconds = seconds.and_then(|seconds| seconds.parse::<f64>().ok());
                seconds.map_or(String::new(), |seconds| {
                    format!(" ({})", quantities::seconds(self.language, seconds))
                })
            }
        }
    }

    /// All fields of an alert, a line each.
    pub fn whole(&self, stored: &StoredAlert) -> String {
        let alert = &stored.alert;
        let mut lines = vec![
            (Word::Alert, format!("{} ({})", alert.id, self.phase(alert.phase))),
            (Word::SeverityHead, self.severity(alert.severity)),
            (Word::Place, self.place(stored)),
        ];
        if let Some(first) = alert.follows {
            lines.push((Word::Incident, first.to_string()));
        }
        if let (Some(lat), Some(lon)) = (alert.camera.lat, alert.camera.lon) {
            let heading = alert.camera.heading.map_or(String::new(), |heading| format!(", {heading:.0}°"));
            lines.push((Word::Position, format!("{lat:.6}, {lon:.6}{heading}")));
        }
        let clock = match alert.clock {
            ClockState::Unsynced => format!("  ({})", self.word(Word::ClockUnsynced)),
            ClockState::Synced | ClockState::Holdover => String::new(),
        };
        let none = || self.word(Word::None).to_owned();
        let subjects =
            Some(self.subjects(alert)).filter(|subjects| !subjects.is_empty()).unwrap_or_else(none);
        let withheld = self.withheld(alert.details_withheld.as_deref());
        let footage_ends = alert
            .clip
            .ends_at
            .map_or(String::new(), |at| format!(" {} {}", self.word(Word::FootageEnds), self.time(at)));
        let footage = format!(
            "{} ({}{footage_ends})",
            printable(&alert.clip.reference),
            self.time(alert.clip.starts_at)
        );
        let number = match alert.seq {
            NOT_KEPT => self.word(Word::NotNumbered).to_owned(),
            seq => format!("{seq} ({} {})", self.word(Word::Outbox), alert.outbox),
        };
        lines.extend([
            (Word::Rule, format!("{} [{}]", self.rule(alert), alert.rule.id)),
            (Word::Began, format!("{}{clock}", self.time(alert.opened_at))),
            (Word::Ended, alert.closed_at.map_or(self.word(Word::StillOpen).to_owned(), |at| self.time(at))),
            (Word::Received, self.time(stored.received_at)),
            (Word::Who, subjects + &withheld),
            (Word::Why, self.reason(alert)),
            (Word::Detector, self.model(alert)),
            (Word::Footage, footage),
            (Word::Film, format!("{} {}: {}", self.word(Word::OnBox), stored.sender, export_command(alert))),
            (Word::Number, number),
            (Word::Repeats, stored.repeats.to_string()),
        ]);
        if stored.thumbnail.is_none() {
            let why = self.withheld(alert.thumbnail_withheld.as_deref());
            lines.push((Word::Thumbnail, none() + &why));
        }
        let width = lines.iter().map(|(name, _)| self.word(*name).chars().count()).max().unwrap_or(0);
        lines.into_iter().map(|(name, text)| format!("{:<width$}  {text}\n", self.word(name))).collect()
    }

    /// The head of a table of alerts.
    pub fn list_head(&self) -> Vec<String> {
        let head = [Word::Time, Word::SeverityHead, Word::Place, Word::Rule, Word::Who, Word::Alert];
        head.map(|head| self.word(head).to_owned()).to_vec()
    }

    /// An alert as a row of that table.
    pub fn list_row(&self, stored: &StoredAlert) -> Vec<String> {
        let alert = &stored.alert;
        vec![
            self.time(alert.opened_at),
            self.word(Word::Severity(alert.severity)).to_owned(),
            self.place(stored),
            self.rule(alert),
            self.subjects(alert),
            alert.id.to_string(),
        ]
    }

    /// The head of a table of boxes.
    pub fn box_head(&self) -> Vec<String> {
        let head = [
            Word::Box,
            Word::State,
            Word::Heard,
            Word::LastAlert,
            Word::Contiguous,
            Word::Highest,
            Word::Missing,
            Word::Lost,
            Word::Duplicates,
            Word::Conflicts,
            Word::Refused,
        ];
        head.map(|head| self.word(head).to_owned()).to_vec()
    }

    /// A box as a row of that table.
    pub fn box_row(&self, known: &BoxState) -> Vec<String> {
        let time = |at: Option<WallTime>| at.map_or("-".to_owned(), |at| self.time(at));
        let twins = known
            .twins_at
            .map_or(String::new(), |at| format!("; {} {}", self.word(Word::IsTwins), self.time(at)));
        let state = match (known.reported, known.reported_at) {
            (Reported::Here, _) => self.word(Word::Here).to_owned(),
            (gone, since) => {
                let gone =
                    self.word(if gone == Reported::Offline { Word::IsOffline } else { Word::IsSilent });
                format!("{gone}, {} {}", self.word(Word::Since), time(since))
            }
        };
        let numbers = known.numbers;
        let counts = [
            numbers.contiguous,
            numbers.highest,
            numbers.missing,
            numbers.lost,
            known.duplicates,
            known.conflicts,
            known.refused,
        ];
        let is_on_test = known.status.as_ref().is_some_and(|status| status.on_test);
        let test = if is_on_test { format!("; {}", self.word(Word::OnTest)) } else { String::new() };
        let words =
            [known.sender.to_string(), state + &test + &twins, time(known.heard_at), time(known.alert_at)];
        words.into_iter().chain(counts.map(|count| count.to_string())).collect()
    }

    /// A hole on one line.
    pub fn hole(&self, hole: &Hole) -> String {
        let numbers = numbers(hole.gap);
        let former = if hole.is_former { format!(" {}", self.word(Word::Former)) } else { String::new() };
        let outbox = self.word(Word::Outbox);
        let fate = self.word(if hole.is_lost { Word::Lost } else { Word::Missing });
        format!("{}  {fate} {numbers}  {outbox} {}{former}", hole.sender, hole.outbox)
    }

    /// Heads of [`Presentation::access_row`] and [`Presentation::settlement_row`].
    pub fn log_head(&self) -> Vec<String> {
        [Word::Time, Word::ByWhom, Word::What].map(|one| self.word(one).to_owned()).into()
    }

    /// One access to a thumbnail.
    pub fn access_row(&self, access: &Access) -> Vec<String> {
        let (looked_at, command) = (self.word(Word::LookedAt), &access.command);
        let what = format!("{looked_at} {} {} ({command})", access.sender, access.alert);
        vec![self.time(access.at), printable(&access.who), what]
    }

    /// Numbers that a person or a box has declared lost.
    pub fn settlement_row(&self, one: &Settlement) -> Vec<String> {
        let numbers = numbers(one.gap);
        let (settled, outbox) = (self.word(Word::Settled), self.word(Word::Outbox));
        let what = format!(
            "{settled}: {} {numbers}  {outbox} {}: {}",
            one.sender,
            one.outbox,
            printable(&one.verdict.why)
        );
        vec![self.time(one.verdict.at), printable(&one.verdict.who), what]
    }

    /// A box that a person has removed from the list.
    pub fn forgotten_row(&self, one: &Forgotten) -> Vec<String> {
        let what = format!("{}: {}: {}", self.word(Word::Forgotten), one.sender, printable(&one.verdict.why));
        vec![self.time(one.verdict.at), printable(&one.verdict.who), what]
    }

    /// State of a post that takes no alerts, since its disk has less than `least` bytes left.
    pub fn no_room(&self, room: u64, least: u64) -> String {
        let [room, least] = [room, least].map(|count| quantities::bytes(self.language, count));
        match self.language {
            Language::Vietnamese => format!("{} (còn {room}, cần {least})", self.word(Word::RoomLost)),
            Language::English => format!("{} ({room} left, {least} needed)", self.word(Word::RoomLost)),
        }
    }

    /// Text for a log without accesses and settlements.
    pub fn nothing_logged(&self) -> &'static str {
        self.word(Word::NothingLogged)
    }

    /// Text for a list without alerts.
    pub fn no_alerts(&self) -> &'static str {
        self.word(Word::NoAlerts)
    }

    /// Text for a list without holes.
    pub fn nothing_missing(&self) -> &'static str {
        self.word(Word::NothingMissing)
    }

    /// Name of the time zone of all times.
    pub fn times_are_in(&self) -> String {
        let zone = self.timezone.iana_name().unwrap_or("UTC");
        format!("{} {zone}", self.word(Word::TimesAreIn))
    }

    /// Local date and time, as the language writes them.
    pub fn time(&self, at: WallTime) -> String {
        let local = at.to_timestamp().to_zoned(self.timezone.clone());
        local.strftime(self.language.time_format()).to_string()
    }

    /// Local time of day.
    pub fn time_of_day(&self, at: WallTime) -> String {
        at.to_timestamp().to_zoned(self.timezone.clone()).strftime("%H:%M").to_string()
    }

    /// A duration in words.
    pub fn span(&self, span: Duration) -> String {
        quantities::span(self.language, span)
    }

    fn place(&self, stored: &StoredAlert) -> String {
        let camera = &stored.alert.camera;
        format!("{} [{}/{}]", printable(&camera.name), stored.sender, camera.id)
    }

    /// Name and kind of the alert's rule.
    pub(crate) fn rule(&self, alert: &Alert) -> String {
        let (name, kind) = (
            printable(&alert.rule.name),
            printable(&self.language.rule_kind(&alert.rule.kind).to_lowercase()),
        );
        // A default rule is called after its kind.
        if name.to_lowercase() == kind {
            return name;
        }
        match self.language {
            Language::Vietnamese => format!("{name} – {kind}"),
            Language::English => format!("{name} ({kind})"),
        }
    }

    fn phase(&self, phase: Phase) -> &'static str {
        self.word(if phase == Phase::Closed { Word::Closed } else { Word::Opened })
    }

    fn model(&self, alert: &Alert) -> String {
        match alert.model.name.as_str() {
            "motion" => self.word(Word::MotionDetector).to_owned(),
            name => printable(name),
        }
    }

    /// Reason for which a part of an alert did not come; empty where all of it did. Boxes give it in English.
    fn withheld(&self, why: Option<&str>) -> String {
        why.map_or(String::new(), |why| match self.language {
            Language::Vietnamese => format!(" ({})", self.word(Word::TooLarge)),
            Language::English => format!(" ({})", printable(why)),
        })
    }

    /// Number of subjects of each label; empty for none. For a further alert of an incident, the new subjects, and the number
    /// of all.
    pub(crate) fn subjects(&self, alert: &Alert) -> String {
        let labels: Vec<(Label, u32)> = Label::ALL
            .into_iter()
            .map(|label| {
                let of_label = alert.subjects.iter().filter(|subject| subject.label == label);
                (label, of_label.count() as u32)
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        // A thing without a class that was left behind does not move.
        let is_left = alert.rule.kind == "left_behind";
        let counted = |count: u32, label: Label| match label {
            Label::Moving if is_left => counted_things(self.language, count),
            label => counted(self.language, count, label),
        };
        let several = |labels: &[(Label, u32)]| {
            let several = labels.iter().map(|(label, count)| counted(*count, *label));
            several.collect::<Vec<_>>().join(" + ")
        };
        match &labels[..] {
            [] if alert.count > 1 => alert.count.to_string(),
            [] => String::new(),
            labels if alert.follows.is_some() => {
                let (further, in_all) = (self.word(Word::Further), self.word(Word::InAll));
                format!("{further} {}, {in_all} {}", several(labels), alert.count)
            }
            // More may have taken part than are listed.
            [(label, _)] => counted(alert.count, *label),
            labels => several(labels),
        }
    }

    /// Reason for which its time may be misleading.
    pub(crate) fn remark(&self, stored: &StoredAlert) -> Option<String> {
        let received = || format!("{} {}", self.word(Word::Received), self.time(stored.received_at));
        let told_at = told_at(&stored.alert);
        if stored.alert.clock == ClockState::Unsynced {
            Some(format!("{}, {}", self.word(Word::ClockUnsynced), received()))
        } else if stored.received_at.since(told_at).max(told_at.since(stored.received_at)) > LATE {
            Some(received())
        } else {
            None
        }
    }

    fn severity(&self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Notice => "36",
            Severity::Warning => "33",
            Severity::Critical => "1;31",
        };
        self.coloured(colour, self.word(Word::Severity(severity)).to_owned())
    }

    fn coloured(&self, colour: &str, text: String) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text }
    }

    fn word(&self, one: Word) -> &'static str {
        word(self.language, one)
    }
}

/// The command that writes the footage of an alert as MP4 files, on its box, into the folder that is the present one there.
pub fn export_command(alert: &Alert) -> String {
    let id = alert.id;
    format!("sudo wardwatch clips export {id} --output . --reason \"alert {id}\"")
}

/// `7`, or `7-9`.
fn numbers(gap: Gap) -> String {
    let Gap { first, last } = gap;
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Time of the event that the message reports.
fn told_at(alert: &Alert) -> WallTime {
    alert.closed_at.unwrap_or(alert.opened_at)
}

/// Replaces characters that control a terminal, or the direction of the text around them.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_steering(c) { '\u{fffd}' } else { c }).collect()
}

/// JSON text with the same characters escaped.
pub fn printable_json(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        // Line ends are between the values: serde_json escapes those inside of them.
        if is_steering(c) && c != '\n' {
            let _ = write!(printable, "\\u{:04x}", u32::from(c));
        } else {
            printable.push(c);
        }
    }
    printable
}

fn is_steering(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
