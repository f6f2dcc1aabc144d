//! Packets and messages on one connection (RFC 2326, section 10.12), also where stray bytes lie between them.
//!
//! Pure: bytes in, pieces out, a bounded buffer between. A `$` alone proves nothing, since encoded video holds it too:
//! where the order is lost, a packet counts only if it looks like RTP and something plausible follows it.

use super::super::units::PacketKind;
use super::message::{self, BODY_BYTES_MAX, HEAD_BYTES_MAX, Message, Parsed};

/// Most that is read at once.
const READ_BYTES: usize = 64 * 1024;
/// The largest packet with its four bytes in front.
const FRAME_BYTES_MAX: usize = 4 + 65535;
/// Longest unfinished piece. More that cannot be told apart is skipped.
const WAITING_BYTES_MAX: usize = FRAME_BYTES_MAX + HEAD_BYTES_MAX + BODY_BYTES_MAX;
/// Bytes of a packet that tell whether it is one: `$`, channel, length, and RTP's version and payload type.
const SIGNATURE_BYTES: usize = 6;

/// Delivery of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Frame { channel: u8, data: Vec<u8> },
    Message(Message),
}

/// Kind of a packet by RTP version and payload type (RFC 5761, section 4), since cameras mix up channels; `None` for
/// what is neither.
pub(super) fn kind_of(data: &[u8]) -> Option<PacketKind> {
    let [first, second, ..] = data else { return None };
    if first >> 6 != 2 {
        return None;
    }
    Some(if (192..=223).contains(second) { PacketKind::Rtcp } else { PacketKind::Rtp })
}

/// Packets that were agreed upon: the target of resynchronisation.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    pub channels: Vec<u8>,
    pub payload_type: Option<u8>,
}

impl Expected {
    /// True if this is the beginning of an agreed packet, or of one with a payload type that came before. `start` has
    /// [`SIGNATURE_BYTES`].
    fn matches(&self, start: &[u8], seen_types: u128) -> bool {
        let [b'$', channel, _, _, rtp @ ..] = start else { return false };
        let is_payload = match (kind_of(rtp), self.payload_type) {
            (None, _) => false,
            (Some(PacketKind::Rtp), Some(payload_type)) => {
                let found = rtp[1] & 0x7f;
                found == payload_type || seen_types >> found & 1 == 1
            }
            _ => true,
        };
        self.channels.contains(channel) && is_payload
    }
}

/// True if a piece begins here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    Yes,
    No,
    NeedsMore,
}

/// Takes a connection's bytes apart.
#[derive(Debug)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    expected: Expected,
    skipped_bytes: u64,
    /// Payload types of packets that came in order, a bit for each.
    seen_types: u128,
    /// Stray bytes came last: the next piece must prove itself.
    is_lost: bool,
}

