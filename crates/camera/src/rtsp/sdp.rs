//! The description of a camera's stream (SDP, RFC 4566), as cameras write it.
//!
//! Pure. Only the needed part about the video is read; lines that no rule covers are passed over.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::units::Media;
use base::fragment::Codec;

/// Base64 as cameras write it: with padding, without, or with stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Most lines that are read.
const LINES_MAX: usize = 2000;
/// Most parameter sets of one description, and the longest of them in bytes.
const SETS_MAX: usize = 32;
const SET_BYTES_MAX: usize = 16 * 1024;
/// RTP clock of video, where the description names none.
const CLOCK_RATE: u32 = 90_000;

/// A description, as far as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// The whole stream's control address, as written.
    pub control: Option<String>,
    /// The video track's control address, as written.
    pub video_control: Option<String>,
    pub media: Media,
}

/// Reasons why a description is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    /// No line of it names a media.
    NotADescription,
    NoVideo,
    /// There is video, in this encoding.
    Codec(String),
}

/// Reads a description and chooses its first video track that can be recorded.
pub(super) fn parse(text: &[u8]) -> Result<Description, Unusable> {
    let text = String::from_utf8_lossy(text);
    let mut control = None;
    let mut tracks: Vec<Track> = Vec::new();
    for line in text.split(['\n', '\r']).take(LINES_MAX) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
        let Some((kind, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        match (kind.trim(), tracks.last_mut()) {
            ("m" | "M", _) => tracks.push(Track::new(value)),
            ("a" | "A", Some(track)) => track.attribute(value),
            ("a" | "A", None) => {
                if let Some(address) = attribute(value, "control") {
                    control = Some(address.to_owned());
                }
            }
            _ => {}
        }
    }
    if tracks.is_empty() {
        return Err(Unusable::NotADescription);
    }
    let videos: Vec<&Track> = tracks.iter().filter(|track| track.is_video).collect();
    let Some(first) = videos.first() else { return Err(Unusable::NoVideo) };
    let found = videos.iter().find_map(|track| track.media().map(|media| (*track, media)));
    let Some((track, media)) = found else { return Err(Unusable::Codec(first.encoding())) };
    Ok(Description { control, video_control: track.control.clone(), media })
}

/// Value of an attribute of this name: `name:value`, also with spaces around.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (known, value) = text.split_once(':')?;
    known.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

/// One `m=` section.
#[derive(Debug, Default)]
struct Track {
    is_video: bool,
    control: Option<String>,
    formats: Vec<u8>,
    /// Payload type, encoding name, clock rate.
    maps: Vec<(Option<u8>, String, u32)>,
    /// Payload type and parameters.
    parameters: Vec<(Option<u8>, String)>,
}

impl Track {
    /// From an `m=` line: media, port, protocol, payload types. Any of them but the first may be missing.
    fn new(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let is_video = words.next().is_some_and(|word| word.eq_ignore_ascii_case("video"));
        let words: Vec<&str> = words.collect();
        let protocol = words
            .iter()
            .position(|word| word.contains('/') && !word.starts_with(|c: char| c.is_ascii_digit()));
        let formats = words.iter().skip(protocol.map_or(2, |at| at + 1));
        let formats = formats.filter_map(|word| word.parse().ok().filter(|format| *format < 128)).collect();
        Self { is_video, formats, ..Self::default() }
    }

    fn attribute(&mut self, text: &str) {
        if let Some(address) = attribute(text, "control") {
            self.control = Some(address.to_owned());
        } else if let Some(map) = attribute(text, "rtpmap") {
            let (payload_type, rest) = split_format(map);
            let mut parts = rest.split('/').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_uppercase();
            let rate = parts.next().and_then(super::message::leading_number).filter(|rate| *rate > 0);
            self.maps.push((payload_type, name, rate.unwrap_or(CLOCK_RATE)));
        } else if let Some(parameters) = attribute(text, "fmtp") {
            let (payload_type, rest) = split_format(parameters);
            self.parameters.push((payload_type, rest.to_owned()));
        }
    }

    /// The track's video, if it can be recorded.
    fn media(&self) -> Option<Media> {
        let listed = |payload_type: &Option<u8>| {
            payload_type.is_none_or(|of| self.formats.is_empty() || self.formats.contains(&of))
        };
        let known = |(payload_type, name, rate): &(Option<u8>, String, u32)| {
            Some((*payload_type, codec_of(name)?, *rate))
        };
        let maps = || self.maps.iter();
        let mapped = maps().filter(|map| listed(&map.0)).find_map(known).or_else(|| maps().find_map(known));
        let (payload_type, codec, clock_rate) = match mapped {
            Some(mapped) => mapped,
            None if self.maps.is_empty() => (None, self.codec_of_parameters()?, CLOCK_RATE),
            None => return None,
        };
        let payload_type = payload_type.or(self.formats.first().copied());
        Some(Media { codec, payload_type, clock_rate, parameter_sets: self.parameter_sets(payload_type) })
    }

    /// Codec of a track without a map, by the names of its parameters.
    fn codec_of_parameters(&self) -> Option<Codec> {
        let has = |name: &str| self.parameters.iter().any(|(_, text)| parameter(text, name).is_some());
        if has("sprop-parameter-sets") || has("packetization-mode") || has("profile-level-id") {
            return Some(Codec::H264);
        }
        (has("sprop-vps") || has("sprop-sps")).then_some(Codec::H265)
    }

    fn parameter_sets(&self, payload_type: Option<u8>) -> Vec<Vec<u8>> {
        let mut sets = Vec::new();
        for (of, text) in &self.parameters {
            if of.is_some() && payload_type.is_some() && *of != payload_type {
                continue;
            }
            for name in ["sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"] {
                let values = parameter(text, name).unwrap_or_default();
                let decoded = values.split(',').filter_map(|value| LENIENT.decode(value.trim()).ok());
                sets.extend(decoded.filter(|set| (1..=SET_BYTES_MAX).contains(&set.len())));
            }
        }
        sets.truncate(SETS_MAX);
        sets
    }

    /// Name of the encoding, for people.
    fn encoding(&self) -> String {
        let named = self
            .maps
            .first()
            .map(|(_, name, _)| -> String { name.chars().filter(char::is_ascii_graphic).take(20).collect() });
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            return name;
        }
        let known = self.formats.iter().find_map(|format| match format {
            26 => Some("MJPEG"),
            31 => Some("H.261"),
            32 => Some("MPEG-1 or MPEG-2"),
            34 => Some("H.263"),
            _ => None,
        });
        known.unwrap_or("an unnamed encoding").to_owned()
    }
}

