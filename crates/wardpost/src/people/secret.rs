//! Passwords, PINs, one-time codes and the tokens of logins. Only hashes of them are stored.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use super::{PersonError, UserName};

/// Minimum length of a password, in characters.
pub const PASSWORD_MIN: usize = 10;
/// Maximum length of a password, in characters.
pub const PASSWORD_MAX: usize = 200;
/// Memory of one hash in KiB, its passes and its lanes: OWASP's least for argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Letters of one-time codes: none that is mistaken for another.
const CODE_LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of a one-time code: 60 bits.
const CODE_LENGTH: usize = 12;

/// A password that may be set for `name`.
///
/// # Errors
/// It is too short, too long, or the name itself.
pub fn checked_password<'a>(password: &'a str, name: &UserName) -> Result<&'a str, PersonError> {
    let length = password.chars().count();
    let is_right = (PASSWORD_MIN..=PASSWORD_MAX).contains(&length)
        && !password.eq_ignore_ascii_case(name.as_str())
        && password.chars().any(|c| !password.starts_with(c));
    if is_right { Ok(password) } else { Err(PersonError::Password) }
}

/// A PIN that may be set.
///
/// # Errors
/// It is not of 4 to 8 digits, or all digits are the same.
pub fn checked_pin(pin: &str) -> Result<&str, PersonError> {
    let is_right = (4..=8).contains(&pin.len())
        && pin.bytes().all(|c| c.is_ascii_digit())
        && pin.bytes().any(|c| c != pin.as_bytes()[0]);
    if is_right { Ok(pin) } else { Err(PersonError::Pin) }
}

/// The argon2id hash of a secret as a PHC string. Takes tens of milliseconds.
pub fn hash(secret: &str) -> String {
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
    hasher()
        .hash_password(secret.as_bytes(), &salt)
        .expect("the costs are within argon2's limits")
        .to_string()
}

/// True if the secret has this hash. Without a hash it takes as long and is false, so that the time tells nobody who exists.
pub fn fits(secret: &str, hash: Option<&str>) -> bool {
    let Some(Ok(hash)) = hash.map(PasswordHash::new) else {
        let _ = self::hash(secret);
        return false;
    };
    hasher().verify_password(secret.as_bytes(), &hash).is_ok()
}

fn hasher() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("the costs are within argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A new token of a login: 256 random bits.
pub fn token() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The sha256 of a token in hexadecimal, which is stored in its place.
pub fn digest(token: &str) -> String {
    hexadecimal(&Sha256::digest(token.as_bytes()))
}

/// The token that proves that a form came from this login's own page. It cannot be turned back into the login's token.
pub fn form_token(token: &str) -> String {
    let mut sha256 = Sha256::new();
    sha256.update(b"form of ");
    sha256.update(token.as_bytes());
    URL_SAFE_NO_PAD.encode(sha256.finalize())
}

/// A new one-time code in groups of four.
pub fn code() -> String {
    let mut bytes = [0; CODE_LENGTH];
    rand::rng().fill_bytes(&mut bytes);
    let letters = bytes.map(|byte| char::from(CODE_LETTERS[usize::from(byte % 32)]));
    let groups = letters.chunks(4).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join("-")
}

/// A one-time code as a person may type it: without hyphens and spaces, in capitals.
pub fn plain_code(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// True if both texts are the same, in a time that does not depend on their contents.
pub fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |found, (a, b)| found | (a ^ b));
    one.len() == other.len() && differences == 0
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_secret_alone_and_no_two_are_the_same() {
        let (one, two) = (hash("đêm nay trực ca"), hash("đêm nay trực ca"));
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(fits("đêm nay trực ca", Some(&one)) && fits("đêm nay trực ca", Some(&two)));
        assert!(!fits("đêm nay trực cá", Some(&one)));
        assert!(!fits("", None) && !fits("x", Some("not a hash")));
    }

    #[test]
    fn weak_secrets_are_refused() {
        let name = "nguyenvanan".parse().unwrap();
        assert!(checked_password("mười chữ trở lên", &name).is_ok());
        for weak in ["", "short", "aaaaaaaaaaaa", "NguyenVanAn", &"x".repeat(201)] {
            assert_eq!(checked_password(weak, &name), Err(PersonError::Password), "{weak}");
        }
        assert!(checked_pin("2580").is_ok());
        for weak in ["", "123", "1111", "12a4", "123456789"] {
            assert_eq!(checked_pin(weak), Err(PersonError::Pin), "{weak}");
        }
    }

    #[test]
    fn tokens_and_codes_are_long_and_never_the_same() {
        assert_eq!(token().len(), 43);
        assert_ne!(token(), token());
        let one = code();
        assert_eq!((one.len(), plain_code(&one).len()), (14, 12), "{one}");
        assert_eq!(plain_code(&one.to_lowercase().replace('-', " ")), plain_code(&one));
        assert_ne!(form_token(&one), digest(&one));
    }

    #[test]
    fn texts_are_compared_whole() {
        assert!(is_same("abc", "abc"));
        assert!(!is_same("abc", "abd") && !is_same("abc", "ab") && !is_same("", "a"));
    }
}
