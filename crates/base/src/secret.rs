//! Text that must never appear in a log, a message or a command line.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_print_itself() {
        let credentials = Credentials { user: "admin".into(), password: Secret::new("hunter2".into()) };
        assert_eq!(format!("{credentials:?}"), "Credentials { user: \"admin\", password: *** }");
    }
}
