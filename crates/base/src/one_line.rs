//! Text of others (a camera, a session) as one line that a terminal, a log and JSON may show. Pure.

/// Mark for a character that is not shown.
const HIDDEN: char = '\u{fffd}';

/// `text` without control characters (C0, C1, DEL), marks that change the direction of writing, and ends of lines, and with
/// `chars_max` characters at most. A terminal obeys the first, and a reader is misled by the others.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let mut shown: String =
        text.chars().take(chars_max).map(|c| if is_shown(c) { c } else { HIDDEN }).collect();
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}

/// The same of a text of several lines, which stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if is_shown(c) || c == '\n' { c } else { HIDDEN }).collect()
}

fn is_shown(c: char) -> bool {
    const MARKS: [char; 7] =
        ['\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'];
    !c.is_control() && !MARKS.contains(&c) && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_that_it_obeys() {
        let text = "Cổng \u{1b}[2J\n\u{9b}31m\u{7f}\u{202e}ab\u{2066}c\u{2028}";
        assert_eq!(
            one_line(text, 100),
            "Cổng \u{fffd}[2J\u{fffd}\u{fffd}31m\u{fffd}\u{fffd}ab\u{fffd}c\u{fffd}"
        );
        assert_eq!(lines("a\u{1b}[2J\nb\r"), "a\u{fffd}[2J\nb\u{fffd}");
        assert_eq!(one_line("ngã tư", 100), "ngã tư");
        assert_eq!(one_line("ngã tư", 3), "ngã…");
    }
}
