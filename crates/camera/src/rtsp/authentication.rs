//! Login to a camera: Basic (RFC 7617) and Digest with MD5, MD5-sess, SHA-256, SHA-256-sess (RFC 7616).
//!
//! Pure but for the client's nonce. Challenges are read as cameras write them: several in one header, in any order,
//! with or without quotes. The password leaves this module inside a header alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use base::secret::Credentials;

/// Most challenges of one reply that are looked at.
const CHALLENGES_MAX: usize = 16;
/// Requests with a login that are refused before the login itself counts as refused.
const TRIES_MAX: u32 = 2;

/// Hash function of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn hex(self, text: &str) -> String {
        let digest = match self {
            Self::Md5 => Md5::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
        };
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Quality of protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    None,
    Auth,
    /// With the body, which is always empty here.
    AuthInt,
}

/// A camera's demand for authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Challenge {
    Basic {
        realm: String,
    },
    Digest(DigestChallenge),
    /// A scheme or algorithm that is not spoken here.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct DigestChallenge {
    /// As written between the quotes, also where it holds backslashes.
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As written; `None` where the camera names none.
    algorithm: Option<String>,
    hash: Hash,
    is_session: bool,
    protection: Protection,
    is_stale: bool,
}

impl Challenge {
    /// Order of preference; `None` for a demand that cannot be answered.
    fn rank(&self) -> Option<u8> {
        match self {
            Self::Digest(digest) if digest.hash == Hash::Sha256 => Some(0),
            Self::Digest(_) => Some(1),
            Self::Basic { .. } => Some(2),
            Self::Other(_) => None,
        }
    }

    fn realm(&self) -> &str {
        match self {
            Self::Basic { realm } => realm,
            Self::Digest(digest) => &digest.realm,
            Self::Other(_) => "",
        }
    }

    fn is_stale(&self) -> bool {
        matches!(self, Self::Digest(digest) if digest.is_stale)
    }
}

/// Reason why a 401 cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No user is configured.
    PasswordNeeded,
    /// This user with this password is refused.
    PasswordRefused,
    /// The login was taken before, and is refused for this request alone.
    RequestRefused,
    /// The camera does not say how to log in.
    NoChallenge,
    /// Nothing that is asked for is spoken here; what it was.
    NotSpoken(String),
}

/// The login on one connection.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Option<Credentials>,
    challenge: Option<Challenge>,
    /// Requests that the present nonce was used for.
    uses: u32,
    /// The camera has taken this password.
    was_taken: bool,
    /// False for a host that is not told the password in clear.
    may_use_basic: bool,
}

