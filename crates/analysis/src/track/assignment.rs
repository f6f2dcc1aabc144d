//! Assignment of rows to columns at the least total cost.

/// Pairs rows with columns so that the sum of costs is least, at a cost of `alone` for a row without column. Returns
/// each row's column. `cost` has one row after the other, `columns` wide; costs that are not finite count as
/// forbidden.
///
/// The Hungarian method with row potentials, O(n²m) (Kuhn 1955; Munkres 1957).
pub(super) fn assign(cost: &[f32], rows: usize, columns: usize, alone: f32) -> Vec<Option<usize>> {
    if rows == 0 || columns == 0 {
        return vec![None; rows];
    }
    let bounded = |row: usize, column: usize| {
        let cost = cost[row * columns + column];
        if cost < alone { cost } else { alone }
    };
    let column_of = if rows <= columns {
        shortest_paths(rows, columns, bounded)
    } else {
        let row_of = shortest_paths(columns, rows, |column, row| bounded(row, column));
        let mut column_of = vec![usize::MAX; rows];
        row_of.into_iter().enumerate().for_each(|(column, row)| column_of[row] = column);
        column_of
    };
    let worth =
        |(row, column): (usize, usize)| (column < columns && bounded(row, column) < alone).then_some(column);
    column_of.into_iter().enumerate().map(worth).collect()
}

/// Each row's column in a complete assignment; `rows <= columns`.
fn shortest_paths(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f32) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let mut row_price = vec![0.0f64; rows];
    let mut column_price = vec![0.0f64; columns];
    let mut row_of = vec![NONE; columns];
    for start in 0..rows {
        // Dijkstra over reduced costs from `start` to the nearest free column.
        let mut distance = vec![f64::INFINITY; columns];
        let mut before = vec![NONE; columns];
        let mut done = vec![false; columns];
        let (mut row, mut via) = (start, NONE);
        let mut reached = 0.0;
        let end = loop {
            for column in (0..columns).filter(|c| !done[*c]) {
                let here = reached + f64::from(cost(row, column)) - row_price[row] - column_price[column];
                if here < distance[column] {
                    (distance[column], before[column]) = (here, via);
                }
            }
            let next =
                (0..columns).filter(|c| !done[*c]).min_by(|a, b| distance[*a].total_cmp(&distance[*b]));
            let column = next.expect("there are no fewer columns than rows");
            (reached, done[column]) = (distance[column], true);
            if row_of[column] == NONE {
                break column;
            }
            (row, via) = (row_of[column], column);
        };
        row_price[start] += reached;
        for column in (0..columns).filter(|c| done[*c] && *c != end) {
            row_price[row_of[column]] += reached - distance[column];
            column_price[column] -= reached - distance[column];
        }
        let mut column = end;
        while before[column] != NONE {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
        row_of[column] = start;
    }
    let mut column_of = vec![NONE; rows];
    row_of
        .into_iter()
        .enumerate()
        .filter(|(_, row)| *row != NONE)
        .for_each(|(column, row)| column_of[row] = column);
    column_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least sum by trying everything.
    fn brute(cost: &[f32], rows: usize, columns: usize, alone: f32, row: usize, used: u32) -> f32 {
        if row == rows {
            return 0.0;
        }
        let rest = |used| brute(cost, rows, columns, alone, row + 1, used);
        (0..columns)
            .filter(|c| used & (1 << c) == 0)
            .map(|c| cost[row * columns + c] + rest(used | (1 << c)))
            .fold(alone + rest(used), f32::min)
    }

    proptest! {
        #[test]
        fn no_other_assignment_is_cheaper(
            rows in 0usize..=6, columns in 0usize..=6,
            costs in proptest::collection::vec(prop_oneof![0.0f32..2.0, Just(f32::INFINITY)], 36),
        ) {
            let cost = &costs[..rows * columns];
            let found = assign(cost, rows, columns, 1.0);
            prop_assert_eq!(found.len(), rows);
            let mut used = std::collections::BTreeSet::new();
            let mut sum = 0.0;
            for (row, column) in found.iter().enumerate() {
                match column {
                    Some(column) => {
                        prop_assert!(used.insert(*column), "column {} is used twice", column);
                        sum += cost[row * columns + column];
                    }
                    None => sum += 1.0,
                }
            }
            let least = brute(cost, rows, columns, 1.0, 0, 0);
            prop_assert!((sum - least).abs() < 1e-4, "{} instead of {}", sum, least);
        }
    }
}
