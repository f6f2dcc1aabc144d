//! Anti-aliased polygons, glows and cut-outs on an RGB canvas.

/// A point on the canvas in pixels.
pub(super) type P2 = [f32; 2];
/// Red, green, blue; 0..=255.
pub(super) type Rgb = [f32; 3];

/// The change that a shape makes to the pixels below it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    /// Covers it, with this opacity.
    Over(Rgb, f32),
    /// Lights it: the pixel is multiplied by one plus this gain, and gets a little of its colour.
    Light(Rgb),
}

/// A picture being drawn.
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
    /// Coverage so far, 0..=255; only on a canvas that becomes a cut-out.
    alpha: Option<Vec<u8>>,
    /// Subject that each pixel shows: 0 for none.
    owner: Vec<u16>,
    /// Pixels drawn and pixels still seen of each subject.
    pixels: Vec<(u32, u32)>,
    current: u16,
    coverage: Vec<f32>,
}

impl Canvas {
    /// A canvas that shows `rgb`.
    pub(super) fn new(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        let owner = vec![0; width * height];
        let pixels = vec![(0, 0)];
        Self { width, height, rgb, alpha: None, owner, pixels, current: 0, coverage: Vec::new() }
    }

    /// Creates a canvas that shows nothing, to become a [`CutOut`].
    pub(super) fn transparent(width: usize, height: usize) -> Self {
        let alpha = Some(vec![0; width * height]);
        Self { alpha, ..Self::new(width, height, vec![0; width * height * 3]) }
    }

    /// From now on every opaque pixel belongs to a new subject; its number is for [`Canvas::visible`].
    pub(super) fn begin_subject(&mut self) -> u16 {
        self.current = u16::try_from(self.pixels.len()).unwrap_or(u16::MAX);
        self.pixels.push((0, 0));
        self.current
    }

    /// From now on pixels belong to no subject.
    pub(super) fn end_subject(&mut self) {
        self.current = 0;
    }

    /// Part of a subject's pixels that can still be seen, 0..=1.
    pub(super) fn visible(&self, subject: u16) -> f32 {
        match self.pixels[usize::from(subject)] {
            (0, _) => 0.0,
            (drawn, seen) => seen as f32 / drawn as f32,
        }
    }

    /// Pixels that show a subject.
    pub(super) fn mask(&self, subject: u16) -> Vec<bool> {
        self.owner.iter().map(|owner| *owner == subject).collect()
    }

    fn own(&mut self, at: usize) {
        let before = self.owner[at];
        if before != self.current {
            self.owner[at] = self.current;
            self.pixels[usize::from(before)].1 = self.pixels[usize::from(before)].1.saturating_sub(1);
            let own = &mut self.pixels[usize::from(self.current)];
            *own = (own.0 + 1, own.1 + 1);
        }
    }

    /// Fills a polygon (even where it is concave; where it crosses itself, overlaps count once or not at all).
    ///
    /// Coverage is exact per pixel: signed areas are accumulated along the edges and summed up along each row.
    pub(super) fn fill(&mut self, polygon: &[P2], paint: Paint) {
        let clipped = clip(polygon, self.width as f32, self.height as f32);
        if clipped.len() < 3 {
            return;
        }
        let (x0, y0, x1, y1) = bounds(&clipped);
        let (left, top) = (x0.floor(), y0.floor());
        let (w, h) = ((x1.ceil() - left) as usize, (y1.ceil() - top) as usize);
        if w == 0 || h == 0 {
            return;
        }
        let stride = w + 2;
        let mut coverage = std::mem::take(&mut self.coverage);
        coverage.clear();
        coverage.resize(stride * h, 0.0);
        for (i, a) in clipped.iter().enumerate() {
            let b = clipped[(i + 1) % clipped.len()];
            accumulate(&mut coverage, stride, h, [a[0] - left, a[1] - top], [b[0] - left, b[1] - top]);
        }
        for row in 0..h {
            let y = top as usize + row;
            if y >= self.height {
                break;
            }
            let mut sum = 0.0;
            let w = w.min(self.width - left as usize);
            for (x, area) in coverage[row * stride..row * stride + w].iter().enumerate() {
                sum += area;
                let cover = f32::abs(sum).min(1.0);
                if cover > 0.004 {
                    self.blend(y * self.width + left as usize + x, cover, paint);
                }
            }
        }
        self.coverage = coverage;
    }