impl Login {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, challenge: None, uses: 0, was_taken: false, may_use_basic: true }
    }

    /// The connection goes to another host or port than the configured one: it is not told the password in clear.
    pub(super) fn forbid_basic(&mut self) {
        self.may_use_basic = false;
    }

    /// A request that carried the login was not refused.
    pub(super) fn taken(&mut self) {
        self.was_taken |= self.challenge.is_some();
    }

    /// Takes up the challenges of a 401 to a request that had carried a login `tries` times.
    pub(super) fn refused<'a>(
        &mut self,
        headers: impl Iterator<Item = &'a str>,
        tries: u32,
    ) -> Result<(), Refusal> {
        let challenges: Vec<Challenge> = headers.flat_map(read).take(CHALLENGES_MAX).collect();
        if challenges.is_empty() {
            return Err(Refusal::NoChallenge);
        }
        if self.credentials.is_none() {
            return Err(Refusal::PasswordNeeded);
        }
        // A camera that speaks Digest needs no password in clear, also where it refuses the digest.
        self.may_use_basic &= !challenges.iter().any(|one| matches!(one, Challenge::Digest(_)));
        let may =
            |challenge: &&Challenge| self.may_use_basic || !matches!(challenge, Challenge::Basic { .. });
        let mut spoken: Vec<&Challenge> =
            challenges.iter().filter(may).filter(|challenge| challenge.rank().is_some()).collect();
        spoken.sort_by_key(|challenge| challenge.rank());
        if spoken.is_empty() {
            let name = |challenge: &Challenge| match challenge {
                Challenge::Other(name) => Some(name.clone()),
                Challenge::Basic { .. } => Some("Basic".to_owned()),
                Challenge::Digest(_) => None,
            };
            let names: Vec<String> = challenges.iter().filter_map(name).collect();
            return Err(Refusal::NotSpoken(names.join(", ")));
        }
        let is_stale = spoken.iter().any(|challenge| challenge.is_stale());
        let tries_max = if is_stale || self.was_taken { TRIES_MAX + 1 } else { TRIES_MAX };
        if tries >= tries_max {
            return Err(if self.was_taken { Refusal::RequestRefused } else { Refusal::PasswordRefused });
        }
        // A second try takes the second best, where there is one: the first may be offered and not understood.
        let is_second_best = tries == 1 && !self.was_taken && !is_stale;
        let before = self.challenge.as_ref().map(Challenge::realm);
        let same_realm = before.is_none_or(|before| before == spoken[0].realm());
        let at = if is_second_best && same_realm { spoken.len().min(2) - 1 } else { 0 };
        self.challenge = Some(spoken[at].clone());
        self.uses = 0;
        Ok(())
    }

    /// Value of the Authorization header for this request; `None` until the camera asks for a login.
    pub(super) fn header(&mut self, method: &str, uri: &str) -> Option<String> {
        let client_nonce: u64 = rand::random();
        self.header_with(method, uri, &format!("{client_nonce:016x}"))
    }

    fn header_with(&mut self, method: &str, uri: &str, client_nonce: &str) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        let (user, password) = (&credentials.user, credentials.password.reveal());
        match self.challenge.as_ref()? {
            Challenge::Basic { .. } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            Challenge::Digest(digest) => {
                self.uses += 1;
                Some(digest.answer((user, password), method, uri, client_nonce, self.uses))
            }
            Challenge::Other(_) => None,
        }
    }
}

impl DigestChallenge {
    fn answer(
        &self,
        (user, password): (&str, &str),
        method: &str,
        uri: &str,
        client_nonce: &str,
        uses: u32,
    ) -> String {
        let (realm, nonce) = (&self.realm, &self.nonce);
        let hash = |text: &str| self.hash.hex(text);
        let mut secret = hash(&format!("{user}:{realm}:{password}"));
        if self.is_session {
            secret = hash(&format!("{secret}:{nonce}:{client_nonce}"));
        }
        let request = match self.protection {
            Protection::AuthInt => hash(&format!("{method}:{uri}:{}", hash(""))),
            Protection::None | Protection::Auth => hash(&format!("{method}:{uri}")),
        };
        let protection = match self.protection {
            Protection::None => None,
            Protection::Auth => Some("auth"),
            Protection::AuthInt => Some("auth-int"),
        };
        let response = match protection {
            Some(word) => hash(&format!("{secret}:{nonce}:{uses:08x}:{client_nonce}:{word}:{request}")),
            None => hash(&format!("{secret}:{nonce}:{request}")),
        };
        let user = user.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        );
        if let Some(algorithm) = &self.algorithm {
            text += &format!(", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            text += &format!(", opaque=\"{opaque}\"");
        }
        if let Some(word) = protection {
            text += &format!(", qop={word}, nc={uses:08x}");
        }
        if protection.is_some() || self.is_session {
            text += &format!(", cnonce=\"{client_nonce}\"");
        }
        text
    }
}

/// The challenges of one header.
fn read(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut scheme: Option<String> = None;
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let end = rest.find(['=', ' ', ',', '\t']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let behind = behind.trim_start_matches([' ', '\t']);
        if let Some(value) = behind.strip_prefix('=') {
            let (value, behind) = split_value(value.trim_start());
            parameters.push((word.to_ascii_lowercase(), value.to_owned()));
            rest = behind;
        } else {
            challenges.extend(scheme.replace(word.to_owned()).map(|of| challenge(&of, &parameters)));
            parameters.clear();
            rest = behind;
        }
        rest = rest.trim_start_matches([' ', ',', '\t', ';']);
        if challenges.len() >= CHALLENGES_MAX {
            return challenges;
        }
    }
    challenges.extend(scheme.map(|of| challenge(&of, &parameters)));
    challenges
}

