//! Blocks that stand out, cleaned and joined.

/// Blocks that belong together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Component {
    /// Left, top, right and bottom edge, in blocks; right and bottom are exclusive.
    pub(super) edges: (usize, usize, usize, usize),
    /// Blocks at or above the threshold.
    pub(super) blocks: usize,
    /// Mean excess of all of its blocks.
    pub(super) excess_mean: f32,
}

/// Gaps in blocks over which fragments are joined: one behind the other or one above the other (a car's windows, a
/// person's belt), and across a corner.
const GAP_ALONG: usize = 3;
const GAP_ACROSS: usize = 1;

/// Components of `excess` (1 is the threshold, from `weak` on a block joins one that stands out), `columns` wide.
pub(super) fn find(excess: &[f32], columns: usize, weak: f32) -> Vec<Component> {
    let mut left = cleaned(excess, columns, weak);
    let mut found = Vec::new();
    for seed in 0..left.len() {
        if left[seed] {
            let component = flood(&mut left, excess, columns, seed);
            // Weak blocks alone are noise.
            if component.blocks >= 2 {
                found.push(component);
            }
        }
    }
    joined(found)
}

/// Which blocks are at least weak, without those that have fewer than three such neighbours; one that has six is
/// filled in.
fn cleaned(excess: &[f32], columns: usize, weak: f32) -> Vec<bool> {
    let rows = excess.len().checked_div(columns).unwrap_or(0);
    let mut clean = vec![false; excess.len()];
    for y in 0..rows {
        for x in 0..columns {
            let mut neighbours = 0;
            for ny in y.saturating_sub(1)..(y + 2).min(rows) {
                let row = &excess[ny * columns..(ny + 1) * columns];
                neighbours +=
                    row[x.saturating_sub(1)..(x + 2).min(columns)].iter().filter(|e| **e >= weak).count();
            }
            let own = excess[y * columns + x] >= weak;
            clean[y * columns + x] = if own { neighbours >= 4 } else { neighbours >= 6 };
        }
    }
    clean
}

/// Takes everything that is connected to `seed`, corners included, out of `left`.
fn flood(left: &mut [bool], excess: &[f32], columns: usize, seed: usize) -> Component {
    let rows = left.len() / columns;
    let (mut x0, mut y0, mut x1, mut y1) = (columns, rows, 0, 0);
    let (mut strong, mut all, mut sum) = (0, 0, 0.0);
    let mut open = vec![seed];
    left[seed] = false;
    while let Some(at) = open.pop() {
        let (x, y) = (at % columns, at / columns);
        (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1));
        strong += usize::from(excess[at] >= 1.0);
        all += 1;
        sum += excess[at];
        for ny in y.saturating_sub(1)..(y + 2).min(rows) {
            for nx in x.saturating_sub(1)..(x + 2).min(columns) {
                let next = ny * columns + nx;
                if std::mem::take(&mut left[next]) {
                    open.push(next);
                }
            }
        }
    }
    Component { edges: (x0, y0, x1, y1), blocks: strong, excess_mean: sum / all as f32 }
}

/// Joins until no two are close.
fn joined(mut components: Vec<Component>) -> Vec<Component> {
    let mut at = 0;
    while at < components.len() {
        let other = (at + 1..components.len()).find(|other| close(&components[at], &components[*other]));
        match other {
            Some(other) => {
                let part = components.swap_remove(other);
                components[at] = both(&components[at], &part);
                // The larger one may reach those that were passed already.
                at = 0;
            }
            None => at += 1,
        }
    }
    components
}

fn close(a: &Component, b: &Component) -> bool {
    let gap = |a0: usize, a1: usize, b0: usize, b1: usize| b0.saturating_sub(a1).max(a0.saturating_sub(b1));
    // Half of the shorter side must lie beside the other for the longer gap to be bridged.
    let beside = |a0: usize, a1: usize, b0: usize, b1: usize| {
        2 * a1.min(b1).saturating_sub(a0.max(b0)) >= (a1 - a0).min(b1 - b0)
    };
    let (ax0, ay0, ax1, ay1) = a.edges;
    let (bx0, by0, bx1, by1) = b.edges;
    let (across, down) = (gap(ax0, ax1, bx0, bx1), gap(ay0, ay1, by0, by1));
    (across <= GAP_ACROSS && down <= GAP_ACROSS)
        || (across == 0 && down <= GAP_ALONG && beside(ax0, ax1, bx0, bx1))
        || (down == 0 && across <= GAP_ALONG && beside(ay0, ay1, by0, by1))
}

fn both(a: &Component, b: &Component) -> Component {
    let edges = (
        a.edges.0.min(b.edges.0),
        a.edges.1.min(b.edges.1),
        a.edges.2.max(b.edges.2),
        a.edges.3.max(b.edges.3),
    );
    let blocks = a.blocks + b.blocks;
    let weighted = a.excess_mean * a.blocks as f32 + b.excess_mean * b.blocks as f32;
    Component { edges, blocks, excess_mean: weighted / blocks as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&str]) -> Vec<(usize, usize, usize, usize)> {
        let excess = |c: char| match c {
            '#' => 2.0,
            '+' => 0.7,
            _ => 0.0,
        };
        let blocks: Vec<f32> = rows.iter().flat_map(|row| row.chars().map(excess)).collect();
        find(&blocks, rows[0].len(), 0.55).into_iter().map(|component| component.edges).collect()
    }

    #[test]
    fn fragments_of_one_thing_are_joined_and_specks_dropped() {
        let found = of(&[
            "###...###.........",
            "###...###.....++..",
            "###...###.....++..",
            "..................",
            "..............#...",
        ]);
        assert_eq!(found, [(0, 0, 9, 3)], "two halves joined, the weak and the lone block dropped");
    }

    #[test]
    fn things_apart_stay_apart_and_weak_edges_count() {
        let found = of(&["+##+.......##", "+##+.......##", "+##+.......##"]);
        assert_eq!(found, [(0, 0, 4, 3), (11, 0, 13, 3)]);
    }
}
