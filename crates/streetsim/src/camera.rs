//! The scene's camera: its place and its projection.
//!
//! World: metres; x to the right of the street's middle, y along the street away from the camera, z up.

use super::raster::P2;

/// A point or direction in the world.
pub(super) type V3 = [f32; 3];

pub(super) fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn add(a: V3, b: V3) -> V3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn lerp(a: V3, b: V3, t: f32) -> V3 {
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]
}

pub(super) fn dot(a: V3, b: V3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn length(a: V3) -> f32 {
    dot(a, a).sqrt()
}

pub(super) fn unit(a: V3) -> V3 {
    let length = length(a).max(1e-6);
    a.map(|v| v / length)
}

pub(super) fn cross(a: V3, b: V3) -> V3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// A pinhole camera on a pole at the right kerb, looking along the street and a little to the left and down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Camera {
    pub(super) position: V3,
    yaw: (f32, f32),
    pitch: (f32, f32),
    /// Focal length in pixels.
    focal: f32,
    middle: P2,
}

/// Nothing nearer to the lens than this many metres is drawn.
const NEAR: f32 = 0.4;

impl Camera {
    /// Creates a camera that was turned by so many degrees to the right.
    pub(super) fn turned(width: u32, height: u32, degrees: f32) -> Self {
        Self {
            position: [4.2, 0.0, 5.6],
            yaw: (8.0 - degrees).to_radians().sin_cos(),
            pitch: 14f32.to_radians().sin_cos(),
            focal: 0.79 * width as f32,
            middle: [width as f32 / 2.0, height as f32 / 2.0],
        }
    }

    /// Right, up and depth as the lens sees them.
    fn view(&self, point: V3) -> V3 {
        let [dx, dy, dz] = sub(point, self.position);
        let (sin, cos) = self.yaw;
        let (right, ahead) = (dx * cos + dy * sin, dy * cos - dx * sin);
        let (sin, cos) = self.pitch;
        [right, ahead * sin + dz * cos, ahead * cos - dz * sin]
    }

    fn flat(&self, view: V3) -> P2 {
        let scale = self.focal / view[2];
        [self.middle[0] + view[0] * scale, self.middle[1] - view[1] * scale]
    }

    /// Returns a point's place on the canvas and the number of pixels to a metre there; `None` if it is behind the
    /// lens.
    pub(super) fn project(&self, point: V3) -> Option<(P2, f32)> {
        let view = self.view(point);
        (view[2] > NEAR).then(|| (self.flat(view), self.focal / view[2]))
    }

    /// A polygon on the canvas, cut off where it comes too near to the lens.
    pub(super) fn polygon(&self, points: &[V3]) -> Vec<P2> {
        let views: Vec<V3> = points.iter().map(|p| self.view(*p)).collect();
        let mut flat = Vec::with_capacity(views.len() + 1);
        for (i, a) in views.iter().enumerate() {
            let b = views[(i + 1) % views.len()];
            if a[2] > NEAR {
                flat.push(self.flat(*a));
            }
            if (a[2] > NEAR) != (b[2] > NEAR) {
                let t = (NEAR - a[2]) / (b[2] - a[2]);
                flat.push(self.flat([a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, NEAR]));
            }
        }
        flat
    }

    /// Drawing order: greater is earlier. Of two side by side, the one farther to the side is hidden: a bus is long,
    /// and the middle of a subject that it hides may be nearer than its own.
    pub(super) fn order(&self, (x, y): (f32, f32)) -> f32 {
        y + 1.3 * (x - self.position[0]).abs()
    }

    /// The direction in which the picture's middle looks.
    pub(super) fn axis(&self) -> V3 {
        self.ray(self.middle)
    }

    /// The direction in the world in which a pixel looks.
    pub(super) fn ray(&self, pixel: P2) -> V3 {
        let right = (pixel[0] - self.middle[0]) / self.focal;
        let up = (self.middle[1] - pixel[1]) / self.focal;
        let (sin, cos) = self.pitch;
        let (ahead, z) = (cos + up * sin, up * cos - sin);
        let (sin, cos) = self.yaw;
        [right * cos - ahead * sin, right * sin + ahead * cos, z]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ray_leads_back_to_the_point_it_came_from() {
        let camera = Camera::turned(640, 360, 0.0);
        for point in [[0.0, 20.0, 0.0], [-7.0, 40.0, 1.5], [8.0, 15.0, 3.0]] {
            let (pixel, _) = camera.project(point).unwrap();
            let ray = camera.ray(pixel);
            let reach = (point[1] - camera.position[1]) / ray[1];
            let hit = add(camera.position, ray.map(|v| v * reach));
            assert!(length(sub(hit, point)) < 0.01, "{hit:?} instead of {point:?}");
        }
    }
}
