//! Style, scripts and icon, embedded in the program.

use axum::http::{StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Fault};
use super::call::Call;
use crate::people::secret::hexadecimal;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, content type and contents of each file.
const FILES: &[(&str, &str, &[u8])] = &[
    ("/assets/page.css", "text/css; charset=utf-8", include_bytes!("assets/page.css")),
    ("/assets/page.js", SCRIPT, include_bytes!("assets/page.js")),
    ("/assets/feed.js", SCRIPT, include_bytes!("assets/feed.js")),
    ("/assets/lock.js", SCRIPT, include_bytes!("assets/lock.js")),
    ("/assets/sound.js", SCRIPT, include_bytes!("assets/sound.js")),
    ("/assets/map.js", SCRIPT, include_bytes!("assets/map.js")),
    ("/assets/icon.svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
];

/// The file of this path. A browser asks each time if it is still the same.
pub(super) fn serve(call: &mut Call<'_>) -> Result<Answer, Fault> {
    let file = FILES.iter().find(|(path, ..)| *path == call.asked.path);
    let (_, kind, contents) = file.ok_or(Fault::Nothing)?;
    let tag = format!("\"{}\"", &hexadecimal(&Sha256::digest(contents))[..16]);
    let known = call.asked.headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let mut answer = Answer::file(kind, contents.to_vec());
    if known == Some(&tag) {
        answer = Answer { status: StatusCode::NOT_MODIFIED, body: Vec::new(), ..answer };
    }
    Ok(answer.with(header::ETAG, &tag).with(header::CACHE_CONTROL, "no-cache"))
}
