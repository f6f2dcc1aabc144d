//! Samples out of RTP packets: depacketizing, parameter sets, access units, media times.
//!
//! Pure: no clock, no I/O. A packet that is wrong costs itself, and is counted; nothing here ends a session. The RTSP
//! client pushes packets into an [`Assembler`]; parsers of GStreamer push access units into a [`Repackager`].

mod build;
mod counts;
mod depacketize;
mod packet;
mod rtp;
mod sei;
mod sequence;
#[cfg(test)]
mod tests;
mod time;
mod unit;

pub(crate) use build::{Access, Sample};
pub(crate) use counts::Counts;
pub(crate) use packet::{Media, Packet, PacketKind, Transport};

use build::Builder;
use depacketize::Depacketizer;
use rtp::{Header, SenderReport};
use sequence::{Ordered, Sequence};
use time::{Placed, Times};
use unit::{AccessUnit, Collector};

use base::bitstream::nal::{self, Role};
use base::fragment::Codec;
use base::time::Monotonic;

/// So many packets of one other payload type in a row, and none of the described one, are the video.
const FOREIGN_MAX: u32 = 64;

/// Makes samples of the packets of one session.
#[derive(Debug)]
pub(crate) struct Assembler {
    payload_type: Option<u8>,
    /// A payload type that was not described, and how many of its packets came in a row.
    other: Option<(u8, u32)>,
    source: Option<u32>,
    sequence: Sequence,
    line: Line,
}

/// State behind the order of packets.
#[derive(Debug)]
struct Line {
    depacketizer: Depacketizer,
    collector: Collector,
    builder: Builder,
    times: Times,
    counts: Counts,
    latest: Option<Latest>,
}

/// Facts of the latest packet.
#[derive(Debug, Clone, Copy)]
struct Latest {
    time: u32,
    marker: bool,
    arrival: Monotonic,
}

impl Assembler {
    /// An assembler of the video that `media` describes.
    pub(crate) fn new(media: &Media) -> Self {
        let mut counts = Counts::default();
        let builder = Builder::new(media.codec, &media.parameter_sets, &mut counts);
        Self {
            payload_type: media.payload_type,
            other: None,
            source: None,
            sequence: Sequence::default(),
            line: Line {
                depacketizer: Depacketizer::new(media.codec),
                collector: Collector::new(media.codec),
                builder,
                times: Times::new(media.clock_rate),
                counts,
                latest: None,
            },
        }
    }

    /// Takes a packet; adds the samples that it completes to `samples`.
    pub(crate) fn push(&mut self, packet: &Packet, samples: &mut Vec<Sample>) {
        self.line.counts.packets += 1;
        match packet.kind {
            PacketKind::Rtcp => {
                if let Some(report) = SenderReport::find(&packet.data)
                    && self.source.is_none_or(|source| source == report.source)
                {
                    self.line.times.report(report);
                }
            }
            PacketKind::Rtp => match Header::read(&packet.data) {
                Some(header) if self.is_wanted(&header) => self.take(header, packet, samples),
                Some(header) => self.pass_over(&header, packet, samples),
                None => self.line.counts.malformed += 1,
            },
        }
    }

    /// Adds units that wait for their end: nothing more comes.
    pub(crate) fn finish(&mut self, samples: &mut Vec<Sample>) {
        let Self { sequence, line, .. } = self;
        let mut ordered = Vec::new();
        sequence.release_all(&mut line.counts, &mut |packet| ordered.push(packet));
        ordered.into_iter().for_each(|packet| line.take(&packet, samples));
        line.finish(samples);
    }

    /// Counts of the input that was skipped so far.
    pub(crate) fn counts(&self) -> Counts {
        self.line.counts
    }

    /// True if a packet's payload type is that of the video.
    fn is_wanted(&mut self, header: &Header) -> bool {
        let wanted = *self.payload_type.get_or_insert(header.payload_type);
        if header.payload_type == wanted {
            self.other = None;
            return true;
        }
        let count = match self.other {
            Some((other, count)) if other == header.payload_type => count + 1,
            _ => 1,
        };
        self.other = Some((header.payload_type, count));
        if count < FOREIGN_MAX {
            return false;
        }
        self.payload_type = Some(header.payload_type);
        true
    }

    /// Takes a packet that is not the video's, but may have one of its numbers.
    fn pass_over(&mut self, header: &Header, packet: &Packet, samples: &mut Vec<Sample>) {
        let Self { sequence, line, source, .. } = self;
        line.counts.foreign += 1;
        if *source == Some(header.source) {
            let mut ordered = Vec::new();
            let pass = &mut |packet: Ordered| ordered.push(packet);
            sequence.pass_over(header.sequence, packet.arrival, packet.transport, &mut line.counts, pass);
            ordered.into_iter().for_each(|packet| line.take(&packet, samples));
        }
    }

