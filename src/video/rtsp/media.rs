//! The video of a camera, as its description announces it.
//!
//! Made by [`sdp`](super::sdp). Parameter sets are passed on unread: what they hold is decided where samples are made.

use crate::domain::fragment::Codec;

/// A camera's video track, as far as samples are made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Media {
    pub codec: Codec,
    /// RTP payload type; `None` where the description names none.
    pub payload_type: Option<u8>,
    /// RTP clock units in a second; never 0.
    pub clock_rate: u32,
    /// NAL units of `sprop-parameter-sets`, `sprop-vps`, `sprop-sps` and `sprop-pps`. Broken base64 is left out.
    pub parameter_sets: Vec<Vec<u8>>,
}
