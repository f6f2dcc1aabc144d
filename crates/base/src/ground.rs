//! The ground under a camera, as a homography. Four points on the picture and their places in metres give the place of every
//! other point, as long as the ground is flat.

use super::geometry::{Point, Polygon};

/// Minimum size of a corner of a quadrangle: the area of the smallest triangle of three of its points, as a part of the area
/// of all four.
const CORNER_MIN: f64 = 0.02;
/// Minimum area on the picture, as a part of it, and on the ground, in square metres.
const PICTURE_AREA_MIN: f64 = 0.002;
const GROUND_AREA_MIN: f64 = 1.0;

/// From the picture to metres on flat ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ground {
    /// Row by row; the last row is scaled so that it is positive on the ground's side of the horizon.
    matrix: [[f64; 3]; 3],
}

/// Reason for which four pairs of points do not define the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGround {
    /// The points on the picture are not the corners of a quadrangle, in order around it.
    #[error("the four points on the picture are not the corners of a quadrangle, in order around it")]
    Picture,
    /// The places in metres are not the corners of a quadrangle, in order around it.
    #[error("the four places in metres are not the corners of a quadrangle, in order around it")]
    Metres,
    /// The points on the picture are too near to each other.
    #[error("the four points lie too close together on the picture to measure by")]
    SmallPicture,
    /// The places are too near to each other.
    #[error("the four places enclose less than a square metre")]
    SmallMetres,
}

impl Ground {
    /// From four points on the picture and their places in metres, `[x, y]` each, both in the same order around a
    /// quadrangle. Origin and direction of the axes in metres are free.
    ///
    /// # Errors
    /// Either is no convex quadrangle, or a very small one.
    pub fn new(picture: [Point; 4], metres: [[f32; 2]; 4]) -> Result<Self, InvalidGround> {
        let from = picture.map(|point| [f64::from(point.x), f64::from(point.y)]);
        let to = metres.map(|place| place.map(f64::from));
        let (seen, real) = (area_of(&from), area_of(&to));
        let (seen, real) = (seen.ok_or(InvalidGround::Picture)?, real.ok_or(InvalidGround::Metres)?);
        if seen < PICTURE_AREA_MIN {
            return Err(InvalidGround::SmallPicture);
        }
        if real < GROUND_AREA_MIN {
            return Err(InvalidGround::SmallMetres);
        }
        let (onto_square, from_square) = (inverse(&from_unit_square(&from)), from_unit_square(&to));
        let matrix = product(&from_square, &onto_square.ok_or(InvalidGround::Picture)?);
        let middle = [0, 1].map(|axis| from.iter().map(|corner| corner[axis]).sum::<f64>() / 4.0);
        let side = applied(&matrix, middle)[2];
        let matrix = matrix.map(|row| row.map(|value| value / side));
        matrix
            .iter()
            .flatten()
            .all(|value| value.is_finite())
            .then_some(Self { matrix })
            .ok_or(InvalidGround::Picture)
    }

    /// Place of a point of the picture on the ground, in metres; `None` at and above the horizon.
    pub fn place(&self, point: Point) -> Option<[f32; 2]> {
        let [x, y, w] = applied(&self.matrix, [f64::from(point.x), f64::from(point.y)]);
        // The middle of the four points has 1: a hundredth of that is a hundred times as far, beyond any measurement.
        (w > 0.01).then(|| [(x / w) as f32, (y / w) as f32])
    }

    /// Distance of two points of the picture on the ground, in metres.
    pub fn metres(&self, a: Point, b: Point) -> Option<f32> {
        let ([ax, ay], [bx, by]) = (self.place(a)?, self.place(b)?);
        Some((bx - ax).hypot(by - ay))
    }

    /// Area of a zone on the ground, in square metres; `None` if it reaches up to the horizon.
    pub fn square_metres(&self, zone: &Polygon) -> Option<f32> {
        let corners: Option<Vec<[f32; 2]>> = zone.points().iter().map(|corner| self.place(*corner)).collect();
        let corners = corners?;
        let next = corners.iter().cycle().skip(1);
        let twice: f32 = corners.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
        Some(twice.abs() / 2.0)
    }
}