    /// Covers one pixel, with this opacity.
    pub(super) fn cover(&mut self, x: usize, y: usize, rgb: Rgb, opacity: f32) {
        self.blend(y * self.width + x, 1.0, Paint::Over(rgb, opacity));
    }

    fn blend(&mut self, at: usize, cover: f32, paint: Paint) {
        let pixel = &mut self.rgb[at * 3..at * 3 + 3];
        match paint {
            Paint::Over(rgb, alpha) => {
                let a = cover * alpha;
                for (old, new) in pixel.iter_mut().zip(rgb) {
                    *old = (f32::from(*old) * (1.0 - a) + new * a + 0.5) as u8;
                }
                if let Some(plane) = &mut self.alpha {
                    plane[at] = (f32::from(plane[at]) * (1.0 - a) + 255.0 * a + 0.5) as u8;
                }
                if a > 0.5 {
                    self.own(at);
                }
            }
            Paint::Light(rgb) => {
                for (old, gain) in pixel.iter_mut().zip(rgb) {
                    *old = (f32::from(*old) * (1.0 + cover * gain / 60.0) + cover * gain * 0.12) as u8;
                }
            }
        }
    }

    /// Adds light around a point, falling off to nothing at `radius` pixels.
    pub(super) fn glow(&mut self, centre: P2, radius: f32, rgb: Rgb) {
        let reach = |middle: f32, side: usize| {
            let from = (middle - radius).max(0.0) as usize;
            from..((middle + radius + 1.0).max(0.0) as usize).min(side)
        };
        for y in reach(centre[1], self.height) {
            for x in reach(centre[0], self.width) {
                let (dx, dy) = (x as f32 + 0.5 - centre[0], y as f32 + 0.5 - centre[1]);
                let near = 1.0 - (dx * dx + dy * dy) / (radius * radius);
                if near > 0.0 {
                    let at = (y * self.width + x) * 3;
                    for (old, new) in self.rgb[at..at + 3].iter_mut().zip(rgb) {
                        *old = (f32::from(*old) + new * near * near) as u8;
                    }
                }
            }
        }
    }

    /// The same with each row shifted to the right by `shift` pixels of its place in the cut-out, 0 at its bottom to 1 at
    /// its top.
    pub(super) fn lay_shifted(&mut self, cut_out: &CutOut, light: Rgb, shift: impl Fn(f32) -> f32) {
        for row in 0..cut_out.height {
            let by = shift(1.0 - row as f32 / cut_out.height.max(1) as f32);
            let (whole, part) = (by.floor(), by - by.floor());
            for column in 0..=cut_out.width {
                // The pixels left of here and here, each with its share.
                let take = |column: usize, share: f32| {
                    let inside = column < cut_out.width && share > 0.0;
                    let from = row * cut_out.width + if inside { column } else { 0 };
                    let alpha = if inside { f32::from(cut_out.alpha[from]) * share } else { 0.0 };
                    (
                        alpha,
                        [0, 1, 2]
                            .map(|c| f32::from(cut_out.rgb[from * 3 + c]) * if inside { share } else { 0.0 }),
                    )
                };
                let (left, here) = (take(column.wrapping_sub(1), part), take(column, 1.0 - part));
                let alpha = left.0 + here.0;
                let x = (cut_out.left + column) as f32 + whole;
                if alpha < 1.0 || x < 0.0 || x >= self.width as f32 {
                    continue;
                }
                let at = (cut_out.top + row) * self.width + x as usize;
                let rest = 1.0 - alpha / 255.0;
                let over = [0, 1, 2].map(|c| (left.1[c] + here.1[c]) * light[c]);
                for (old, new) in self.rgb[at * 3..at * 3 + 3].iter_mut().zip(over) {
                    *old = (f32::from(*old) * rest + new) as u8;
                }
                if alpha > 127.0 {
                    self.own(at);
                }
            }
        }
    }

