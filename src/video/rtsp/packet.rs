//! One RTP or RTCP packet as it arrived.

use crate::domain::time::Monotonic;

/// Kind of a packet, told from its own bytes: cameras mix up channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketKind {
    Rtp,
    Rtcp,
}

/// The way a packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Inside the RTSP connection: in order, none lost on the way.
    Tcp,
    /// As datagrams: may be reordered, repeated or lost.
    Udp,
}

/// A whole packet with its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub kind: PacketKind,
    pub arrival: Monotonic,
    pub data: Vec<u8>,
    pub transport: Transport,
}

impl PacketKind {
    /// Kind by RTP version and payload type (RFC 5761, section 4); `None` for what is neither.
    pub(crate) fn of(data: &[u8]) -> Option<Self> {
        let [first, second, ..] = data else { return None };
        if first >> 6 != 2 {
            return None;
        }
        Some(if (192..=223).contains(second) { Self::Rtcp } else { Self::Rtp })
    }
}
