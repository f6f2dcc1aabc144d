//! Less inference on a box that is too warm: smoothly less, and with hysteresis back.

use base::time::Monotonic;

/// Degrees above the limit at which the share is at its least.
const SPAN_CELSIUS: f32 = 10.0;
/// Minimum part of the share.
const FACTOR_MIN: f64 = 0.2;
/// Degrees below the limit at which the share recovers.
const HYSTERESIS_CELSIUS: f32 = 4.0;
/// Speed at which the share shrinks, in parts of it a second.
const SHRINK_PER_SECOND: f64 = 0.1;
/// Speed at which it recovers, in parts of it a second.
const RECOVER_PER_SECOND: f64 = 0.02;

/// Part of the share that the temperature leaves.
#[derive(Debug)]
pub(super) struct Throttle {
    celsius_max: f32,
    at: Monotonic,
    factor: f64,
}

impl Throttle {
    pub(super) fn new(celsius_max: f32, at: Monotonic) -> Self {
        Self { celsius_max, at, factor: 1.0 }
    }

    /// The part of the share that is left, [`FACTOR_MIN`]..=1.
    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// Takes a measurement in. NaN is ignored.
    pub(super) fn feel(&mut self, at: Monotonic, celsius: f32) {
        let seconds = at.since(self.at).as_secs_f64();
        self.at = self.at.max(at);
        let above = f64::from((celsius - self.celsius_max) / SPAN_CELSIUS);
        if above >= 0.0 {
            let target = (1.0 - above * (1.0 - FACTOR_MIN)).max(FACTOR_MIN);
            // Between the limit and the temperature that the factor answers to, it neither shrinks nor recovers.
            self.factor = self.factor.min(target.max(self.factor - SHRINK_PER_SECOND * seconds));
        } else if celsius <= self.celsius_max - HYSTERESIS_CELSIUS {
            self.factor = (self.factor + RECOVER_PER_SECOND * seconds).min(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn felt(throttle: &mut Throttle, seconds: u64, celsius: f32) -> Vec<f64> {
        let feel = |_| {
            throttle.feel(throttle.at + Duration::from_secs(1), celsius);
            throttle.factor()
        };
        (0..seconds).map(feel).collect()
    }

    #[test]
    fn it_shrinks_smoothly_waits_and_recovers_slowly() {
        let mut throttle = Throttle::new(80.0, Monotonic::default());
        assert_eq!(felt(&mut throttle, 5, 79.9), [1.0; 5]);
        let warm = felt(&mut throttle, 30, 85.0);
        assert!(warm.is_sorted_by(|a, b| a >= b) && (warm[0] - 0.9).abs() < 1e-6, "{warm:?}");
        assert!((warm[29] - 0.6).abs() < 1e-6, "half the span is half of what it may lose: {warm:?}");
        let hot = felt(&mut throttle, 30, 120.0);
        assert!((hot[29] - FACTOR_MIN).abs() < 1e-6, "{hot:?}");
        assert_eq!(felt(&mut throttle, 60, 78.0), [hot[29]; 60], "not cool enough to recover");
        let cool = felt(&mut throttle, 60, 70.0);
        assert!(cool.is_sorted() && cool[20] < 0.7 && cool[59] == 1.0, "{cool:?}");
        assert_eq!(felt(&mut throttle, 1, f32::NAN), [1.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn it_stays_in_its_bounds_and_never_jumps(steps in proptest::collection::vec((0u64..3000, -40f32..140.0), 1..60)) {
            let mut throttle = Throttle::new(75.0, Monotonic::default());
            for (millis, celsius) in steps {
                let before = throttle.factor();
                throttle.feel(throttle.at + Duration::from_millis(millis), celsius);
                let change = throttle.factor() - before;
                prop_assert!((FACTOR_MIN..=1.0).contains(&throttle.factor()));
                let seconds = millis as f64 / 1000.0;
                prop_assert!(change <= RECOVER_PER_SECOND * seconds + 1e-9);
                prop_assert!(-change <= SHRINK_PER_SECOND * seconds + 1e-9);
                prop_assert!(change <= 0.0 || celsius <= 71.0);
                prop_assert!(change >= 0.0 || celsius >= 75.0);
            }
        }
    }
}