    /// Lays a cut-out over the picture, its colours multiplied by `light`.
    pub(super) fn lay(&mut self, cut_out: &CutOut, light: Rgb) {
        for row in 0..cut_out.height {
            for column in 0..cut_out.width {
                let from = row * cut_out.width + column;
                let alpha = cut_out.alpha[from];
                if alpha == 0 {
                    continue;
                }
                let at = (cut_out.top + row) * self.width + cut_out.left + column;
                let rest = f32::from(255 - alpha) / 255.0;
                let over = cut_out.rgb[from * 3..from * 3 + 3].iter().zip(light);
                for (old, (new, light)) in self.rgb[at * 3..at * 3 + 3].iter_mut().zip(over) {
                    *old = (f32::from(*old) * rest + f32::from(*new) * light) as u8;
                }
                if alpha > 127 {
                    self.own(at);
                }
            }
        }
    }

    /// Returns the shape drawn on a transparent canvas, without the empty margin.
    pub(super) fn into_cut_out(self) -> CutOut {
        let alpha = self.alpha.unwrap_or_default();
        let (mut x0, mut y0, mut x1, mut y1) = (self.width, self.height, 0, 0);
        for (at, _) in alpha.iter().enumerate().filter(|(_, a)| **a > 0) {
            let (x, y) = (at % self.width, at / self.width);
            (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1));
        }
        let (width, height) = (x1.saturating_sub(x0), y1.saturating_sub(y0));
        let mut cut_out = CutOut { left: x0, top: y0, width, height, rgb: Vec::new(), alpha: Vec::new() };
        for y in y0..y0 + height {
            let row = y * self.width;
            cut_out.rgb.extend_from_slice(&self.rgb[(row + x0) * 3..(row + x0 + width) * 3]);
            cut_out.alpha.extend_from_slice(&alpha[row + x0..row + x0 + width]);
        }
        cut_out
    }
}

/// A drawn shape with soft edges, kept to be laid over many frames; colours are premultiplied.
pub(super) struct CutOut {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    alpha: Vec<u8>,
}

/// The smallest box around the points: left, top, right, bottom.
pub(super) fn bounds(points: &[P2]) -> (f32, f32, f32, f32) {
    let start = (f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY);
    points.iter().fold(start, |b, p| (b.0.min(p[0]), b.1.min(p[1]), b.2.max(p[0]), b.3.max(p[1])))
}

/// The part of a polygon on a `width` by `height` canvas (Sutherland and Hodgman, 1974).
fn clip(polygon: &[P2], width: f32, height: f32) -> Vec<P2> {
    let mut points = polygon.to_vec();
    if !points.iter().flatten().all(|v| v.is_finite()) {
        return Vec::new();
    }
    for (axis, limit, keep_above) in [(0, 0.0, true), (0, width, false), (1, 0.0, true), (1, height, false)] {
        let depth = |p: &P2| if keep_above { p[axis] - limit } else { limit - p[axis] };
        if points.iter().all(|p| depth(p) >= 0.0) {
            continue;
        }
        let mut kept = Vec::with_capacity(points.len() + 2);
        for (i, a) in points.iter().enumerate() {
            let b = &points[(i + 1) % points.len()];
            let (da, db) = (depth(a), depth(b));
            if da >= 0.0 {
                kept.push(*a);
            }
            if (da >= 0.0) != (db >= 0.0) {
                let t = da / (da - db);
                let mut cut = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
                cut[axis] = limit;
                kept.push(cut);
            }
        }
        points = kept;
    }
    points
}

