//! Samples out of RTP packets: depacketizing, parameter sets, access units, media times.
//!
//! Pure: no clock, no I/O. A packet that is wrong costs itself, and is counted; nothing here ends a session.

mod packet;