fn codec_of(name: &str) -> Option<Codec> {
    match name {
        "H264" | "H.264" | "AVC" => Some(Codec::H264),
        "H265" | "H.265" | "HEVC" => Some(Codec::H265),
        _ => None,
    }
}

/// The payload type in front of a value, and the rest.
fn split_format(text: &str) -> (Option<u8>, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    match text[..digits].parse() {
        Ok(payload_type) => (Some(payload_type), text[digits..].trim()),
        Err(_) => (None, text),
    }
}

/// Value of one of the parameters that are separated by semicolons; base64 may hold `=` itself.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(';').find_map(|part| {
        let (known, value) = part.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Media\r\nt=0 0\r\na=control:*\r\n\
        m=audio 0 RTP/AVP 0\r\na=control:trackID=1\r\n\
        m=video 0 RTP/AVP 96\r\na=control:trackID=0\r\na=rtpmap:96 H264/90000\r\n\
        a=fmtp:96 packetization-mode=1;profile-level-id=420029;sprop-parameter-sets=Z0IAKQ==,aM4G4g==\r\n";

    #[test]
    fn a_description_by_the_book_is_read() {
        let description = parse(BOOK.as_bytes()).unwrap();
        assert_eq!(description.control.as_deref(), Some("*"));
        assert_eq!(description.video_control.as_deref(), Some("trackID=0"));
        let wanted = Media {
            codec: Codec::H264,
            payload_type: Some(96),
            clock_rate: 90_000,
            parameter_sets: vec![vec![0x67, 0x42, 0, 0x29], vec![0x68, 0xce, 6, 0xe2]],
        };
        assert_eq!(description.media, wanted);
    }

    #[test]
    fn what_cameras_write_otherwise_is_read_as_well() {
        for (video, payload_type, codec) in [
            ("m=video RTP/AVP 96\na=rtpmap:96 H264/90000", Some(96), Codec::H264),
            ("m=video 0 RTP/AVP\na=rtpmap:97 h264/90000", Some(97), Codec::H264),
            (
                "m=video 554/2 RTP/AVP 96 97\na=rtpmap:97 H265/90000\na=rtpmap:96 JPEG/90000",
                Some(97),
                Codec::H265,
            ),
            ("m=Video 0 RTP/AVP 96 \na=rtpmap: 96  HEVC / 90000", Some(96), Codec::H265),
            ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264", Some(96), Codec::H264),
            ("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\na=\na=:\na", Some(96), Codec::H264),
            ("m=video 0 RTP/AVP 35\na=fmtp:35 packetization-mode=1", Some(35), Codec::H264),
            ("m=video 0 RTP/AVP 98\na=fmtp:98 sprop-vps=QAE=", Some(98), Codec::H265),
            (
                "m=video 0 RTP/AVP 26\na=rtpmap:26 JPEG/90000\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000",
                Some(96),
                Codec::H264,
            ),
        ] {
            for text in [
                format!("v=0\no=\ns=\n{video}\n"),
                format!("\u{feff}v=0\r\ns= \r\n{}\r\n\0\0", video.replace('\n', "\r\n")),
                format!("o=- - - - - - -\r{}", video.replace('\n', "\r")),
            ] {
                let media = parse(text.as_bytes()).unwrap().media;
                assert_eq!((media.payload_type, media.codec), (payload_type, codec), "{text:?}");
                assert_eq!(media.clock_rate, 90_000);
            }
        }
    }

    #[test]
    fn broken_parameter_sets_are_left_out() {
        let sets = |text: &str| {
            let text = format!("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 {text}");
            parse(text.as_bytes()).unwrap().media.parameter_sets
        };
        let (sps, pps) = (vec![0x67, 0x42, 0, 0x29], vec![0x68, 0xce, 6, 0xe2]);
        assert_eq!(sets("sprop-parameter-sets=Z0IAKQ, aM4G4g=="), [sps.clone(), pps.clone()]);
        assert_eq!(sets("sprop-parameter-sets=Z0IAKQ==,"), std::slice::from_ref(&sps));
        assert_eq!(sets("x; sprop-parameter-sets=!!!,aM4G4g== ;y=1"), [pps]);
        assert_eq!(sets("sprop-parameter-sets=; "), Vec::<Vec<u8>>::new());
        assert_eq!(sets(""), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn what_is_of_no_use_says_why() {
        let unusable = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert_eq!(unusable(""), Unusable::NotADescription);
        assert_eq!(unusable("<html>no</html>"), Unusable::NotADescription);
        assert_eq!(unusable("v=0\nm=audio 0 RTP/AVP 0"), Unusable::NoVideo);
        assert_eq!(unusable("m=video 0 RTP/AVP 26"), Unusable::Codec("MJPEG".into()));
        assert_eq!(
            unusable("m=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000"),
            Unusable::Codec("MP4V-ES".into())
        );
        assert_eq!(
            unusable("m=video 0 RTP/AVP 96\na=rtpmap:96"),
            Unusable::Codec("an unnamed encoding".into())
        );
        assert_eq!(
            unusable("m=video 0 RTP/AVP 96\na=rtpmap:96 \u{1}/90000"),
            Unusable::Codec("an unnamed encoding".into())
        );
    }
}
