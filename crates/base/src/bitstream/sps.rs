//! Sequence and picture parameter sets, as far as a recorder needs them (ITU-T H.264 7.3.2, H.265 7.3.2).

use super::bits::Bits;

/// Bytes of a set that are read at most.
const SET_BYTES_MAX: usize = 4096;
/// Largest width or height in pixels that is accepted.
pub const PIXELS_MAX: u32 = 16_384;
/// Largest reordering of either codec, in pictures.
const REORDER_MAX: u32 = 16;

/// Contents of a sequence parameter set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sps {
    /// Its id.
    pub id: u8,
    /// H.265: id of the video parameter set that it refers to.
    pub vps: u8,
    /// Columns of the picture, in pixels.
    pub width: u32,
    /// Rows of the picture, in pixels.
    pub height: u32,
    /// profile_idc.
    pub profile: u8,
    /// level_idc.
    pub level: u8,
    /// Pictures by which the order of decoding may differ from the order of display.
    pub reorder: u8,
    /// chroma_format_idc.
    pub chroma_format: u8,
    /// Bits of a luma sample.
    pub bit_depth_luma: u8,
    /// Bits of a chroma sample.
    pub bit_depth_chroma: u8,
    /// Pixel aspect ratio, where it is named.
    pub aspect: Option<(u16, u16)>,
    /// H.264: fields may be coded.
    pub has_fields: bool,
    /// H.264: bits of frame_num in a slice header.
    pub frame_number_bits: u32,
    /// Colour planes are coded apart; an H.264 slice header then has the plane's id before frame_num.
    pub has_planes: bool,
    /// H.265: profile, tier and level as they stand in hvcC: 12 bytes.
    pub profile_tier_level: [u8; 12],
    /// H.265: number of temporal sub-layers.
    pub temporal_layers: u8,
    /// H.265: sps_temporal_id_nesting_flag.
    pub is_nested: bool,
}

/// Ids of a picture parameter set and of the sequence parameter set that it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pps {
    /// Its id.
    pub id: u8,
    /// Id of its sequence parameter set.
    pub sps: u8,
}

impl Sps {
    fn empty() -> Self {
        Self {
            id: 0,
            vps: 0,
            width: 0,
            height: 0,
            profile: 0,
            level: 0,
            reorder: 0,
            chroma_format: 1,
            bit_depth_luma: 8,
            bit_depth_chroma: 8,
            aspect: None,
            has_fields: false,
            frame_number_bits: 4,
            has_planes: false,
            profile_tier_level: [0; 12],
            temporal_layers: 1,
            is_nested: false,
        }
    }

    /// Reads an SPS of H.264, its NAL header included.
    pub fn of_h264(unit: &[u8]) -> Option<Self> {
        let bits = &mut Bits::new(unit, 1, SET_BYTES_MAX);
        let mut sps = Self::empty();
        sps.profile = u8::try_from(bits.bits(8)?).ok()?;
        bits.skip(8)?;
        sps.level = u8::try_from(bits.bits(8)?).ok()?;
        sps.id = u8::try_from(bits.ue()?).ok().filter(|id| *id < 32)?;
        if matches!(sps.profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
            sps.read_high_profile(bits)?;
        }
        sps.frame_number_bits = bits.ue().filter(|bits| *bits <= 12)? + 4;
        let order_kind = bits.ue()?;
        skip_order_count(bits, order_kind)?;
        // max_num_ref_frames, gaps_in_frame_num_value_allowed_flag.
        bits.ue()?;
        bits.skip(1)?;
        let (wide, high) = (bits.ue()?.checked_add(1)?, bits.ue()?.checked_add(1)?);
        sps.has_fields = !bits.bit()?;
        if sps.has_fields {
            bits.skip(1)?;
        }
        bits.skip(1)?;
        let field_factor = if sps.has_fields { 2 } else { 1 };
        let high = high.checked_mul(field_factor)?;
        let crop = read_window(bits)?;
        let (unit_x, unit_y) = match (sps.chroma_format, sps.has_planes) {
            (1, false) => (2, 2),
            (2, false) => (2, 1),
            _ => (1, 1),
        };
        sps.width = cropped(wide.checked_mul(16)?, crop[0], crop[1], unit_x)?;
        sps.height = cropped(high.checked_mul(16)?, crop[2], crop[3], unit_y * field_factor)?;
        let named = if bits.bit()? { sps.read_vui(bits).flatten() } else { None };
        let unnamed =
            if order_kind == 2 || sps.profile == 66 { 0 } else { picture_buffers(sps.level, wide, high) };
        sps.reorder = u8::try_from(named.unwrap_or(unnamed).min(REORDER_MAX)).ok()?;
        Some(sps)
    }

