//! Packets as datagrams: a pair of ports, and the reports that cameras expect to hear now and then (RFC 3550).
//!
//! Datagrams are taken from the camera's own address; from another one only where the camera names it, or sends nothing
//! itself. [`Reception`] is pure.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::super::units::{Media, Packet, PacketKind, Transport};
use super::error::RtspError;
use super::interleaved::kind_of;
use base::time::Monotonic;

/// Time between two receiver reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Tries to find two free ports side by side.
const PAIR_TRIES: u32 = 50;
/// Most datagrams that are taken at once.
const BATCH_MAX: usize = 512;
/// Silence of the camera's own address after which its packets may come from another one.
const SILENCE: Duration = Duration::from_secs(1);
/// Packets in a row from one other address that make it the camera's.
const STRANGER_PACKETS_MIN: u32 = 16;
/// Receive buffer that is asked for: a key frame of 1 MiB. The kernel may give less.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Two neighbouring ports, the first one even.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// Addresses whose datagrams are taken.
    sources: Vec<IpAddr>,
    /// A packet of the stream has been taken.
    has_come: bool,
    bound_at: Monotonic,
    /// Other address whose packets look like the stream's, and their number.
    stranger: Option<(IpAddr, u32)>,
    /// Destination of reports; learned from the camera's own datagrams where its reply does not say.
    reports_to: Option<SocketAddr>,
    reception: Reception,
    next_report: Monotonic,
    buffer: Vec<u8>,
}

