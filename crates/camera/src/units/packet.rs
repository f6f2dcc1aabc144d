//! The border to the RTSP client: the camera's description of its video, and packets as they arrived.

use base::fragment::Codec;
use base::time::Monotonic;

/// The camera's description of its video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Media {
    pub codec: Codec,
    /// The RTP payload type of the video; `None` to take that of the first packet.
    pub payload_type: Option<u8>,
    /// RTP ticks per second.
    pub clock_rate: u32,
    /// NAL units without start codes.
    pub parameter_sets: Vec<Vec<u8>>,
}

/// Protocol of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketKind {
    Rtp,
    Rtcp,
}

/// Transport of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Inside the RTSP connection, in order.
    Tcp,
    /// As datagrams, which may be lost and change places.
    Udp,
}

/// One packet as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub kind: PacketKind,
    pub arrival: Monotonic,
    /// The packet with its header.
    pub data: Vec<u8>,
    pub transport: Transport,
}
