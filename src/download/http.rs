//! HTTP GET with a range, and the answers of real servers.

use std::io::Read;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error, http};

use super::error::DownloadError;

/// Time for a connection; a server that takes longer counts as unreachable.
const CONNECT: Duration = Duration::from_secs(20);

/// A server's answer to a range.
pub(super) enum Answer {
    /// The file from its beginning, for any request.
    Whole { body: Box<dyn Read>, total: Option<u64> },
    /// The file from the byte that was asked for.
    Rest { body: Box<dyn Read>, total: Option<u64> },
    /// The file has no bytes beyond the received ones.
    Nothing,
}

/// Asks one address.
pub(super) struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    /// Trusts this machine's authorities; a server that is silent for longer than `silence` has broken the connection.
    pub fn new(url: &str, silence: Duration) -> Result<Self, DownloadError> {
        let secure = url.starts_with("https://");
        let found = if secure { rustls_native_certs::load_native_certs().certs } else { Vec::new() };
        if secure && found.is_empty() {
            return Err(DownloadError::NoAuthorities { url: url.to_owned() });
        }
        let roots: Vec<Certificate<'static>> =
            found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(wardlink::tls::provider())
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect does not lead out of TLS.
            .https_only(secure)
            .user_agent(concat!("wardwatch/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .tls_config(tls)
            .build();
        Ok(Self { agent: Agent::new_with_config(config), url: url.to_owned() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The file from byte `first` on, if the server does ranges.
    pub fn get(&self, first: u64) -> Result<Answer, DownloadError> {
        let mut request = self.agent.get(&self.url);
        if first > 0 {
            request = request.header("Range", format!("bytes={first}-"));
        }
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let remedy = match status {
            200 => {
                let total = number(response.headers(), "content-length");
                return Ok(Answer::Whole { body: reader(response), total });
            }
            206 => match range(response.headers()) {
                Some((start, total)) if start == first => {
                    return Ok(Answer::Rest { body: reader(response), total });
                }
                // Another part than was asked for: the whole file instead.
                _ if first > 0 => return self.get(0),
                _ => {
                    "it sends parts that nobody asked for: name a mirror with --url, or bring the file with --from"
                }
            },
            416 if first > 0 => return Ok(Answer::Nothing),
            404 | 410 => {
                "the file is not there: name its new address with --url, or bring the file with --from"
            }
            401 | 403 | 407 => {
                "it, or a proxy on the way, wants to know who asks: name a mirror with --url, or bring the file with --from"
            }
            429 | 500..=599 => "try again later, name a mirror with --url, or bring the file with --from",
            _ => "name a mirror with --url, or bring the file with --from",
        };
        Err(DownloadError::Refused { url: self.url.clone(), status, remedy })
    }

    fn unreachable(&self, error: &Error) -> DownloadError {
        DownloadError::Unreachable { url: self.url.clone(), problem: error.to_string() }
    }
}

fn reader(response: http::Response<Body>) -> Box<dyn Read> {
    Box::new(response.into_body().into_reader())
}

fn number(headers: &http::HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// First byte and length of the file in a header like `bytes 100-199/200`.
fn range(headers: &http::HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get("content-range")?.to_str().ok()?.trim();
    let (range, total) = text.strip_prefix("bytes")?.trim().split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, total.trim().parse().ok()))
}
