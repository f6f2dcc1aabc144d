//! Addresses as cameras and configurations write them.
//!
//! Pure. No part is encoded or decoded: cameras compare addresses letter by letter.

/// An RTSP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// `rtsp` or `rtsps`.
    scheme: String,
    /// Host, in brackets where it is an IPv6 address, and the port where one is written.
    authority: String,
    /// Path and query with the leading `/`; may be empty.
    path: String,
}

impl Url {
    /// Reads an absolute address. User and password in it are dropped.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "rtsp" | "rtsps" | "rtspt" | "rtspu") {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if authority.is_empty() || authority.contains(is_odd) || path.contains(is_odd) {
            return None;
        }
        let scheme = if scheme == "rtsps" { scheme } else { "rtsp".to_owned() };
        Some(Self { scheme, authority: authority.to_owned(), path: path.to_owned() })
    }

    pub(super) fn is_secure(&self) -> bool {
        self.scheme == "rtsps"
    }

    /// Host and port as a connection needs them, the port filled in.
    pub(super) fn host_and_port(&self) -> String {
        let has_port = match self.authority.rsplit_once(':') {
            Some((host, port)) => port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')),
            None => false,
        };
        let authority = self.authority.trim_end_matches(':');
        let port = if self.is_secure() { 322 } else { 554 };
        if has_port { authority.to_owned() } else { format!("{authority}:{port}") }
    }

    /// The same address at another host.
    pub(super) fn at(&self, other: &Self) -> Self {
        Self { path: self.path.clone(), ..other.clone() }
    }

    /// Address of `control` under this one, as players build it: a relative one is written behind a `/`.
    pub(super) fn join(&self, control: &str) -> Self {
        let control = control.trim();
        if control.is_empty() || control == "*" {
            return self.clone();
        }
        if let Some(absolute) = Self::parse(control) {
            return absolute;
        }
        let gap = if self.path.ends_with('/') { "" } else { "/" };
        Self { path: format!("{}{gap}{}", self.path, without_gaps(control)), ..self.clone() }
    }

    /// Address that a redirection from this one names; a relative one is resolved as RFC 3986 says.
    pub(super) fn redirected(&self, location: &str) -> Option<Self> {
        let location = location.trim();
        if location.is_empty() || location.contains("://") {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let path = self.path.split('?').next().unwrap_or_default();
        Some(match location.chars().next() {
            Some('/') => self.with_path(location),
            Some('?') => self.with_path(&format!("{path}{location}")),
            _ => {
                let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
                self.with_path(&format!("{folder}{}", location.trim_start_matches("./")))
            }
        })
    }

    /// Address of an absolute path at the same host.
    pub(super) fn with_path(&self, path: &str) -> Self {
        Self { path: without_gaps(path), ..self.clone() }
    }
}

/// The text as one word, which a request line needs.
fn without_gaps(text: &str) -> String {
    text.replace(' ', "%20").chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let gap = if path.starts_with('/') { "" } else { "/" };
        write!(f, "{}://{}{gap}{path}", self.scheme, self.authority)
    }
}

