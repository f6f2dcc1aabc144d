//! What a module's error asks of whoever supervises it.

/// What to do about an error. Supervisors branch on this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Goes away by itself (a camera is off, a link is down): back off and try again.
    Transient,
    /// Somebody has to change something (wrong password, unknown codec): stay down and say so.
    Config,
    /// What was read is damaged: quarantine it and reconcile.
    Corrupt,
    /// A resource has run out (disk, memory): shed load in the stated order.
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
        // Wrappers that print their cause themselves would say it twice.
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    line
}
