//! Ids as a person writes them: the beginning of a UUID, as far as it is the only one.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

/// Number of digits of a UUID.
const DIGITS: usize = 32;
/// Places in the text of a UUID with a hyphen.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Maximum number of ids that an error lists.
pub const LISTED_MAX: usize = 10;

/// The beginning of a UUID, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix(String);

impl FromStr for IdPrefix {
    type Err = String;

    /// Reads hexadecimal digits; hyphens may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.to_lowercase().chars().filter(|letter| *letter != '-').collect();
        let is_id = digits.chars().all(|digit| digit.is_ascii_hexdigit());
        if !is_id || !(1..=DIGITS).contains(&digits.len()) {
            return Err("write an id, or its first letters and digits, such as 0196bd3f".to_owned());
        }
        let mut written = String::new();
        for digit in digits.chars() {
            if HYPHENS.contains(&written.len()) {
                written.push('-');
            }
            written.push(digit);
        }
        Ok(Self(written))
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl IdPrefix {
    /// The text, with its hyphens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id, where all of it is written.
    pub fn whole<T: FromStr>(&self) -> Option<T> {
        self.0.parse().ok().filter(|_| self.0.len() == DIGITS + HYPHENS.len())
    }

    /// The one id that begins so, of those that were found; each has a description. `kind` is the word for it.
    ///
    /// # Errors
    /// None begins so, or several do; the text lists [`LISTED_MAX`] of them.
    pub fn only<T: Copy + fmt::Display>(&self, kind: &str, found: &[(T, String)]) -> anyhow::Result<T> {
        match found {
            [] => bail!("no {kind} begins with {self}"),
            [(id, _)] => Ok(*id),
            several => {
                let listed = several.iter().take(LISTED_MAX).map(|(id, text)| format!("\n  {id}  {text}"));
                let more = if several.len() > LISTED_MAX { "\n  and more" } else { "" };
                bail!(
                    "several {kind}s begin with {self}; write more of one:{}{more}",
                    listed.collect::<String>()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_read_with_and_without_hyphens() {
        for (text, expected) in [
            ("0196bd3f", "0196bd3f"),
            ("0196bd3f-", "0196bd3f"),
            ("0196BD3F8A", "0196bd3f-8a"),
            ("0196bd3f-8a10-7000-8000-000000000000", "0196bd3f-8a10-7000-8000-000000000000"),
            ("0196bd3f8a1070008000000000000000", "0196bd3f-8a10-7000-8000-000000000000"),
        ] {
            assert_eq!(text.parse::<IdPrefix>().unwrap().as_str(), expected, "{text}");
        }
        for wrong in ["", "-", "gate", "0196bd3f-8a10-7000-8000-0000000000001"] {
            assert!(wrong.parse::<IdPrefix>().is_err(), "{wrong}");
        }
        let id = |text: &str| text.parse::<IdPrefix>().unwrap().whole::<base::ids::AlertId>();
        assert!(id("0196bd3f8a1070008000000000000000").is_some() && id("0196bd3f").is_none());
    }

    #[test]
    fn several_are_listed() {
        let prefix: IdPrefix = "01".parse().unwrap();
        assert_eq!(prefix.only("alert", &[(1, String::new())]).unwrap(), 1);
        assert!(prefix.only::<u8>("alert", &[]).unwrap_err().to_string().contains("no alert begins with 01"));
        let said =
            prefix.only("alert", &[(1, "gate".to_owned()), (2, "yard".to_owned())]).unwrap_err().to_string();
        assert!(said.contains("\n  1  gate\n  2  yard") && !said.contains("and more"), "{said}");
    }
}