/// Base of a description's addresses, out of the Content-Base header and the address that was asked for.
///
/// Cameras leave the header empty, write the scheme twice or not at all, or give a path alone.
pub(super) fn base(header: Option<&str>, asked: &Url) -> Url {
    let Some(text) = header.map(|text| text.trim().trim_matches(['"', '<', '>'])) else {
        return asked.clone();
    };
    let bare = text.trim_start_matches("rtsp://").trim();
    if bare.is_empty() {
        return asked.clone();
    }
    if text.starts_with("rtsps://") {
        return Url::parse(text).unwrap_or_else(|| asked.clone());
    }
    if bare.starts_with('/') {
        return asked.with_path(bare);
    }
    match Url::parse(&format!("rtsp://{bare}")) {
        Some(base) if base.authority.contains(['.', ':']) || base.authority == asked.authority => base,
        // A word without a dot is no host: it is left out rather than asked for.
        _ => asked.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_port_is_found_or_filled_in() {
        for (text, wanted) in [
            ("rtsp://192.0.2.7/main", "192.0.2.7:554"),
            ("rtsp://192.0.2.7:8554/main?x=1", "192.0.2.7:8554"),
            ("rtsp://192.0.2.7:/main", "192.0.2.7:554"),
            ("rtsps://cam.lan/a/b", "cam.lan:322"),
            ("rtsp://[2001:db8::1]:8554/x", "[2001:db8::1]:8554"),
            ("rtsp://[2001:db8::1]/x", "[2001:db8::1]:554"),
            ("RTSP://user:p@ss@cam.lan", "cam.lan:554"),
        ] {
            assert_eq!(url(text).host_and_port(), wanted, "{text}");
        }
        for text in ["", "main", "http://a/b", "rtsp://", "rtsp:///x", "rtsp://a b/c", "rtsp://a/b c"] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_base_off_the_book_is_mended() {
        let asked = url("rtsp://192.0.2.7:8554/main");
        for (header, wanted) in [
            (None, "rtsp://192.0.2.7:8554/main"),
            (Some(""), "rtsp://192.0.2.7:8554/main"),
            (Some("rtsp://"), "rtsp://192.0.2.7:8554/main"),
            (Some("rtsp://192.0.2.7:8554/main/"), "rtsp://192.0.2.7:8554/main/"),
            (Some("rtsp://rtsp://192.0.2.7:8554/main/"), "rtsp://192.0.2.7:8554/main/"),
            (Some("192.0.2.7:8554/main/"), "rtsp://192.0.2.7:8554/main/"),
            (Some("/other/"), "rtsp://192.0.2.7:8554/other/"),
            (Some("rtsp://10.0.0.5:554/main/"), "rtsp://10.0.0.5:554/main/"),
            (Some("streaming"), "rtsp://192.0.2.7:8554/main"),
        ] {
            assert_eq!(base(header, &asked).to_string(), wanted, "{header:?}");
        }
    }

    #[test]
    fn redirections_lead_on_from_the_address_that_was_asked_for() {
        for (from, location, wanted) in [
            ("rtsp://a/live/main", "rtsp://b:8554/x", Some("rtsp://b:8554/x")),
            ("rtsp://a/live/main", "/other", Some("rtsp://a/other")),
            ("rtsp://a/live/main?x=1", "sub", Some("rtsp://a/live/sub")),
            ("rtsp://a/live/main", "./sub?y=2", Some("rtsp://a/live/sub?y=2")),
            ("rtsp://a/live/main?x=1", "?y=2", Some("rtsp://a/live/main?y=2")),
            ("rtsp://a", "sub", Some("rtsp://a/sub")),
            ("rtsp://a/main", "//b/main", Some("rtsp://b/main")),
            ("rtsp://a/main", " ", None),
            ("rtsp://a/main", "http://a/main", None),
        ] {
            let to = url(from).redirected(location).map(|to| to.to_string());
            assert_eq!(to.as_deref(), wanted, "{from} {location}");
        }
    }

    #[test]
    fn controls_are_joined_as_players_do() {
        for (base, control, wanted) in [
            ("rtsp://a/main", "trackID=0", "rtsp://a/main/trackID=0"),
            ("rtsp://a/main/", "trackID=0", "rtsp://a/main/trackID=0"),
            ("rtsp://a/r?channel=1&subtype=0", "trackID=0", "rtsp://a/r?channel=1&subtype=0/trackID=0"),
            ("rtsp://a/main", "*", "rtsp://a/main"),
            ("rtsp://a/main", "", "rtsp://a/main"),
            ("rtsp://a/main", "rtsp://b/t1", "rtsp://b/t1"),
            ("rtsp://a", "trackID=0", "rtsp://a/trackID=0"),
            ("rtsp://a/", "trackID=0", "rtsp://a/trackID=0"),
        ] {
            assert_eq!(url(base).join(control).to_string(), wanted, "{base} {control}");
        }
    }
}