    fn read_high_profile(&mut self, bits: &mut Bits) -> Option<()> {
        self.chroma_format = u8::try_from(bits.ue()?).ok().filter(|format| *format <= 3)?;
        if self.chroma_format == 3 {
            self.has_planes = bits.bit()?;
        }
        self.bit_depth_luma = u8::try_from(bits.ue()?).ok().filter(|depth| *depth <= 6)? + 8;
        self.bit_depth_chroma = u8::try_from(bits.ue()?).ok().filter(|depth| *depth <= 6)? + 8;
        bits.skip(1)?;
        if bits.bit()? {
            let lists = if self.chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.bit()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Some(())
    }

    /// Reads the VUI of H.264. Returns max_num_reorder_frames where the VUI has it.
    fn read_vui(&mut self, bits: &mut Bits) -> Option<Option<u32>> {
        const ASPECTS: [(u16, u16); 16] = [
            (1, 1),
            (12, 11),
            (10, 11),
            (16, 11),
            (40, 33),
            (24, 11),
            (20, 11),
            (32, 11),
            (80, 33),
            (18, 11),
            (15, 11),
            (64, 33),
            (160, 99),
            (4, 3),
            (3, 2),
            (2, 1),
        ];
        if bits.bit()? {
            self.aspect = match bits.bits(8)? {
                255 => Some((bits.bits(16)? as u16, bits.bits(16)? as u16)),
                named => (named as usize).checked_sub(1).and_then(|at| ASPECTS.get(at).copied()),
            };
            self.aspect = self.aspect.filter(|(wide, high)| *wide > 0 && *high > 0);
        }
        if bits.bit()? {
            bits.skip(1)?;
        }
        if bits.bit()? {
            bits.skip(4)?;
            if bits.bit()? {
                bits.skip(24)?;
            }
        }
        if bits.bit()? {
            bits.ue()?;
            bits.ue()?;
        }
        if bits.bit()? {
            bits.skip(65)?;
        }
        let has_nal_hrd = bits.bit()?;
        if has_nal_hrd {
            skip_hrd(bits)?;
        }
        let has_vcl_hrd = bits.bit()?;
        if has_vcl_hrd {
            skip_hrd(bits)?;
        }
        if has_nal_hrd || has_vcl_hrd {
            bits.skip(1)?;
        }
        bits.skip(1)?;
        if !bits.bit()? {
            return Some(None);
        }
        bits.skip(1)?;
        for _ in 0..4 {
            bits.ue()?;
        }
        Some(Some(bits.ue()?))
    }

    /// Reads an SPS of H.265, its NAL header included.
    pub fn of_h265(unit: &[u8]) -> Option<Self> {
        let bits = &mut Bits::new(unit, 2, SET_BYTES_MAX);
        let mut sps = Self::empty();
        sps.profile_tier_level.copy_from_slice(bits.bytes().get(1..13)?);
        sps.vps = u8::try_from(bits.bits(4)?).ok()?;
        let sub_layers = bits.bits(3).filter(|layers| *layers <= 6)?;
        sps.temporal_layers = u8::try_from(sub_layers + 1).ok()?;
        sps.is_nested = bits.bit()?;
        sps.profile = sps.profile_tier_level[0] & 31;
        sps.level = sps.profile_tier_level[11];
        bits.skip(96)?;
        skip_sub_layers(bits, sub_layers)?;
        sps.id = u8::try_from(bits.ue()?).ok().filter(|id| *id < 16)?;
        sps.chroma_format = u8::try_from(bits.ue()?).ok().filter(|format| *format <= 3)?;
        if sps.chroma_format == 3 {
            sps.has_planes = bits.bit()?;
        }
        let (wide, high) = (bits.ue()?, bits.ue()?);
        let crop = read_window(bits)?;
        let (unit_x, unit_y) = match (sps.chroma_format, sps.has_planes) {
            (1, false) => (2, 2),
            (2, false) => (2, 1),
            _ => (1, 1),
        };
        sps.width = cropped(wide, crop[0], crop[1], unit_x)?;
        sps.height = cropped(high, crop[2], crop[3], unit_y)?;
        sps.bit_depth_luma = u8::try_from(bits.ue()?).ok().filter(|depth| *depth <= 8)? + 8;
        sps.bit_depth_chroma = u8::try_from(bits.ue()?).ok().filter(|depth| *depth <= 8)? + 8;
        bits.ue()?;
        let first = if bits.bit()? { 0 } else { sub_layers };
        for _ in first..=sub_layers {
            bits.ue()?;
            sps.reorder = u8::try_from(bits.ue()?.min(REORDER_MAX)).ok()?;
            bits.ue()?;
        }
        Some(sps)
    }
}

impl Pps {
    /// Reads a PPS; `header_bytes` is 1 for H.264 and 2 for H.265.
    pub fn read(unit: &[u8], header_bytes: usize) -> Option<Self> {
        let bits = &mut Bits::new(unit, header_bytes, 16);
        let (id, sps) = (bits.ue()?, bits.ue()?);
        let (ids, sps_ids) = if header_bytes == 1 { (256, 32) } else { (64, 16) };
        if id >= ids || sps >= sps_ids {
            return None;
        }
        Some(Self { id: u8::try_from(id).ok()?, sps: u8::try_from(sps).ok()? })
    }
}

/// Left, right, top and bottom of a cropping or conformance window; zeros without one.
fn read_window(bits: &mut Bits) -> Option<[u32; 4]> {
    let mut window = [0; 4];
    if bits.bit()? {
        for side in &mut window {
            *side = bits.ue()?;
        }
    }
    Some(window)
}

fn cropped(pixels: u32, before: u32, after: u32, unit: u32) -> Option<u32> {
    let left = pixels.checked_sub(before.checked_add(after)?.checked_mul(unit)?)?;
    (1..=PIXELS_MAX).contains(&left).then_some(left)
}

fn skip_scaling_list(bits: &mut Bits, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i64, 8i64);
    for _ in 0..size {
        if next != 0 {
            next = (last + i64::from(bits.se()?) + 256).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn skip_order_count(bits: &mut Bits, kind: u32) -> Option<()> {
    match kind {
        0 => bits.ue().map(drop),
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue().filter(|count| *count < 256)? {
                bits.se()?;
            }
            Some(())
        }
        2 => Some(()),
        _ => None,
    }
}

fn skip_hrd(bits: &mut Bits) -> Option<()> {
    let count = bits.ue().filter(|count| *count < 32)? + 1;
    bits.skip(8)?;
    for _ in 0..count {
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    bits.skip(20)
}

fn skip_sub_layers(bits: &mut Bits, sub_layers: u32) -> Option<()> {
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.bit()?, bits.bit()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    for (has_profile, has_level) in present {
        bits.skip(if has_profile { 88 } else { 0 } + if has_level { 8 } else { 0 })?;
    }
    Some(())
}

/// Number of pictures that a decoder keeps at most (ITU-T H.264 table A-1), by level and macroblocks.
fn picture_buffers(level: u8, wide: u32, high: u32) -> u32 {
    let macroblocks_max = match level {
        0..=10 => 396,
        11 => 900,
        12..=20 => 2376,
        21 => 4752,
        22..=30 => 8100,
        31 => 18_000,
        32 => 20_480,
        33..=41 => 32_768,
        42 => 34_816,
        43..=50 => 110_400,
        _ => 184_320,
    };
    (macroblocks_max / wide.saturating_mul(high).max(1)).max(1)
}
