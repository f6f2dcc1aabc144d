//! Types that all crates share, and the small tools that need nothing else.
//!
//! Owns the words of the product: fragment, frame, detection, track, event, alert, status. Crates of one level do not know
//! each other; they meet in these types, on the channels of [`channel`] that `run` wires.
//!
//! Never here: I/O but the clock and [`text`] files, a thread, a decision. Everything else uses it; it uses nothing of the
//! project.

pub mod ack;
pub mod alert;
pub mod appearance;
pub mod backoff;
pub mod bitstream;
pub mod channel;
pub mod clock;
pub mod detection;
pub mod detector;
pub mod event;
pub mod fault;
pub mod fragment;
pub mod geometry;
pub mod ground;
pub mod ids;
pub mod language;
pub mod outbox;
pub mod picture;
pub mod progress;
pub mod reason;
pub mod secret;
pub mod static_object;
pub mod status;
pub mod still;
pub mod stream_pair;
pub mod text;
pub mod time;
pub mod track;
pub mod view_quality;
pub mod vitals;
pub mod zone;
