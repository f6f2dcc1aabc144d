//! One budget of inference for the whole box: chooses the next camera, and its time. Pure.
//!
//! Two mechanisms, one inside the other:
//! - a token bucket over CPU seconds keeps the share: tokens come at `cores x share x throttle` a second, at most
//!   [`Settings::burst_seconds`] of them are saved up, an inference begins only while there are some, and it is charged with
//!   its real cost once that is known;
//! - start-time fair queueing divides the share (Goyal, Vin and Cheng, "Start-time Fair Queuing", SIGCOMM 1996; the same as
//!   stride scheduling, Waldspurger and Weihl 1995, with a start tag for a camera that comes back): each camera has a virtual
//!   time that advances by cost over weight, the least is next, and a camera that wanted nothing saves nothing up. So idle
//!   cameras' share is borrowed at once, and no camera starves whatever the others want. Weights grow with the most severe
//!   rule that is active and with the urgency.
//!
//! Before that, cameras that are behind their floor rate are served, the earliest deadline first. Floors that ask for more
//! than nine tenths of the share are all stretched alike, so that they starve no camera either.
//!
//! Owns no thread, reads no clock and no thermometer. `infer::scheduler` asks it under its lock.

#[cfg(test)]
mod tests;
mod throttle;

use std::collections::BTreeMap;
use std::time::Duration;

use base::event::Severity;
use base::time::Monotonic;
use throttle::Throttle;

/// Weight of a camera on which no rule is active, then by severity.
const WEIGHTS: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
/// Maximum part of the share for floors.
const FLOORS_MAX: f64 = 0.9;
/// Maximum time on which a camera that is behind its floor catches up.
const BEHIND_SECONDS_MAX: f64 = 2.0;
/// Weight of a new measurement in the estimate of an inference's cost.
const COST_RATE: f64 = 0.1;
/// CPU seconds of a pixel of input before any inference has been measured: a megapixel a second.
const FIRST_COST: f64 = 1e-6;

/// Limits of the budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// CPU seconds a second that inferences may cost, all cores together.
    pub cpu_seconds_per_second: f64,
    /// Seconds of that which may be saved up for a moment of more demand.
    pub burst_seconds: f64,
    /// Temperature from which the share shrinks, in degrees Celsius.
    pub temperature_celsius_max: f32,
}

/// Reason for an inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// An inference for still subjects is due.
    Still,
    /// Something moves.
    Motion,
    /// A subject is being tracked.
    Tracks,
}

/// Demand of one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Want {
    /// The reason.
    pub urgency: Urgency,
    /// The most severe rule of the camera that is active now.
    pub severity: Option<Severity>,
    /// Pixels of input.
    pub pixels: u64,
}

impl Want {
    fn weight(&self) -> f64 {
        let severity = self.severity.map_or(0, |severity| 1 + severity as usize);
        let urgency = match self.urgency {
            Urgency::Still => 1.0,
            Urgency::Motion => 2.0,
            Urgency::Tracks => 4.0,
        };
        WEIGHTS[severity] * urgency
    }
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn<K> {
    /// Run the inference for this camera's frame, and call [`Budget::done`] afterwards.
    Inference(K),
    /// The share is spent: ask again then.
    At(Monotonic),
    /// No camera wants anything.
    Nobody,
}

/// Demand and service of a camera, since it was added.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Frames that wanted an inference.
    pub wanted: u64,
    /// Those of them that got one.
    pub inferences: u64,
    /// Those that were replaced by a newer frame, or whose camera went, before an inference.
    pub short: u64,
    /// CPU time of the inferences.
    pub cpu: Duration,
    /// CPU time that the missed inferences would have cost.
    pub short_cpu: Duration,
}

/// The budget of cameras named by `K`.
#[derive(Debug)]
pub struct Budget<K> {
    settings: Settings,
    throttle: Throttle,
    at: Monotonic,
    /// CPU seconds. Below zero, inferences have cost more than was estimated.
    tokens: f64,
    virtual_time: f64,
    seconds_per_pixel: Option<f64>,
    accounts: BTreeMap<K, Account>,
}

#[derive(Debug)]
struct Account {
    floor: f64,
    want: Option<Want>,
    /// The inference under way.
    inference: Option<Charge>,
    virtual_time: f64,
    floor_due: Monotonic,
    /// Pixels of input of the latest inference.
    pixels: u64,
    tally: Tally,
}

#[derive(Debug)]
struct Charge {
    want: Want,
    seconds: f64,
}

impl<K: Ord + Clone> Budget<K> {
    /// Makes a budget that has everything saved up, and no cameras.
    pub fn new(settings: Settings, at: Monotonic) -> Self {
        Self {
            throttle: Throttle::new(settings.temperature_celsius_max, at),
            at,
            tokens: settings.cpu_seconds_per_second * settings.burst_seconds,
            virtual_time: 0.0,
            seconds_per_pixel: None,
            accounts: BTreeMap::new(),
            settings,
        }
    }

    /// Adds a camera that gets at least `inferences_per_second` inferences while it wants as many and the share allows for it.
    pub fn add(&mut self, camera: K, inferences_per_second: f32) {
        let account = Account {
            floor: f64::from(inferences_per_second).max(0.0),
            want: None,
            inference: None,
            virtual_time: self.virtual_time,
            floor_due: self.at,
            pixels: 0,
            tally: Tally::default(),
        };
        self.accounts.insert(camera, account);
    }

    /// Removes a camera. An inference under way need not be reported; it stays charged as estimated.
    pub fn remove(&mut self, camera: &K) {
        self.accounts.remove(camera);
    }