/// A value, quoted or not, and the text behind it. Quotes inside are marked by a backslash, which stays.
fn split_value(text: &str) -> (&str, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split_at(text.find([',', ' ', '\t', ';']).unwrap_or(text.len()));
    };
    let mut is_escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !is_escaped => return (&quoted[..at], &quoted[at + 1..]),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    (quoted, "")
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Challenge {
    let value =
        |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let realm = value("realm").unwrap_or_default();
    if scheme.eq_ignore_ascii_case("basic") {
        return Challenge::Basic { realm };
    }
    if !scheme.eq_ignore_ascii_case("digest") {
        return Challenge::Other(printable(scheme));
    }
    let algorithm = value("algorithm");
    let (hash, is_session) = match algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase().as_str() {
        "MD5" | "" => (Hash::Md5, false),
        "MD5-SESS" => (Hash::Md5, true),
        "SHA-256" | "SHA256" => (Hash::Sha256, false),
        "SHA-256-SESS" => (Hash::Sha256, true),
        other => return Challenge::Other(format!("Digest {}", printable(other))),
    };
    let words = value("qop").unwrap_or_default().to_ascii_lowercase();
    let has = |word: &str| words.split(',').any(|known| known.trim() == word);
    let protection = match (has("auth"), has("auth-int")) {
        (true, _) => Protection::Auth,
        (false, true) => Protection::AuthInt,
        (false, false) => Protection::None,
    };
    Challenge::Digest(DigestChallenge {
        realm,
        nonce: value("nonce").unwrap_or_default(),
        opaque: value("opaque"),
        algorithm: algorithm.filter(|name| !name.is_empty()).map(|name| printable(&name)),
        hash,
        is_session,
        protection,
        is_stale: value("stale").is_some_and(|word| word.eq_ignore_ascii_case("true")),
    })
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::secret::Secret;

    fn login(user: &str, password: &str) -> Login {
        Login::new(Some(Credentials { user: user.into(), password: Secret::new(password.into()) }))
    }

    /// The examples of RFC 7616, section 3.9.1.
    #[test]
    fn the_digests_of_the_book_come_out() {
        let (user, password) = ("Mufasa", "Circle of Life");
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, wanted) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let header = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"{nonce}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let mut login = login(user, password);
            login.refused([header.as_str()].into_iter(), 0).unwrap();
            let answer = login.header_with("GET", "/dir/index.html", client_nonce).unwrap();
            assert!(answer.contains(&format!("response=\"{wanted}\"")), "{answer}");
            assert!(answer.contains(&format!("algorithm={algorithm}")), "{answer}");
            assert!(answer.contains("qop=auth, nc=00000001"), "{answer}");
        }
    }

    /// RFC 2069's own example has a misprint; this is the figure of its erratum, without qop.
    #[test]
    fn a_digest_without_protection_comes_out() {
        let header = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let mut login = login("Mufasa", "CircleOfLife");
        login.refused([header].into_iter(), 0).unwrap();
        let answer = login.header("GET", "/dir/index.html").unwrap();
        assert!(answer.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{answer}");
        assert!(!answer.contains("algorithm") && !answer.contains("cnonce"), "{answer}");
    }

    #[test]
    fn the_best_of_several_challenges_is_taken_wherever_it_stands() {
        let (basic, md5) = ("Basic realm=\"a, b\"", "Digest realm=\"x\", nonce=\"1\"");
        let sha = "digest realm=\"x\",nonce=\"2\",algorithm=\"SHA-256\"";
        let other = "Digest realm=\"x\", nonce=\"3\", algorithm=SHA-512-256";
        for (headers, wanted) in [
            (vec![basic.to_owned(), md5.to_owned()], "nonce=\"1\""),
            (vec![md5.to_owned(), basic.to_owned()], "nonce=\"1\""),
            (vec![format!("{basic}, {md5}")], "nonce=\"1\""),
            (vec![format!("{other}, {md5}, {sha}, {basic}")], "algorithm=SHA-256"),
            (vec![other.to_owned(), md5.to_owned()], "nonce=\"1\""),
            (vec![basic.to_owned()], "Basic dXNlcjpwYXNz"),
        ] {
            let mut login = login("user", "pass");
            login.refused(headers.iter().map(String::as_str), 0).unwrap();
            let answer = login.header("PLAY", "rtsp://a/b").unwrap();
            assert!(answer.contains(wanted), "{headers:?}: {answer}");
        }
    }

    #[test]
    fn a_new_nonce_is_answered_and_only_then_is_the_password_blamed() {
        let mut login = login("user", "pass");
        let refuse = |login: &mut Login, nonce: &str, tries| {
            let header = format!("Digest realm=\"x\", nonce=\"{nonce}\"");
            login.refused([header.as_str()].into_iter(), tries)
        };
        assert_eq!(refuse(&mut login, "1", 0), Ok(()));
        assert_eq!(refuse(&mut login, "2", 1), Ok(()));
        assert!(login.header("PLAY", "x").unwrap().contains("nonce=\"2\""));
        assert_eq!(refuse(&mut login, "3", 2), Err(Refusal::PasswordRefused));
        login.taken();
        assert_eq!(refuse(&mut login, "4", 2), Ok(()));
        assert_eq!(refuse(&mut login, "5", 3), Err(Refusal::RequestRefused));
    }

    #[test]
    fn where_a_digest_was_offered_the_password_is_not_sent_in_clear() {
        let (basic, digest) = ("Basic realm=\"x\"", "Digest realm=\"x\", nonce=\"1\"");
        for second in [vec![basic, digest], vec![basic]] {
            let mut login = login("user", "pass");
            login.refused([digest, basic].into_iter(), 0).unwrap();
            let again = login.refused(second.into_iter(), 1);
            let answer = login.header("PLAY", "x").unwrap_or_default();
            assert!(!answer.starts_with("Basic"), "{again:?}: {answer}");
        }
    }

    #[test]
    fn what_is_not_about_the_password_is_told_apart() {
        let mut somebody = login("user", "pass");
        assert_eq!(somebody.refused([].into_iter(), 0), Err(Refusal::NoChallenge));
        assert_eq!(
            somebody
                .refused(["Digest realm=\"x\", nonce=\"1\", algorithm=SHA-512-256", "NTLM"].into_iter(), 0),
            Err(Refusal::NotSpoken("Digest SHA-512-256, NTLM".into()))
        );
        let mut nobody = Login::new(None);
        assert_eq!(nobody.refused(["Basic realm=\"x\""].into_iter(), 0), Err(Refusal::PasswordNeeded));
        assert_eq!(nobody.header("PLAY", "x"), None);
        somebody.forbid_basic();
        assert_eq!(
            somebody.refused(["Basic realm=\"x\""].into_iter(), 0),
            Err(Refusal::NotSpoken("Basic".into()))
        );
    }

    #[test]
    fn odd_challenges_are_read() {
        let digest = |header: &str| match read(header).into_iter().next() {
            Some(Challenge::Digest(digest)) => digest,
            other => panic!("{header}: {other:?}"),
        };
        let odd = digest(r#"  Digest  realm = "a\"b" ,nonce=abc,stale="TRUE",qop="auth-int""#);
        assert_eq!((odd.realm.as_str(), odd.nonce.as_str(), odd.is_stale), (r#"a\"b"#, "abc", true));
        assert_eq!(odd.protection, Protection::AuthInt);
        assert_eq!(digest("Digest realm=\"unclosed, nonce=1").realm, "unclosed, nonce=1");
        assert!(digest("Digest nonce=\"x\", algorithm=md5-sess").is_session);
        assert_eq!(read(", ,"), []);
        assert_eq!(read("Basic"), [Challenge::Basic { realm: String::new() }]);
    }
}