impl Ports {
    /// Binds a pair at the box's own address towards the camera.
    pub(super) fn bind(local: IpAddr, camera: IpAddr, now: Monotonic) -> Result<Self, RtspError> {
        let no_port = |source| RtspError::NoPort { source };
        let mut last = ErrorKind::AddrInUse.into();
        for _ in 0..PAIR_TRIES {
            let first = UdpSocket::bind((local, 0)).map_err(no_port)?;
            let port = first.local_addr().map_err(no_port)?.port();
            // The partner of an odd port is the even one below it.
            match UdpSocket::bind((local, port ^ 1)) {
                Ok(second) => {
                    let (rtp, rtcp) = if port % 2 == 0 { (first, second) } else { (second, first) };
                    for socket in [&rtp, &rtcp] {
                        socket.set_nonblocking(true).map_err(no_port)?;
                    }
                    // Less room costs packets in the worst case, which the report of lost ones shows.
                    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&rtp, BUFFER_BYTES);
                    let reception = Reception::new(rand::random());
                    let sources = vec![camera.to_canonical()];
                    let buffer = vec![0; 65536];
                    return Ok(Self {
                        rtp,
                        rtcp,
                        sources,
                        has_come: false,
                        bound_at: now,
                        stranger: None,
                        reports_to: None,
                        reception,
                        next_report: now,
                        buffer,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(no_port(last))
    }

    /// The ports' numbers as SETUP names them.
    pub(super) fn numbers(&self) -> (u16, u16) {
        let port = |socket: &UdpSocket| socket.local_addr().map_or(0, |address| address.port());
        (port(&self.rtp), port(&self.rtcp))
    }

    /// Takes up the camera's side, and opens the way through filters of datagrams in between.
    pub(super) fn agree(&mut self, camera: IpAddr, server_ports: Option<(u16, u16)>, source: Option<&str>) {
        let source = source.and_then(|text| text.parse::<IpAddr>().ok());
        if let Some(source) = source.filter(|source| !source.is_unspecified() && !source.is_multicast()) {
            self.sources.push(source.to_canonical());
        }
        if let Some((rtp, rtcp)) = server_ports.filter(|(rtp, _)| *rtp > 0) {
            let to = SocketAddr::new(camera, rtcp);
            self.reports_to = Some(to);
            // Lost ones are made up for by the camera's own datagrams.
            let _ = self.rtp.send_to(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], SocketAddr::new(camera, rtp));
            let _ = self.rtcp.send_to(&self.reception.empty_report(), to);
        }
    }

    /// Takes the data that has arrived. Gives the bytes taken and the datagrams that were not the camera's.
    pub(super) fn receive(
        &mut self,
        now: Monotonic,
        media: &Media,
        packets: &mut Vec<Packet>,
    ) -> (usize, u64) {
        let (mut bytes, mut foreign) = (0, 0);
        for _ in 0..BATCH_MAX {
            let received = self.rtp.recv_from(&mut self.buffer).map(|(len, from)| (len, from, true));
            let received = match received {
                Err(_) => self.rtcp.recv_from(&mut self.buffer).map(|(len, from)| (len, from, false)),
                some => some,
            };
            let Ok((len, from, is_rtp_port)) = received else { break };
            let kind = kind_of(&self.buffer[..len]);
            let address = from.ip().to_canonical();
            let is_media = is_rtp_port && kind == Some(PacketKind::Rtp) && {
                let found = self.buffer[1] & 0x7f;
                media.payload_type.is_none_or(|payload_type| payload_type == found)
            };
            let is_known = self.sources.contains(&address) || (is_media && self.admits(address, now));
            let Some(kind) = kind.filter(|_| is_known) else {
                foreign += 1;
                continue;
            };
            let data = &self.buffer[..len];
            self.has_come |= is_media;
            bytes += len;
            if self.reports_to.is_none() {
                let port = if is_rtp_port { from.port().wrapping_add(1) } else { from.port() };
                self.reports_to = Some(SocketAddr::new(from.ip(), port));
            }
            self.reception.arrived(kind, data, now, media.clock_rate);
            packets.push(Packet { kind, arrival: now, data: data.to_vec(), transport: Transport::Udp });
        }
        (bytes, foreign)
    }

    /// Admits another address as the camera's, where the camera itself sends nothing: some have a second interface and do not
    /// name it in `source`.
    fn admits(&mut self, address: IpAddr, now: Monotonic) -> bool {
        if self.has_come || now.since(self.bound_at) < SILENCE {
            return false;
        }
        let before = self.stranger.filter(|(known, _)| *known == address).map_or(0, |(_, count)| count);
        self.stranger = Some((address, before + 1));
        let is_admitted = before + 1 >= STRANGER_PACKETS_MIN;
        if is_admitted {
            self.sources.push(address);
        }
        is_admitted
    }

    /// Sends a receiver report, where one is due.
    pub(super) fn report(&mut self, now: Monotonic) {
        let Some(to) = self.reports_to.filter(|_| now >= self.next_report) else { return };
        self.next_report = now + REPORT_INTERVAL;
        let report = self.reception.report(now);
        // One that is lost is followed by the next.
        let _ = self.rtcp.send_to(&report, to);
    }
}

/// Part of a receiver report about the packets of one source.
#[derive(Debug)]
pub(super) struct Reception {
    own: u32,
    source: Option<Source>,
    /// Middle bits of the last sender report's time, and its arrival.
    last_sender_report: Option<(u32, Monotonic)>,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    first: u32,
    highest: u32,
    received: u32,
    /// Expected and received at the last report.
    before: (u32, u32),
    /// RTP time minus arrival in RTP clock units, of the packet before; and the mean of its changes.
    transit: u32,
    jitter: f64,
}

impl Reception {
    fn new(own: u32) -> Self {
        Self { own, source: None, last_sender_report: None }
    }

    fn arrived(&mut self, kind: PacketKind, data: &[u8], now: Monotonic, clock_rate: u32) {
        let word = |at: usize| {
            let bytes: [u8; 4] = data.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        if kind == PacketKind::Rtcp {
            if let (Some(200), Some(high), Some(low)) = (data.get(1), word(8), word(12)) {
                self.last_sender_report = Some(((high << 16) | (low >> 16), now));
            }
            return;
        }
        let (Some(head), Some(time), Some(ssrc)) = (word(0), word(4), word(8)) else { return };
        let sequence = head & 0xffff;
        let arrival = u128::from(now.as_nanos()) * u128::from(clock_rate) / 1_000_000_000;
        let transit = (arrival as u32).wrapping_sub(time);
        match self.source.as_mut().filter(|source| source.ssrc == ssrc) {
            Some(source) => {
                let ahead = sequence.wrapping_sub(source.highest) & 0xffff;
                if ahead < 0x8000 {
                    source.highest = source.highest.wrapping_add(ahead);
                }
                source.received = source.received.wrapping_add(1);
                let change = f64::from(transit.wrapping_sub(source.transit).cast_signed().unsigned_abs());
                source.jitter += (change - source.jitter) / 16.0;
                source.transit = transit;
            }
            None => {
                self.source = Some(Source {
                    ssrc,
                    first: sequence,
                    highest: sequence,
                    received: 1,
                    before: (0, 0),
                    transit,
                    jitter: 0.0,
                });
            }
        }
    }

    /// A report without a source.
    fn empty_report(&self) -> Vec<u8> {
        [&[0x80, 201, 0, 1], &self.own.to_be_bytes()[..]].concat()
    }

    /// A report of the present source, with the name that RFC 3550 wants beside it.
    fn report(&mut self, now: Monotonic) -> Vec<u8> {
        let mut report = match &mut self.source {
            None => self.empty_report(),
            Some(source) => {
                let expected = source.highest.wrapping_sub(source.first).wrapping_add(1);
                let lost = i64::from(expected) - i64::from(source.received);
                let expected_now = expected.wrapping_sub(source.before.0);
                let lost_now =
                    i64::from(expected_now) - i64::from(source.received.wrapping_sub(source.before.1));
                source.before = (expected, source.received);
                let fraction =
                    if expected_now == 0 { 0 } else { lost_now.max(0) * 256 / i64::from(expected_now) };
                let lost = lost.clamp(-0x80_0000, 0x7f_ffff) & 0xff_ffff;
                let loss = (fraction.min(255) << 24) | lost;
                let (last, delay) = self.last_sender_report.map_or((0, 0), |(middle, at)| {
                    (
                        middle,
                        u32::try_from(now.since(at).as_nanos() * 65536 / 1_000_000_000).unwrap_or(u32::MAX),
                    )
                });
                let words = [
                    self.own,
                    source.ssrc,
                    u32::try_from(loss).unwrap_or(0),
                    source.highest,
                    source.jitter as u32,
                    last,
                    delay,
                ];
                let mut report = vec![0x81, 201, 0, 7];
                report.extend(words.iter().flat_map(|word| word.to_be_bytes()));
                report
            }
        };
        report.extend([0x81, 202, 0, 5]);
        report.extend(self.own.to_be_bytes());
        report.extend(b"\x01\x09wardwatch\0\0\0\0\0");
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::fragment::Codec;

    fn rtp(sequence: u16, time: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend([0, 0, 0, 7]);
        packet
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic::default() + Duration::from_millis(millis)
    }

    fn word(report: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(report[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn loss_and_sequence_are_reported_over_the_wrap() {
        let mut reception = Reception::new(9);
        for (number, sequence) in [65533_u16, 65534, 1, 0, 3].into_iter().enumerate() {
            let packet = rtp(sequence, number as u32 * 3600);
            reception.arrived(PacketKind::Rtp, &packet, at(number as u64 * 40), 90_000);
        }
        let report = reception.report(at(200));
        // 65533 to 65539: seven expected, five received.
        assert_eq!((report[1], word(&report, 8)), (201, 7));
        assert_eq!(word(&report, 12), ((2 * 256 / 7) << 24) | 2);
        assert_eq!(word(&report, 16), 65539);
        assert_eq!(word(&report, 20), 0, "no jitter");
        assert_eq!(report.len() % 4, 0);
        assert_eq!(usize::from(report[35]) * 4 + 4, report.len() - 32, "the name's length");
        let again = reception.report(at(300));
        assert_eq!(word(&again, 12), 2, "nothing was lost since");
    }

    #[test]
    fn the_last_sender_report_is_answered_with_its_age() {
        let mut reception = Reception::new(9);
        reception.arrived(PacketKind::Rtp, &rtp(1, 0), at(0), 90_000);
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 7];
        report.extend([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
        reception.arrived(PacketKind::Rtcp, &report, at(1000), 90_000);
        let answer = reception.report(at(1500));
        assert_eq!((word(&answer, 24), word(&answer, 28)), (0x3344_5566, 32768));
    }

    #[test]
    fn a_pair_of_ports_takes_the_cameras_datagrams_alone() {
        let home: IpAddr = "127.0.0.1".parse().unwrap();
        let mut ports = Ports::bind(home, home, at(0)).unwrap();
        let (rtp_port, rtcp_port) = ports.numbers();
        assert_eq!((rtp_port % 2, rtcp_port), (0, rtp_port + 1));
        let camera = UdpSocket::bind((home, 0)).unwrap();
        let stranger = UdpSocket::bind(("127.0.0.2", 0)).unwrap();
        camera.send_to(&rtp(1, 0), (home, rtp_port)).unwrap();
        camera.send_to(b"hello", (home, rtp_port)).unwrap();
        stranger.send_to(&rtp(2, 0), (home, rtp_port)).unwrap();
        let (mut packets, mut foreign) = (Vec::new(), 0);
        let media = Media {
            codec: Codec::H264,
            payload_type: Some(96),
            clock_rate: 90_000,
            parameter_sets: Vec::new(),
        };
        while packets.is_empty() || foreign < 2 {
            foreign += ports.receive(at(0), &media, &mut packets).1;
        }
        assert_eq!((packets.len(), &packets[0].data), (1, &rtp(1, 0)));
        // However many there are, and however long the camera is silent after that.
        for number in 3..100 {
            stranger.send_to(&rtp(number, 0), (home, rtp_port)).unwrap();
        }
        while foreign < 99 {
            foreign += ports.receive(at(60_000), &media, &mut packets).1;
        }
        assert_eq!(packets.len(), 1);
    }
}