    /// Takes a new frame of `camera`, in place of one without an inference; `want` is `None` if it needs none.
    pub fn frame(&mut self, at: Monotonic, camera: &K, want: Option<Want>) {
        let seconds = |want: &Want| self.cost(want.pixels);
        let before = self.accounts.get(camera).and_then(|account| account.want.as_ref()).map(seconds);
        let Some(account) = self.accounts.get_mut(camera) else { return };
        if let Some(seconds) = before {
            account.tally.short += 1;
            account.tally.short_cpu += Duration::from_secs_f64(seconds);
        } else if want.is_some() && account.inference.is_none() {
            // Back from no demand: nothing was saved up.
            account.virtual_time = account.virtual_time.max(self.virtual_time);
            let period = Duration::from_secs_f64(1.0 / account.floor.max(1e-3));
            account.floor_due = account.floor_due.max(at - period);
        }
        account.tally.wanted += u64::from(want.is_some());
        account.want = want;
    }

    /// Chooses the next camera, among those that are `ready`. The same camera is not named again before [`Budget::done`].
    pub fn next(&mut self, at: Monotonic, ready: impl Fn(&K) -> bool) -> Turn<K> {
        self.refill(at);
        let at = self.at;
        let waiting = || {
            self.accounts.iter().filter(|(camera, account)| {
                account.want.is_some() && account.inference.is_none() && ready(camera)
            })
        };
        let behind = waiting().filter(|(_, account)| account.floor > 0.0 && account.floor_due <= at);
        let earliest = behind.min_by_key(|(_, account)| account.floor_due);
        let next =
            earliest.or_else(|| waiting().min_by(|a, b| a.1.virtual_time.total_cmp(&b.1.virtual_time)));
        let Some((camera, _)) = next else { return Turn::Nobody };
        let camera = camera.clone();
        if self.tokens <= 0.0 {
            let seconds = (-self.tokens / self.rate().max(1e-9)).clamp(1e-3, 3600.0);
            return Turn::At(at + Duration::from_secs_f64(seconds));
        }
        self.grant(at, &camera);
        Turn::Inference(camera)
    }

    /// Takes in that the inference for `camera` has ended: it had `pixels` of input, and cost `cpu`.
    pub fn done(&mut self, camera: &K, pixels: u64, cpu: Duration) {
        let Some(account) = self.accounts.get_mut(camera) else { return };
        let Some(charge) = account.inference.take() else { return };
        let seconds = cpu.as_secs_f64();
        self.tokens = self.tokens + charge.seconds - seconds;
        account.virtual_time += (seconds - charge.seconds) / charge.want.weight();
        account.tally.inferences += 1;
        account.tally.cpu += cpu;
        if pixels == 0 {
            return;
        }
        let measured = seconds / pixels as f64;
        let known = self.seconds_per_pixel.unwrap_or(measured);
        self.seconds_per_pixel = Some(known + COST_RATE * (measured - known));
    }

    /// Takes in the temperature of the box.
    pub fn temperature(&mut self, at: Monotonic, celsius: f32) {
        self.refill(at);
        self.throttle.feel(at, celsius);
    }

    /// The part of its share that the box's temperature leaves, 0..=1.
    pub fn throttle(&self) -> f64 {
        self.throttle.factor()
    }

    /// Demand and service of `camera`.
    pub fn tally(&self, camera: &K) -> Tally {
        self.accounts.get(camera).map_or_else(Tally::default, |account| account.tally)
    }

    /// CPU seconds a second that inferences may cost now.
    pub fn rate(&self) -> f64 {
        self.settings.cpu_seconds_per_second * self.throttle.factor()
    }

    fn refill(&mut self, at: Monotonic) {
        let seconds = at.since(self.at).as_secs_f64();
        self.at = self.at.max(at);
        let full = self.settings.cpu_seconds_per_second * self.settings.burst_seconds;
        self.tokens = (self.tokens + seconds * self.rate()).min(full);
    }

    fn grant(&mut self, at: Monotonic, camera: &K) {
        let stretch = self.stretch();
        let seconds_per_pixel = self.cost(1);
        let Some(account) = self.accounts.get_mut(camera) else { return };
        let Some(want) = account.want.take() else { return };
        let seconds = seconds_per_pixel * want.pixels as f64;
        self.tokens -= seconds;
        // The start tag of the camera that was served last is the time of the others.
        self.virtual_time = self.virtual_time.max(account.virtual_time);
        account.virtual_time += seconds / want.weight();
        if account.floor > 0.0 {
            let behind = at - Duration::from_secs_f64(BEHIND_SECONDS_MAX);
            account.floor_due =
                account.floor_due.max(behind) + Duration::from_secs_f64(stretch / account.floor);
        }
        account.pixels = want.pixels;
        account.inference = Some(Charge { want, seconds });
    }

    /// Factor by which floors have to wait longer, where they ask for more than there is. A camera that wants nothing asks
    /// for nothing.
    fn stretch(&self) -> f64 {
        let asked = |account: &Account| {
            let pixels = account.want.map_or(account.pixels, |want| want.pixels);
            let wants = account.want.is_some() || account.inference.is_some();
            if wants { account.floor * self.cost(pixels) } else { 0.0 }
        };
        let asked: f64 = self.accounts.values().map(asked).sum();
        (asked / (FLOORS_MAX * self.rate()).max(1e-9)).max(1.0)
    }

    /// Estimated cost of an inference on so many pixels, in CPU seconds.
    fn cost(&self, pixels: u64) -> f64 {
        self.seconds_per_pixel.unwrap_or(FIRST_COST) * pixels as f64
    }
}