    fn take(&mut self, header: Header, packet: &Packet, samples: &mut Vec<Sample>) {
        let Self { sequence, line, source, .. } = self;
        let mut ordered = Vec::new();
        if source.replace(header.source).is_some_and(|before| before != header.source) {
            // The same stream goes on under another number; only if its packets do not follow each other, something is
            // missing, which cannot be told from here.
            line.counts.source_changes += 1;
            let goes_on = sequence.expects(header.sequence);
            if !goes_on {
                sequence.restart(&mut line.counts, &mut |packet| ordered.push(packet));
            }
            line.times.source_changed();
        }
        let pass = &mut |packet: Ordered| ordered.push(packet);
        sequence.take(header, packet.data.clone(), packet.arrival, packet.transport, &mut line.counts, pass);
        ordered.into_iter().for_each(|packet| line.take(&packet, samples));
    }
}

impl Line {
    fn take(&mut self, packet: &Ordered, samples: &mut Vec<Sample>) {
        let Self { depacketizer, collector, counts, latest, .. } = self;
        let (header, arrival) = (&packet.header, packet.arrival);
        if packet.is_after_loss {
            depacketizer.interrupt(counts);
            collector.note_loss(header.time);
        }
        let mut units = Vec::new();
        let now = Latest { time: header.time, marker: header.marker, arrival };
        if let Some(before) = latest.replace(now).filter(|before| before.time != now.time) {
            depacketizer.settle(&mut |unit| units.push((before.time, unit)));
        }
        let payload = packet.data.get(header.payload.clone()).unwrap_or_default();
        let is_broken = depacketizer.payload(payload, counts, &mut |unit| units.push((header.time, unit)));
        if is_broken {
            collector.note_damage(header.time);
        }
        let mut ended = Vec::new();
        let mut pass = |unit: AccessUnit| ended.push(unit);
        for (time, unit) in units {
            collector.add(unit, time, arrival, counts, &mut pass);
        }
        if header.marker {
            collector.mark(depacketizer.is_within_unit(), &mut pass);
        }
        ended.into_iter().for_each(|unit| self.build(unit, samples));
    }

    fn finish(&mut self, samples: &mut Vec<Sample>) {
        let mut ended = Vec::new();
        let mut pass = |unit: AccessUnit| ended.push(unit);
        match self.latest {
            Some(Latest { time, marker: true, arrival }) => {
                let (collector, counts) = (&mut self.collector, &mut self.counts);
                self.depacketizer.settle(&mut |unit| collector.add(unit, time, arrival, counts, &mut pass));
            }
            _ => drop(self.depacketizer.interrupt(&mut self.counts)),
        }
        self.collector.end(&mut pass);
        ended.into_iter().for_each(|unit| self.build(unit, samples));
    }

    fn build(&mut self, mut unit: AccessUnit, samples: &mut Vec<Sample>) {
        self.builder.take_sets(&mut unit, &mut self.counts);
        if !self.builder.may_begin(&unit) {
            self.counts.undecodable += 1;
            return;
        }
        let placed = self.times.place(unit.stamp, unit.arrival, self.builder.reorder());
        self.counts.clock_jumps += u64::from(placed.is_jump);
        samples.extend(self.builder.sample(&unit, placed, &mut self.counts));
    }
}

/// Makes samples of access units that a parser of GStreamer has put together, with their times.
#[derive(Debug)]
pub(crate) struct Repackager {
    codec: Codec,
    builder: Builder,
    counts: Counts,
    first: Option<i64>,
}

impl Repackager {
    pub(crate) fn new(codec: Codec) -> Self {
        let mut counts = Counts::default();
        let builder = Builder::new(codec, &[], &mut counts);
        Self { codec, builder, counts, first: None }
    }

    /// The sample of an access unit with start codes, shown at `media_nanos`; `None` where it cannot be decoded.
    pub(crate) fn sample(
        &mut self,
        bytes: Vec<u8>,
        media_nanos: u64,
        arrival: Monotonic,
        is_after_loss: bool,
    ) -> Option<Sample> {
        let mut unit = AccessUnit { arrival, is_after_loss, ..AccessUnit::default() };
        nal::split(self.codec, bytes, |one| unit.units.push(one));
        let codec = self.codec;
        unit.units.retain(|one| nal::role(codec, one) != Role::Unusable);
        self.builder.take_sets(&mut unit, &mut self.counts);
        if !self.builder.may_begin(&unit) {
            return None;
        }
        let media = i64::try_from(media_nanos).unwrap_or(i64::MAX);
        let first = *self.first.get_or_insert(media);
        let placed = Placed { media: media - first, is_jump: false, by_arrival: false };
        self.builder.sample(&unit, placed, &mut self.counts)
    }
}
