//! Subject and end of a certificate: the first common name of its subject (RFC 5280 4.1.2.6), which brokers take for the
//! user's name, and its validity (4.1.2.5). rustls gives neither; this reads the DER (X.690) as far as these two fields.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `version`, which the oldest certificates leave out.
const VERSION: u8 = 0xa0;
/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The first common name in the subject of a certificate in DER; `None` where it has none, or is no certificate.
pub(super) fn common_name(certificate: &[u8]) -> Option<String> {
    let mut fields = after_the_issuer(certificate)?;
    take(SEQUENCE, &mut fields)?;
    let mut subject = take(SEQUENCE, &mut fields)?;
    while !subject.is_empty() {
        let mut names = take(SET, &mut subject)?;
        while !names.is_empty() {
            let mut name = take(SEQUENCE, &mut names)?;
            if take(OBJECT_ID, &mut name)? == COMMON_NAME {
                let (_, text, _) = element(name)?;
                return Some(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
    None
}

/// The last moment at which a certificate in DER is valid; `None` where it is no certificate.
pub(super) fn ends_at(certificate: &[u8]) -> Option<Timestamp> {
    let mut fields = after_the_issuer(certificate)?;
    let validity = take(SEQUENCE, &mut fields)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    let text = str::from_utf8(text).ok()?;
    // "50" is 1950, "49" is 2049 (4.1.2.5.1).
    let text = match tag {
        UTC_TIME => format!("{}{text}", if text.get(..2)? >= "50" { "19" } else { "20" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The fields of a certificate that follow its issuer: validity, subject, ...
fn after_the_issuer(certificate: &[u8]) -> Option<&[u8]> {
    let (mut certificate, _) = expect(SEQUENCE, certificate)?;
    let mut fields = take(SEQUENCE, &mut certificate)?;
    if fields.first() == Some(&VERSION) {
        take(VERSION, &mut fields)?;
    }
    // Serial number, signature, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        take(tag, &mut fields)?;
    }
    Some(fields)
}

/// The content of the next element, which is removed from `bytes`.
fn take<'a>(tag: u8, bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (content, rest) = expect(tag, bytes)?;
    *bytes = rest;
    Some(content)
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    element(bytes).and_then(|(found, content, rest)| (found == tag).then_some((content, rest)))
}

/// Tag and content of the first element, and the bytes behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_found_among_others() {
        let long = "x".repeat(300);
        for name in ["box-1", "a", "Phường Bến Nghé", &long] {
            let others = [(DnType::OrganizationName, "ward"), (DnType::CommonName, name)];
            assert_eq!(common_name(&certificate(&others)).as_deref(), Some(name));
        }
        assert_eq!(common_name(&certificate(&[(DnType::OrganizationName, "box-1")])), None);
        assert_eq!(common_name(&certificate(&[])), None);
    }

    #[test]
    fn a_certificate_that_is_cut_short_has_no_name() {
        let whole = certificate(&[(DnType::CommonName, "box-1")]);
        assert!((0..whole.len()).all(|length| common_name(&whole[..length]).is_none()));
    }

    #[test]
    fn the_end_is_read_in_both_ways_of_writing_a_time() {
        for (year, text) in [(2031, "2031-05-01T00:00:00Z"), (2061, "2061-05-01T00:00:00Z")] {
            let mut params = CertificateParams::default();
            params.not_after = rcgen::date_time_ymd(year, 5, 1);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(ends_at(certificate.der()), Some(text.parse().unwrap()));
        }
        assert_eq!(ends_at(b"no certificate"), None);
    }

    proptest! {
        /// Bytes of any kind are read without a panic.
        #[test]
        fn anything_reads(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..300, with: u8) {
            common_name(&bytes);
            ends_at(&bytes);
            let mut certificate = certificate(&[(DnType::CommonName, "box-1")]);
            let at = at % certificate.len();
            certificate[at] = with;
            common_name(&certificate);
            ends_at(&certificate);
        }
    }
}
