//! Owns the SQLite index as the writer has it: schema, migrations, and every statement that changes it.
//!
//! Never here: a clip file is read or written; a decision is made about deleting one.
//!
//! `write` changes segments, alerts and the outbox through [`Index`]; `recover` builds and repairs it; `read` has
//! connections of its own, and takes from here how columns are read.

mod alerts;
mod columns;
mod connection;
pub(crate) mod migrate;
mod outbox;
mod rows;
mod segments;
mod stills;
mod times;

pub(crate) use alerts::{AlertColumns, PinRow, parse_alert};
pub(crate) use columns::{Parsed, signed, unsigned};
pub(crate) use connection::Index;
pub(crate) use outbox::{Acknowledged, Acknowledgement, begin as begin_outbox, has_gone_back};
pub(crate) use rows::{Batch, FragmentRow, IndexedFragment, KnownSegment, Origin, SegmentRow};
pub(crate) use times::CorrectedTimes;