/// Adds one edge's signed area to the cells right of it.
fn accumulate(coverage: &mut [f32], stride: usize, rows: usize, a: P2, b: P2) {
    if a[1] == b[1] {
        return;
    }
    let (direction, a, b) = if a[1] < b[1] { (1.0, a, b) } else { (-1.0, b, a) };
    let slope = (b[0] - a[0]) / (b[1] - a[1]);
    let last = (b[1].ceil() as usize).min(rows);
    let mut x = a[0];
    for row in (a[1] as usize)..last {
        let height = (row as f32 + 1.0).min(b[1]) - (row as f32).max(a[1]);
        let next = x + slope * height;
        let area = height * direction;
        let (x0, x1) = if x < next { (x, next) } else { (next, x) };
        let first = x0.max(0.0) as usize;
        let cells = &mut coverage[row * stride..(row + 1) * stride];
        if x1 <= first as f32 + 1.0 {
            let mean = ((x0 + x1) / 2.0 - first as f32).clamp(0.0, 1.0);
            cells[first.min(stride - 1)] += area * (1.0 - mean);
            cells[(first + 1).min(stride - 1)] += area * mean;
        } else {
            // The part of the edge inside each column, and within it the part left of the column's middle.
            let per_x = area / (x1 - x0);
            let mut from = x0;
            let mut column = first;
            while from < x1 {
                let to = x1.min(column as f32 + 1.0);
                let part = per_x * (to - from);
                let mean = (from + to) / 2.0 - column as f32;
                cells[column.min(stride - 1)] += part * (1.0 - mean);
                cells[(column + 1).min(stride - 1)] += part * mean;
                from = to;
                column += 1;
            }
        }
        x = next;
    }
}

/// The convex hull of some points (Andrew's monotone chain).
pub(super) fn hull(mut points: Vec<P2>) -> Vec<P2> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut outline: Vec<P2> = Vec::with_capacity(points.len() + 1);
    for upper in [false, true] {
        let floor = outline.len() + 1;
        let mut add = |point: P2| {
            while outline.len() > floor
                && cross(outline[outline.len() - 2], outline[outline.len() - 1], point) <= 0.0
            {
                outline.pop();
            }
            outline.push(point);
        };
        if upper {
            points.iter().rev().for_each(|p| add(*p));
        } else {
            points.iter().for_each(|p| add(*p));
        }
        outline.pop();
    }
    outline
}

/// Cross product of the ways from `o` to `a` and from `o` to `b`.
fn cross(o: P2, a: P2, b: P2) -> f32 {
    (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: Paint = Paint::Over([255.0; 3], 1.0);

    fn sum(canvas: &Canvas) -> f32 {
        canvas.rgb.iter().step_by(3).map(|v| f32::from(*v) / 255.0).sum()
    }

    #[test]
    fn a_polygon_covers_its_area_whatever_its_shape() {
        let shapes: [(&[P2], f32); 4] = [
            (&[[2.25, 3.5], [10.75, 3.5], [10.75, 9.0], [2.25, 9.0]], 8.5 * 5.5),
            (&[[1.0, 1.0], [15.0, 2.0], [4.0, 14.0]], (14.0 * 13.0 - 1.0 * 3.0) / 2.0),
            (&[[-10.0, -10.0], [30.0, -10.0], [30.0, 30.0], [-10.0, 30.0]], 256.0),
            (&[[2.0, 2.0], [12.0, 2.0], [12.0, 12.0], [9.0, 5.0], [2.0, 4.0]], 37.0),
        ];
        for (points, area) in &shapes {
            let mut canvas = Canvas::new(16, 16, vec![0; 16 * 16 * 3]);
            canvas.fill(points, WHITE);
            assert!((sum(&canvas) - area).abs() < 0.6, "{points:?}: {} instead of {area}", sum(&canvas));
        }
    }

    #[test]
    fn a_subject_behind_another_is_partly_visible() {
        let mut canvas = Canvas::new(16, 16, vec![0; 16 * 16 * 3]);
        let far = canvas.begin_subject();
        canvas.fill(&[[0.0, 0.0], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0]], WHITE);
        let near = canvas.begin_subject();
        canvas.fill(&[[4.0, 0.0], [12.0, 0.0], [12.0, 8.0], [4.0, 8.0]], WHITE);
        canvas.end_subject();
        assert_eq!((canvas.visible(far), canvas.visible(near)), (0.5, 1.0));
    }

    #[test]
    fn a_hull_drops_what_lies_inside() {
        let outline = hull(vec![[0.0, 0.0], [4.0, 0.0], [2.0, 1.0], [4.0, 4.0], [0.0, 4.0], [2.0, 2.0]]);
        assert_eq!(outline.len(), 4);
    }
}
