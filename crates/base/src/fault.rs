//! Kinds of errors, as their supervisors distinguish them.

/// The reaction that an error needs. Supervisors branch on this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Goes away by itself (a camera is off, a link is down): back off and try again.
    Transient,
    /// A person has to change something (wrong password, unknown codec): stay down and report it.
    Config,
    /// The data read is damaged: quarantine it and reconcile.
    Corrupt,
    /// A resource has run out (disk, memory): shed load. `clipstore::write::writer::full_disk` states the order for a full
    /// disk.
    Exhausted,
    /// A defect of ours: count it and restart the unit.
    Bug,
}

/// An error chain on one line, outermost first: `a: b: c`.
///
/// Logged once, where the error is decided upon.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Wrappers that print their cause themselves would repeat it.
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}

/// True where a line says the same as the one before, apart from numbers and times: it need not be logged again.
pub fn is_repeated(line: &str, before: &str) -> bool {
    let words = |text: &str| {
        text.split(|c: char| c.is_ascii_digit())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    words(line) == words(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_digits_alone_are_repeated() {
        for (line, before) in [
            ("a message of 28645 bytes", "a message of 9 bytes"),
            ("in 2026-11-30T17:28:00.262Z", "in 1970-01-01T00:00:00.5Z"),
            ("7", "12"),
            ("the same", "the same"),
        ] {
            assert!(is_repeated(line, before), "{line:?} after {before:?}");
        }
        for (line, before) in [
            ("the broker refuses user \"a\"", "the broker refuses user \"b\""),
            ("a message of 5 bytes", "a message of 5 bytes or more"),
            ("port 1 of 2", "port 1, of 2"),
            ("1 alert", "2 alerts"),
            ("3 alerts", "alerts"),
            ("something", ""),
        ] {
            assert!(!is_repeated(line, before), "{line:?} after {before:?}");
        }
    }
}
