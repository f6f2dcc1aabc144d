//! Bounds of the page's server: what one client can take of it.

use std::time::Duration;

/// Maximum number of open connections. Others wait to be accepted.
pub const CONNECTIONS_MAX: usize = 512;
/// Maximum number of open connections from one address; a browser with a page open has six at most.
pub const ADDRESS_CONNECTIONS_MAX: usize = CONNECTIONS_MAX / 8;
/// Time within which a client sends the headers of a request.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Time within which a client sends the body of a request.
pub const BODY_WITHIN: Duration = Duration::from_secs(20);
/// Time within which TLS is agreed upon.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Time after which a client that takes no bytes is given up, in milliseconds.
pub const UNSENT_MAX_MS: u32 = 30_000;
/// Maximum length of the headers of a request, in bytes.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Maximum number of headers of a request.
pub const HEADERS_MAX: usize = 64;
/// Maximum length of a form, in bytes.
pub const FORM_BYTES_MAX: usize = 16 * 1024;
/// Maximum number of requests that work on the database at a time.
pub const WORKERS_MAX: usize = 8;
/// Time for which a request waits for its turn.
pub const TURN_WITHIN: Duration = Duration::from_secs(10);
