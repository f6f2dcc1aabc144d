//! Text that must never appear in a log, a message or a command line.

use std::borrow::Cow;
use std::fmt;

/// A password or key. Prints as `***`; [`Secret::reveal`] is the only access to its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A text with `***` for user and password of each address in it, also where the address stands in a place for something else.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "://";
    let mut rest = text;
    let mut shown = String::new();
    while let Some(at) = rest.find(BEGIN) {
        let (before, address) = rest.split_at(at + BEGIN.len());
        shown.push_str(before);
        let end = address
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'))
            .unwrap_or(address.len());
        // A password may have a slash or an at sign that its writer did not encode.
        let host = address[..end].rfind('@');
        if host.is_some() {
            shown.push_str("***");
        }
        rest = &address[host.unwrap_or(0)..];
    }
    if shown.is_empty() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_show_no_password() {
        for (written, shown) in [
            ("no address at all", "no address at all"),
            ("rtsp://10.0.0.2/main", "rtsp://10.0.0.2/main"),
            ("rtsp://u:p@10.0.0.2/main", "rtsp://***@10.0.0.2/main"),
            ("\"rtsp://u:p/a@b@h/x\" is no detector, me@post", "\"rtsp://***@h/x\" is no detector, me@post"),
            ("a://u:p@h b://c d://e:f@g", "a://***@h b://c d://***@g"),
            ("a://", "a://"),
        ] {
            assert_eq!(without_passwords(written), shown);
        }
    }

    #[test]
    fn a_password_does_not_print_itself() {
        let credentials = Credentials { user: "admin".into(), password: Secret::new("hunter2".into()) };
        assert_eq!(format!("{credentials:?}"), "Credentials { user: \"admin\", password: *** }");
    }
}