impl Framer {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            expected: Expected::default(),
            skipped_bytes: 0,
            seen_types: 0,
            is_lost: false,
        }
    }

    pub(super) fn expect(&mut self, expected: Expected) {
        self.expected = expected;
    }

    /// Bytes that belonged to nothing.
    pub(super) fn skipped_bytes(&self) -> u64 {
        self.skipped_bytes
    }

    /// Room for the next bytes; [`filled`](Self::filled) says how many came.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < READ_BYTES / 2 {
            self.buffer.resize(self.end + READ_BYTES, 0);
        }
        &mut self.buffer[self.end..]
    }

    pub(super) fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.buffer.len());
    }

    #[cfg(test)]
    fn push(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(READ_BYTES / 4) {
            self.room()[..part.len()].copy_from_slice(part);
            self.filled(part.len());
        }
    }

    fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The next whole piece; `None` until more bytes come.
    pub(super) fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if self.is_lost {
                if !self.find() {
                    return None;
                }
                self.is_lost = false;
            }
            while matches!(self.data().first(), Some(b'\r' | b'\n')) {
                self.start += 1;
            }
            let step = if *self.data().first()? == b'$' { self.frame() } else { self.message() };
            match step {
                Step::Whole(piece) => return Some(piece),
                Step::NeedsMore => return None,
                Step::Again => {}
                Step::Stray => self.is_lost = true,
            }
        }
    }

    /// A message at the start of the data.
    fn message(&mut self) -> Step {
        match message::parse(self.data()) {
            Parsed::Head(head, head_bytes) => {
                let body = &self.data()[head_bytes..];
                let announced = head.content_length().filter(|bytes| *bytes <= BODY_BYTES_MAX);
                // Some announce a body that never comes, and go on with packets.
                let wanted = if self.is_frame_start(body) { 0 } else { announced.unwrap_or(0) };
                if body.len() < wanted {
                    return Step::NeedsMore;
                }
                let message = Message { head, body: body[..wanted].to_vec() };
                self.start += head_bytes + wanted;
                Step::Whole(Piece::Message(message))
            }
            Parsed::NeedsMore => Step::NeedsMore,
            Parsed::Not => Step::Stray,
        }
    }

    /// True if a message is there but for a part of its body.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(message::parse(self.data()), Parsed::Head(..))
    }

    /// The message that is still waited for, with as much of its body as has come.
    pub(super) fn unfinished_message(&mut self) -> Option<Message> {
        let Parsed::Head(head, head_bytes) = message::parse(self.data()) else { return None };
        let body = self.data()[head_bytes..].to_vec();
        self.start = self.end;
        Some(Message { head, body })
    }

    /// Takes data behind a message that is neither packet nor message: the rest of a body that was announced too
    /// short, or not at all.
    pub(super) fn trailing_text(&mut self) -> Vec<u8> {
        let data = self.data();
        if matches!(data.first(), None | Some(b'$')) || message::starts(data) != Some(false) {
            return Vec::new();
        }
        let text: Vec<u8> = data.iter().copied().take(BODY_BYTES_MAX).collect();
        self.start += text.len();
        text
    }

    /// A packet at the start of the data, where the order was not lost so far.
    fn frame(&mut self) -> Step {
        let data = self.data();
        let [_, channel, high, low, ..] = *data else { return Step::NeedsMore };
        let bytes = 4 + usize::from(u16::from_be_bytes([high, low]));
        let is_agreed = self.expected.channels.contains(&channel)
            && (bytes < SIGNATURE_BYTES || data.get(4).is_none_or(|first| first >> 6 == 2));
        // A stray `$` must not swallow the data behind it, nor hold it up.
        if !is_agreed && matches!(self.search(4, bytes), Search::Found(_)) {
            return Step::Stray;
        }
        if data.len() < bytes {
            return Step::NeedsMore;
        }
        match self.beginning(&data[bytes..]) {
            Beginning::Yes | Beginning::NeedsMore => {}
            Beginning::No if !is_agreed => return Step::Stray,
            // Stray bytes follow the packet, unless its length lied and the next one begins inside it.
            Beginning::No => {
                if let Search::Found(at) = self.search(4, bytes) {
                    self.skip(at);
                    return Step::Again;
                }
            }
        }
        let data = self.data()[4..bytes].to_vec();
        if is_agreed && kind_of(&data) == Some(PacketKind::Rtp) {
            self.seen_types |= 1 << (data[1] & 0x7f);
        }
        let piece = Piece::Frame { channel, data };
        self.start += bytes;
        Step::Whole(piece)
    }

    /// True if a packet or a message may begin here; nothing yet is no objection.
    fn beginning(&self, bytes: &[u8]) -> Beginning {
        match bytes {
            [] | [b'$'] => Beginning::NeedsMore,
            [b'\r' | b'\n', ..] => Beginning::Yes,
            [b'$', channel, ..] if self.expected.channels.is_empty() => {
                if *channel < 32 {
                    Beginning::Yes
                } else {
                    Beginning::No
                }
            }
            [b'$', ..] if self.is_frame_start(bytes) => Beginning::Yes,
            [b'$', channel, ..] if self.expected.channels.contains(channel) => Beginning::Yes,
            [b'$', ..] => Beginning::No,
            _ => match message::starts(bytes) {
                Some(true) => Beginning::Yes,
                Some(false) => Beginning::No,
                None => Beginning::NeedsMore,
            },
        }
    }

    /// True if this looks like a packet of any channel.
    fn is_frame_start(&self, bytes: &[u8]) -> bool {
        bytes.first() == Some(&b'$')
            && match bytes.get(..SIGNATURE_BYTES) {
                Some(start) => kind_of(&start[4..]).is_some(),
                None => bytes.get(1).is_some_and(|channel| self.expected.channels.contains(channel)),
            }
    }

    /// Skips to where something plausible begins; `false` until more bytes come.
    fn find(&mut self) -> bool {
        // The byte that is first now was looked at when the order was lost.
        match self.search(1, self.data().len()) {
            Search::Found(at) => {
                self.skip(at);
                true
            }
            Search::Maybe(at) => {
                // It stays the first byte's turn: the data before it is skipped but for one.
                self.skip(at.saturating_sub(1));
                if self.data().len() > WAITING_BYTES_MAX {
                    self.skip(1);
                }
                false
            }
        }
    }

    /// Looks for a beginning from `from` on, before `to`.
    fn search(&self, from: usize, to: usize) -> Search {
        let data = self.data();
        let mut maybe = None;
        for at in from..to.min(data.len()) {
            let rest = &data[at..];
            let verdict = match rest[0] {
                b'$' => self.proven(rest),
                b'R' | b'r' | b'H' | b'O' | b'G' | b'S' | b'A' | b'T' | b'P' | b'D' => {
                    match message::starts(rest) {
                        Some(true) => Beginning::Yes,
                        Some(false) => Beginning::No,
                        None => Beginning::NeedsMore,
                    }
                }
                _ => Beginning::No,
            };
            match verdict {
                Beginning::Yes => return Search::Found(at),
                Beginning::NeedsMore => maybe = maybe.or(Some(at)),
                Beginning::No => {}
            }
        }
        Search::Maybe(maybe.unwrap_or(data.len()))
    }

    /// True if a packet begins here, by its own look and by the data that follows.
    fn proven(&self, bytes: &[u8]) -> Beginning {
        let Some(start) = bytes.get(..SIGNATURE_BYTES) else { return Beginning::NeedsMore };
        if !self.expected.matches(start, self.seen_types) {
            return Beginning::No;
        }
        let end = 4 + usize::from(u16::from_be_bytes([start[2], start[3]]));
        if end < SIGNATURE_BYTES {
            return Beginning::No;
        }
        match bytes.get(end..) {
            None => Beginning::NeedsMore,
            Some([]) => Beginning::Yes,
            Some(next) => self.beginning(next),
        }
    }

    fn skip(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.skipped_bytes += bytes as u64;
    }
}

/// Outcome of a look at the start of the data.
enum Step {
    Whole(Piece),
    NeedsMore,
    /// Something was skipped: the start is another one.
    Again,
    /// Nothing of ours begins here.
    Stray,
}

/// Outcome of a search for the next beginning.
#[derive(Debug, PartialEq, Eq)]
enum Search {
    Found(usize),
    /// Nothing certain; something from here on may turn out to be a beginning when more has come.
    Maybe(usize),
}

#[cfg(test)]
mod tests;
