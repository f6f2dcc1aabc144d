//! Targets, and the steps that follow where nobody takes an event.

use std::time::Duration;

use base::event::Severity;
use base::time::WallTime;

/// Number of the last level.
pub const LEVEL_MAX: u8 = 3;

/// A step of escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The sound repeats louder.
    Louder,
    /// The commander's page shows it.
    Commander,
    /// The ward's hook is called.
    Hook,
}

impl Level {
    /// All levels in their order.
    pub const ALL: [Self; LEVEL_MAX as usize] = [Self::Louder, Self::Commander, Self::Hook];

    /// Its number, from 1.
    pub const fn number(self) -> u8 {
        match self {
            Self::Louder => 1,
            Self::Commander => 2,
            Self::Hook => LEVEL_MAX,
        }
    }

    /// The level with this number; `None` for 0.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }

    /// The word for it in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Louder => "louder",
            Self::Commander => "commander",
            Self::Hook => "hook",
        }
    }
}

/// Times within which an event is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// Of critical events.
    pub critical: Duration,
    /// Of warnings.
    pub warning: Duration,
}

impl Default for Targets {
    fn default() -> Self {
        Self { critical: Duration::from_secs(30), warning: Duration::from_secs(90) }
    }
}

impl Targets {
    /// The target of a severity; notices have none.
    pub const fn of(self, severity: Severity) -> Option<Duration> {
        match severity {
            Severity::Critical => Some(self.critical),
            Severity::Warning => Some(self.warning),
            Severity::Notice => None,
        }
    }
}

/// Settings of escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escalation {
    /// Waiting time after which the sound repeats louder.
    pub louder: Duration,
    /// Waiting time after which the commander's page shows it.
    pub commander: Duration,
    /// Waiting time after which the hook is called.
    pub hook: Duration,
    /// Lowest severity that escalates.
    pub least: Severity,
}

impl Default for Escalation {
    fn default() -> Self {
        Self {
            louder: Duration::from_secs(60),
            commander: Duration::from_secs(180),
            hook: Duration::from_secs(300),
            least: Severity::Warning,
        }
    }
}

impl Escalation {
    /// Waiting time of a level.
    pub const fn after(&self, level: Level) -> Duration {
        match level {
            Level::Louder => self.louder,
            Level::Commander => self.commander,
            Level::Hook => self.hook,
        }
    }

    /// Shortest waiting time of all levels.
    pub fn first(&self) -> Duration {
        self.louder.min(self.commander).min(self.hook)
    }

    /// Levels that are due for an event that has waited since `since` and has reached level `reached`, in order.
    pub fn due(&self, severity: Severity, since: WallTime, reached: u8, now: WallTime) -> Vec<Level> {
        if severity < self.least {
            return Vec::new();
        }
        let waited = now.since(since);
        let is_due = |level: &Level| level.number() > reached && waited >= self.after(*level);
        // A level counts as reached with the one after it.
        let highest = Level::ALL.into_iter().filter(is_due).map(Level::number).max().unwrap_or(0);
        Level::ALL.into_iter().filter(|level| (reached + 1..=highest).contains(&level.number())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: WallTime = WallTime::from_micros(1_777_673_643_000_000);

    fn due(severity: Severity, reached: u8, seconds: u64) -> Vec<u8> {
        let now = START + Duration::from_secs(seconds);
        Escalation::default().due(severity, START, reached, now).into_iter().map(Level::number).collect()
    }

    #[test]
    fn each_step_is_due_once_after_its_time() {
        for (reached, seconds, expected) in [
            (0, 59, &[][..]),
            (0, 60, &[1]),
            (1, 60, &[]),
            (1, 180, &[2]),
            (2, 299, &[]),
            (2, 300, &[3]),
            (3, 9999, &[]),
            // After a stop of the post.
            (0, 9999, &[1, 2, 3]),
        ] {
            assert_eq!(due(Severity::Critical, reached, seconds), expected, "{reached} after {seconds} s");
        }
        assert!(due(Severity::Notice, 0, 9999).is_empty());
        // The clock went back.
        let now = START - Duration::from_secs(3600);
        assert_eq!(Escalation::default().due(Severity::Critical, START, 0, now), []);
    }

    #[test]
    fn a_hook_before_the_commander_brings_the_steps_before_it() {
        let settings = Escalation { hook: Duration::from_secs(10), ..Escalation::default() };
        let now = START + Duration::from_secs(10);
        assert_eq!(settings.due(Severity::Warning, START, 0, now), Level::ALL);
    }

    #[test]
    fn levels_are_known_by_their_numbers() {
        for level in Level::ALL {
            assert_eq!(Level::of(level.number()), Some(level));
        }
        assert_eq!((Level::of(0), Level::of(4)), (None, None));
    }
}
