//! A day and a time of day out of words, Vietnamese and English. Pure.

use jiff::civil::{Date, DateTime, Time, Weekday};

/// Names of weekdays, without their marks.
const WEEKDAYS: [(Weekday, [&str; 2]); 7] = [
    (Weekday::Monday, ["monday", "thu hai"]),
    (Weekday::Tuesday, ["tuesday", "thu ba"]),
    (Weekday::Wednesday, ["wednesday", "thu tu"]),
    (Weekday::Thursday, ["thursday", "thu nam"]),
    (Weekday::Friday, ["friday", "thu sau"]),
    (Weekday::Saturday, ["saturday", "thu bay"]),
    (Weekday::Sunday, ["sunday", "chu nhat"]),
];

/// Words that stand between a day and a time and mean nothing by themselves.
const FILLERS: [&str; 5] = ["ngay", "luc", "vao", "at", "on"];

/// A day and a time of day, as far as a text names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Written {
    /// The day; `None` for today.
    pub day: Option<Date>,
    /// The time of day; `None` for all of the day.
    pub time: Option<Time>,
    /// Time of day with its offset to UTC, as it is written.
    pub time_with_offset: Option<String>,
}

/// Reads a text at the local time `now`. `None` where a part of it is neither a day nor a time.
pub(super) fn read(text: &str, now: DateTime) -> Option<Written> {
    let folded = fold(text);
    let words: Vec<&str> = folded.split([' ', ',', '\t']).filter(|word| !word.is_empty()).collect();
    let mut written = Written::default();
    let mut weekday = None;
    let mut rest = &words[..];
    while let Some((first, behind)) = rest.split_first() {
        let pair = behind.first().map(|second| format!("{first} {second}")).unwrap_or_default();
        let has_day = written.day.is_some() || weekday.is_some();
        if FILLERS.contains(first) {
            rest = behind;
        } else if let Some(length) = named_day(first, &pair, now.date(), &mut written.day) {
            rest = &rest[length..];
            if has_day {
                return None;
            }
        } else if let Some((found, length)) = named_weekday(first, &pair) {
            rest = &rest[length..];
            if has_day || weekday.replace(found).is_some() {
                return None;
            }
        } else {
            rest = behind;
            written.take(first, has_day, now.date())?;
        }
    }
    if let Some(weekday) = weekday {
        written.day = last(weekday, written.time, now);
    }
    (written.day.is_some() || written.has_time()).then_some(written)
}

impl Written {
    fn has_time(&self) -> bool {
        self.time.is_some() || self.time_with_offset.is_some()
    }

    /// Takes a word in digits: a date, or a time of day.
    fn take(&mut self, word: &str, has_day: bool, today: Date) -> Option<()> {
        if let Some(date) = date(word, today) {
            self.day = Some(date);
            return (!has_day).then_some(());
        }
        if self.has_time() {
            return None;
        }
        if let Some(time) = time(word) {
            self.time = Some(time);
        } else if let Some(local) = time_before_offset(word) {
            self.time_with_offset = Some(word.to_owned()).filter(|_| time(local).is_some());
        }
        self.has_time().then_some(())
    }
}

/// Sets the day that one word or a pair of words names. Returns their number.
fn named_day(word: &str, pair: &str, today: Date, day: &mut Option<Date>) -> Option<usize> {
    let (back, length) = match (word, pair) {
        ("today", _) => (0, 1),
        ("yesterday", _) => (1, 1),
        (_, "hom nay") => (0, 2),
        (_, "hom qua") => (1, 2),
        (_, "hom kia") => (2, 2),
        _ => return None,
    };
    *day = Some(days_before(today, back)?);
    Some(length)
}

/// The weekday that one word or a pair of words names, and their number. Also "thứ 3", as Vietnamese counts.
fn named_weekday(word: &str, pair: &str) -> Option<(Weekday, usize)> {
    for (number, (weekday, [english, vietnamese])) in (2..).zip(WEEKDAYS) {
        if word == english {
            return Some((weekday, 1));
        }
        if pair == vietnamese || (number < 8 && pair == format!("thu {number}")) {
            return Some((weekday, 2));
        }
    }
    None
}

/// The last such day on which `time` is not in the future; without a time, the day itself may be today.
fn last(weekday: Weekday, time: Option<Time>, now: DateTime) -> Option<Date> {
    let days = (0..=7).filter_map(|back| days_before(now.date(), back));
    let mut days = days.filter(|day| day.weekday() == weekday);
    days.find(|day| day.to_datetime(time.unwrap_or_default()) <= now)
}

fn days_before(day: Date, count: i32) -> Option<Date> {
    day.checked_sub(jiff::Span::new().days(count)).ok()
}

/// A date as 2026-11-24, 24/11/2026, 24/11/26, or 24/11 for the last such day.
fn date(word: &str, today: Date) -> Option<Date> {
    if let Ok(date) = word.parse::<Date>() {
        return Some(date);
    }
    let numbers: Vec<i16> = word.split('/').map(str::parse).collect::<Result<_, _>>().ok()?;
    let of = |year: i16, month: i16, day: i16| {
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    match numbers[..] {
        [day, month, year @ 0..100] => of(2000 + year, month, day),
        [day, month, year] => of(year, month, day),
        [day, month] => of(today.year(), month, day)
            .filter(|date| *date <= today)
            .or_else(|| of(today.year() - 1, month, day)),
        _ => None,
    }
}

/// A time of day as 22:10, 22:10:05, 22h10 or 22h.
fn time(word: &str) -> Option<Time> {
    let text = match word.split_once('h') {
        Some((hour, "")) => format!("{hour}:00"),
        Some((hour, minute)) => format!("{hour}:{minute}"),
        None => word.to_owned(),
    };
    let text = if text.find(':') == Some(1) { format!("0{text}") } else { text };
    text.parse().ok().filter(|_| text.contains(':'))
}

/// The time of day before an offset: 22:10:05 of 22:10:05+07:00 or 22:10:05z.
fn time_before_offset(word: &str) -> Option<&str> {
    let end = word.find(['+', '-', 'z'])?;
    Some(&word[..end])
}

/// Lower case, without Vietnamese marks: many type without them.
fn fold(text: &str) -> String {
    text.to_lowercase().chars().filter_map(fold_letter).collect()
}

fn fold_letter(letter: char) -> Option<char> {
    Some(match letter {
        // A mark behind its letter (NFD).
        '\u{300}'..='\u{36f}' => return None,
        'à' | 'á' | 'ả' | 'ã' | 'ạ' | 'ă' | 'ằ' | 'ắ' | 'ẳ' | 'ẵ' | 'ặ' | 'â' | 'ầ' | 'ấ' | 'ẩ' | 'ẫ'
        | 'ậ' => 'a',
        'ô' | 'ồ' | 'ố' | 'ổ' | 'ỗ' | 'ộ' => 'o',
        'ù' | 'ú' | 'ủ' | 'ũ' | 'ụ' | 'ư' | 'ừ' | 'ứ' | 'ử' | 'ữ' | 'ự' => 'u',
        other => other,
    })
}
