//! Blocks that stand out, without specks, and joined.

use super::thresholds::*;

/// Left, top, right and bottom edge, in blocks; right and bottom are exclusive.
pub(super) type Edges = (usize, usize, usize, usize);

/// Blocks that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Component {
    pub(super) edges: Edges,
    /// Blocks at or above the threshold.
    pub(super) blocks: usize,
    /// Mean excess of all of its blocks.
    pub(super) excess_mean: f32,
    /// All of its blocks, by index.
    pub(super) members: Vec<u32>,
}

/// State of a block in the map, one byte each.
const OUT: u8 = 0;
const IN: u8 = 1;
const TAKEN: u8 = 2;

/// Finds the connected components of `excess` (1 is the threshold, from `weak` on a block joins one that stands out),
/// `columns` wide, before fragments are joined. Also returns the map of all blocks without specks: true for those that are weak
/// at least.
pub(super) fn find(excess: &[f32], columns: usize, weak: f32) -> (Vec<Component>, Vec<bool>) {
    let mut map = without_specks(excess, columns, weak);
    let mut found = Vec::new();
    let outstanding = map.iter().map(|cell| *cell == IN).collect();
    for seed in 0..map.len() {
        // Weak blocks alone are noise: a component grows from one that stands out.
        if map[seed] == IN && excess[seed] >= 1.0 {
            let component = flood(&mut map, excess, columns, seed);
            if component.blocks >= 2 {
                found.push(component);
            }
        }
    }
    if found.len() > COMPONENTS_MAX {
        found.sort_by_key(|component| std::cmp::Reverse(component.blocks));
        found.truncate(COMPONENTS_MAX);
    }
    (found, outstanding)
}

/// Marks the blocks that are at least weak, without those that have fewer than three such neighbours; one that has six is
/// filled in.
fn without_specks(excess: &[f32], columns: usize, weak: f32) -> Vec<u8> {
    let mut map = vec![OUT; excess.len()];
    let mut sums = vec![0u8; excess.len()];
    for (row, sums) in excess.chunks_exact(columns.max(1)).zip(sums.chunks_exact_mut(columns.max(1))) {
        let mut before = 0;
        let mut here = u8::from(row[0] >= weak);
        for (x, sum) in sums.iter_mut().enumerate() {
            let after = row.get(x + 1).map_or(0, |excess| u8::from(*excess >= weak));
            *sum = before + here + after;
            (before, here) = (here, after);
        }
    }
    let none = vec![0; columns];
    let row_of = |y: Option<usize>| y.and_then(|y| sums.get(y * columns..(y + 1) * columns)).unwrap_or(&none);
    for (y, map) in map.chunks_exact_mut(columns.max(1)).enumerate() {
        let (above, here, below) = (row_of(y.checked_sub(1)), row_of(Some(y)), row_of(Some(y + 1)));
        let excess = &excess[y * columns..(y + 1) * columns];
        for x in 0..columns {
            let neighbours = above[x] + here[x] + below[x];
            let least = if excess[x] >= weak { 4 } else { 6 };
            map[x] = u8::from(neighbours >= least);
        }
    }
    map
}

/// Takes all blocks that are connected to `seed`, corners included, out of `map`.
fn flood(map: &mut [u8], excess: &[f32], columns: usize, seed: usize) -> Component {
    let rows = map.len() / columns;
    let (mut x0, mut y0, mut x1, mut y1) = (columns, rows, 0, 0);
    let (mut strong, mut sum) = (0, 0.0);
    let mut members = vec![seed as u32];
    map[seed] = TAKEN;
    let mut next = 0;
    while let Some(at) = members.get(next).map(|at| *at as usize) {
        next += 1;
        let (x, y) = (at % columns, at / columns);
        (x0, y0, x1, y1) = (x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1));
        strong += usize::from(excess[at] >= 1.0);
        sum += excess[at];
        for ny in y.saturating_sub(1)..(y + 2).min(rows) {
            for nx in x.saturating_sub(1)..(x + 2).min(columns) {
                let neighbour = ny * columns + nx;
                if map[neighbour] == IN {
                    map[neighbour] = TAKEN;
                    members.push(neighbour as u32);
                }
            }
        }
    }
    Component { edges: (x0, y0, x1, y1), blocks: strong, excess_mean: sum / members.len() as f32, members }
}

/// Joins components until no two are close.
pub(super) fn joined(mut components: Vec<Component>) -> Vec<Component> {
    let mut at = 0;
    while at < components.len() {
        let other =
            (at + 1..components.len()).find(|other| close(components[at].edges, components[*other].edges));
        match other {
            Some(other) => {
                let part = components.swap_remove(other);
                components[at].take_in(part);
                // The larger one may reach those that were passed already.
                at = 0;
            }
            None => at += 1,
        }
    }
    components
}

fn close(a: Edges, b: Edges) -> bool {
    // Half of the shorter side must lie beside the other for the longer gap to be bridged.
    let beside = |a0: usize, a1: usize, b0: usize, b1: usize| {
        2 * a1.min(b1).saturating_sub(a0.max(b0)) >= (a1 - a0).min(b1 - b0)
    };
    let (across, down) = gaps(a, b);
    (across <= GAP_ACROSS && down <= GAP_ACROSS)
        || (across == 0 && down <= GAP_ALONG && beside(a.0, a.2, b.0, b.2))
        || (down == 0 && across <= GAP_ALONG && beside(a.1, a.3, b.1, b.3))
}

/// Blocks between the two, across and down.
pub(super) fn gaps(a: Edges, b: Edges) -> (usize, usize) {
    let gap = |a0: usize, a1: usize, b0: usize, b1: usize| b0.saturating_sub(a1).max(a0.saturating_sub(b1));
    (gap(a.0, a.2, b.0, b.2), gap(a.1, a.3, b.1, b.3))
}

impl Component {
    fn take_in(&mut self, other: Component) {
        let (a, b) = (self.edges, other.edges);
        self.edges = (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3));
        let weighted = self.excess_mean * self.blocks as f32 + other.excess_mean * other.blocks as f32;
        self.blocks += other.blocks;
        self.excess_mean = weighted / self.blocks as f32;
        self.members.extend(other.members);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&str]) -> Vec<Edges> {
        let chars = rows.iter().flat_map(|row| row.chars());
        let blocks: Vec<f32> = chars
            .map(|c| match c {
                '#' => 2.0,
                '+' => 0.7,
                _ => 0.0,
            })
            .collect();
        let (found, _) = find(&blocks, rows[0].len(), 0.55);
        joined(found).into_iter().map(|component| component.edges).collect()
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

    #[test]
    fn a_picture_of_snow_does_not_take_the_square_of_its_flakes() {
        let (columns, rows) = (160, 90);
        let excess: Vec<f32> = (0..columns * rows)
            .map(|at| if at % columns % 5 < 2 && at / columns % 5 < 2 { 2.0 } else { 0.0 })
            .collect();
        assert_eq!(find(&excess, columns, 0.55).0.len(), COMPONENTS_MAX);
    }
}
