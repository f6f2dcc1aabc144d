//! Answers to requests: pages, pictures, redirections and faults, each with the headers that keep browsers from doing harm.

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use maud::Markup;

use crate::storage::StorageError;
use base::fault::{ErrorKind, chain};

/// Policy of all pages: nothing inline, nothing from elsewhere, no frame around them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
                      worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer of a handler.
#[derive(Debug)]
pub(super) struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers beside those of every answer.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    fn of(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Self { status, headers, body }
    }

    /// A page.
    pub fn page(markup: Markup) -> Self {
        Self::page_with(StatusCode::OK, markup)
    }

    /// A page with another status.
    pub fn page_with(status: StatusCode, markup: Markup) -> Self {
        Self::of(status, "text/html; charset=utf-8", markup.into_string().into_bytes())
    }

    /// A line of text.
    pub fn text(status: StatusCode, text: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    /// A file of this content type.
    pub fn file(kind: &'static str, body: Vec<u8>) -> Self {
        Self::of(StatusCode::OK, kind, body)
    }

    /// JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::of(StatusCode::OK, "application/json", value.to_string().into_bytes())
    }

    /// The browser goes on to a page of this server.
    pub fn go(path: &str) -> Self {
        let mut answer = Self::of(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Vec::new());
        answer = answer.with(header::LOCATION, path);
        answer
    }

    /// The same with one more header; a value that is none is left out.
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// The response with the headers of every answer.
    pub fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        guard(response.headers_mut());
        response
    }
}

/// Adds the headers of every answer.
pub(super) fn guard(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Reason for which a request is not served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    Anonymous,
    /// The PIN is asked for.
    #[error("the page is locked")]
    Locked,
    /// The role does not allow it.
    #[error("the role does not allow it")]
    Forbidden,
    /// The form did not come from this login's own page.
    #[error("the form is not from this login's page")]
    Foreign,
    /// There is no such thing.
    #[error("there is no such thing")]
    Nothing,
    /// The body is larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// The client sends its body too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// A field of the form or the query is missing or wrong.
    #[error("the field {0} is missing or wrong")]
    Field(&'static str),
    /// No turn came in time.
    #[error("no turn came in time")]
    Busy,
    /// A thread has panicked.
    #[error("a thread has panicked")]
    Defect,
    /// The database cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Fault {
    /// Status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Anonymous => StatusCode::UNAUTHORIZED,
            Self::Locked => StatusCode::LOCKED,
            Self::Forbidden | Self::Foreign => StatusCode::FORBIDDEN,
            Self::Nothing => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Field(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Defect => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Storage(error) => match error.kind() {
                ErrorKind::Transient => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::Exhausted => StatusCode::INSUFFICIENT_STORAGE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// Sentence for the officer, in Vietnamese and in English.
    pub fn sentence(&self) -> (&'static str, &'static str) {
        match self {
            Self::Anonymous => ("Bạn chưa đăng nhập.", "You are not logged in."),
            Self::Locked => ("Màn hình đang khóa. Hãy nhập mã PIN.", "The page is locked. Enter your PIN."),
            Self::Forbidden => {
                ("Tài khoản của bạn không có quyền này.", "Your account does not have this right.")
            }
            Self::Foreign => (
                "Yêu cầu không đến từ trang này. Hãy tải lại trang rồi thử lại.",
                "The request did not come from this page. Load the page again and try once more.",
            ),
            Self::Nothing => ("Không tìm thấy nội dung này.", "There is no such thing here."),
            Self::TooLarge => ("Dữ liệu gửi lên quá lớn.", "Too much was sent."),
            Self::TooSlow => ("Dữ liệu gửi lên quá chậm.", "The data came too slowly."),
            Self::Field(_) => {
                ("Biểu mẫu thiếu hoặc sai thông tin.", "A field of the form is missing or wrong.")
            }
            Self::Busy => (
                "Máy chủ đang bận. Chưa có gì bị mất; hãy thử lại.",
                "The server is busy. Nothing is lost; try again.",
            ),
            Self::Defect => (
                "Máy chủ gặp lỗi. Cảnh báo vẫn được nhận và lưu.",
                "The server has made an error. Alerts are still received and stored.",
            ),
            Self::Storage(error) => match error.kind() {
                ErrorKind::Transient => (
                    "Cơ sở dữ liệu đang bận. Chưa có gì bị mất; hãy thử lại.",
                    "The database is busy. Nothing is lost; try again.",
                ),
                ErrorKind::Exhausted => (
                    "Ổ đĩa không ghi được. Thao tác vừa rồi chưa được lưu; hãy báo người quản trị.",
                    "The disk takes no writes. This step is not stored; tell the administrator.",
                ),
                _ => (
                    "Không đọc được cơ sở dữ liệu. Hãy báo người quản trị.",
                    "The database cannot be read. Tell the administrator.",
                ),
            },
        }
    }

    /// Logs faults of the server; those of clients are no news.
    pub fn log(&self, path: &str) {
        match self {
            Self::Storage(error) => tracing::error!("the page cannot serve {path}: {}", chain(error)),
            Self::Busy => tracing::warn!("the page did not serve {path}: all its connections are in use"),
            Self::Defect => tracing::error!("the page did not serve {path}: its thread panicked"),
            Self::Foreign => tracing::warn!("a form for {path} came from another site, and was refused"),
            _ => tracing::debug!("{path} is not served: {self}"),
        }
    }
}
