//! Officers who may use the page: names, roles, secrets, and the lock-out after failures. Pure: time and randomness are
//! arguments. Storage keeps them; the page and `wardpost user` use them.

pub mod lockout;
pub mod secret;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Time for which a one-time code can be used.
pub const CODE_FOR: Duration = Duration::from_secs(48 * 3600);
/// Maximum length of an officer's full name, in characters.
const FULL_NAME_MAX: usize = 64;

/// Rights of an officer, the least first; each has those of the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Works on events.
    Officer,
    /// Also reads the figures, and shelves for longer.
    Commander,
    /// Also manages people and the plan of the ward.
    Administrator,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Officer, Self::Commander, Self::Administrator];

    /// Name in the database and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Commander => "commander",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault of a name, a role, a password or a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PersonError {
    /// No role.
    #[error("\"{0}\" is no role; give officer, commander or administrator")]
    Role(String),
    /// No login name.
    #[error("\"{0}\" is no login name; give 1 to 32 of a-z, 0-9, dot, hyphen and underscore, a letter first")]
    Name(String),
    /// No full name.
    #[error("a full name has 1 to {FULL_NAME_MAX} characters on one line")]
    FullName,
    /// Too short or too long a password.
    #[error(
        "a password has {} to {} characters, and is not the login name",
        secret::PASSWORD_MIN,
        secret::PASSWORD_MAX
    )]
    Password,
    /// No PIN.
    #[error("a PIN has 4 to 8 digits that are not all the same")]
    Pin,
}

impl FromStr for Role {
    type Err = PersonError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| PersonError::Role(text.to_owned()))
    }
}

/// Login name of an officer: lower case, without signs that a keyboard of Vietnamese might change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserName(String);

impl UserName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UserName {
    type Err = PersonError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_ascii_lowercase();
        let is_right = (1..=32).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
        if is_right { Ok(Self(name)) } else { Err(PersonError::Name(text.chars().take(40).collect())) }
    }
}

/// The name that others read, without control characters.
///
/// # Errors
/// It is empty or too long.
pub fn full_name(text: &str) -> Result<String, PersonError> {
    let name = text.trim();
    let is_right = (1..=FULL_NAME_MAX).contains(&name.chars().count()) && !name.contains(char::is_control);
    if is_right { Ok(name.to_owned()) } else { Err(PersonError::FullName) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_read_as_they_are_written() {
        assert!(Role::Officer < Role::Commander && Role::Commander < Role::Administrator);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("chief".parse::<Role>().unwrap_err().to_string().contains("commander"));
    }

    #[test]
    fn login_names_are_plain() {
        assert_eq!(" Lan.2 ".parse::<UserName>().unwrap().as_str(), "lan.2");
        for wrong in ["", "2lan", "lân", "a b", "<script>", &"a".repeat(33)] {
            assert!(wrong.parse::<UserName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn full_names_have_any_letters_on_one_line() {
        assert_eq!(full_name(" Trung úy Lê Văn An ").unwrap(), "Trung úy Lê Văn An");
        for wrong in ["", "  ", "a\nb", &"ă".repeat(65)] {
            assert_eq!(full_name(wrong), Err(PersonError::FullName), "{wrong}");
        }
    }
}