/// The area of a convex quadrangle; `None` if it is none, or nearly none.
fn area_of(corners: &[[f64; 2]; 4]) -> Option<f64> {
    // Twice the area of each corner with its two neighbours.
    let triangles = [0, 1, 2, 3].map(|i| {
        let [a, b, c] = [0, 1, 2].map(|step| corners[(i + step) % 4]);
        (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
    });
    let area = (triangles[0] + triangles[2]).abs() / 2.0;
    let turns_one_way = triangles.iter().all(|t| *t > 0.0) || triangles.iter().all(|t| *t < 0.0);
    let all_stand_out = triangles.iter().all(|t| t.abs() / 2.0 >= CORNER_MIN * area);
    (turns_one_way && area.is_finite() && all_stand_out).then_some(area)
}

/// The homography that maps the unit square's corners (0, 0), (1, 0), (1, 1), (0, 1) to these (Heckbert, "Fundamentals of
/// Texture Mapping and Image Warping", 1989, section 2.2.3).
fn from_unit_square([a, b, c, d]: &[[f64; 2]; 4]) -> [[f64; 3]; 3] {
    let [dx1, dx2, dx3] = [b[0] - c[0], d[0] - c[0], a[0] - b[0] + c[0] - d[0]];
    let [dy1, dy2, dy3] = [b[1] - c[1], d[1] - c[1], a[1] - b[1] + c[1] - d[1]];
    let determinant = dx1 * dy2 - dx2 * dy1;
    let g = (dx3 * dy2 - dx2 * dy3) / determinant;
    let h = (dx1 * dy3 - dx3 * dy1) / determinant;
    [
        [b[0] - a[0] + g * b[0], d[0] - a[0] + h * d[0], a[0]],
        [b[1] - a[1] + g * b[1], d[1] - a[1] + h * d[1], a[1]],
        [g, h, 1.0],
    ]
}

fn applied(matrix: &[[f64; 3]; 3], [x, y]: [f64; 2]) -> [f64; 3] {
    matrix.map(|row| row[0] * x + row[1] * y + row[2])
}

fn product(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    a.map(|row| [0, 1, 2].map(|column| (0..3).map(|k| row[k] * b[k][column]).sum()))
}

/// Inverse by cofactors; `None` for a matrix that has none.
fn inverse(m: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let cofactor = |row: usize, column: usize| {
        let (r, s) = ((row + 1) % 3, (row + 2) % 3);
        let (c, d) = ((column + 1) % 3, (column + 2) % 3);
        m[r][c] * m[s][d] - m[r][d] * m[s][c]
    };
    let determinant: f64 = (0..3).map(|column| m[0][column] * cofactor(0, column)).sum();
    let inverse = [0, 1, 2].map(|row| [0, 1, 2].map(|column| cofactor(column, row) / determinant));
    (determinant.abs() > 1e-12).then_some(inverse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A lane of 6 by 20 metres that runs away from the camera.
    fn lane() -> ([Point; 4], [[f32; 2]; 4]) {
        let picture = [[0.2, 0.9], [0.8, 0.9], [0.6, 0.4], [0.4, 0.4]].map(Point::from);
        (picture, [[0.0, 0.0], [6.0, 0.0], [6.0, 20.0], [0.0, 20.0]])
    }

    #[test]
    fn the_four_points_are_where_they_were_said_to_be() {
        let (picture, metres) = lane();
        let ground = Ground::new(picture, metres).unwrap();
        for (point, place) in picture.into_iter().zip(metres) {
            let [x, y] = ground.place(point).unwrap();
            assert!((x - place[0]).abs() < 1e-3 && (y - place[1]).abs() < 1e-3, "{x} {y} for {place:?}");
        }
        // The lane's diagonals meet in its middle, on the picture as on the ground.
        let meet = Point::new(0.5, 0.525);
        let [x, y] = ground.place(meet).unwrap();
        assert!((x - 3.0).abs() < 0.01 && (y - 10.0).abs() < 0.01, "{x} {y}");
        // Its sides meet at the horizon.
        assert_eq!(ground.place(Point::new(0.5, 0.14)), None);
        assert_eq!(ground.place(Point::new(0.5, 0.0)), None);
        let zone = Polygon::new(picture.to_vec()).unwrap();
        assert!((ground.square_metres(&zone).unwrap() - 120.0).abs() < 0.1);
        let sky = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]].map(Point::from);
        assert_eq!(ground.square_metres(&Polygon::new(sky.to_vec()).unwrap()), None);
    }

    #[test]
    fn what_is_no_quadrangle_is_refused() {
        let (picture, metres) = lane();
        let [a, b, c, d] = picture;
        let [p, q, r, s] = metres;
        for (picture, metres, error) in [
            ([a, c, b, d], metres, InvalidGround::Picture),
            ([a, b, b, d], metres, InvalidGround::Picture),
            ([a, b, Point::new(0.8, 0.4), Point::new(0.8, 0.6)], metres, InvalidGround::Picture),
            ([a, b, c, Point::new(f32::NAN, 0.4)], metres, InvalidGround::Picture),
            (picture, [p, r, q, s], InvalidGround::Metres),
            (picture, [p, q, [12.0, 0.0], s], InvalidGround::Metres),
            (picture, metres.map(|place| place.map(|v| v / 100.0)), InvalidGround::SmallMetres),
            (picture.map(|c| Point::new(c.x / 20.0, c.y / 20.0)), metres, InvalidGround::SmallPicture),
        ] {
            assert_eq!(Ground::new(picture, metres), Err(error), "{picture:?} {metres:?}");
        }
    }

    proptest! {
        /// A plane is projected by a camera of known pose; four points of it must bring back all others.
        #[test]
        fn a_projected_plane_comes_back(
            height in 2.0f64..8.0, tilt in 0.2f64..1.2, x in -3.0f64..3.0, y in 0.0f64..12.0, turn in 0.0f64..6.0,
        ) {
            let seen = |[x, y]: [f64; 2]| {
                // Over the ground at `height`, looking down by `tilt`, with the nearest place 4 m ahead.
                let (forward, down) = (y + 4.0, height);
                let depth = forward * tilt.cos() + down * tilt.sin();
                Point::new((0.5 + 0.5 * x / depth) as f32, (0.5 + 0.5 * (down * tilt.cos() - forward * tilt.sin()) / depth) as f32)
            };
            let corners = [[-3.0, 0.0], [3.0, 0.0], [3.0, 12.0], [-3.0, 12.0]];
            let turned = |[x, y]: [f64; 2]| [(x * turn.cos() - y * turn.sin()) as f32, (x * turn.sin() + y * turn.cos()) as f32];
            let Ok(ground) = Ground::new(corners.map(seen), corners.map(turned)) else {
                return Err(TestCaseError::reject("a very flat view"));
            };
            let [found_x, found_y] = ground.place(seen([x, y])).unwrap();
            let [real_x, real_y] = turned([x, y]);
            prop_assert!((found_x - real_x).hypot(found_y - real_y) < 0.05, "{found_x} {found_y} for {real_x} {real_y}");
        }
    }
}
