//! Events of the duty officer: alerts that belong together, and the decisions of people about them.
//!
//! Pure: time is an argument, and nothing here reads or writes. [`crate::storage`] keeps the rows, and asks here which event
//! an alert belongs to, which state a decision leads to, and which step is due.

mod escalation;
mod figures;
mod flood;
mod grouping;
mod outcome;
mod people;
mod shelving;
mod state;

pub use escalation::{Escalation, LEVEL_MAX, Level, Targets};
pub use figures::{
    AwayFacts, CameraAway, Course, DayFigures, EventFacts, FALSE_RANKED_MIN, Facts, FalseFigures, Figures,
    Load, Period, SEVERITIES, Share, SourceFigures, TO_TAKE_BELOW, Times,
};
pub use flood::{FLOOD_ABOVE, FLOOD_BELOW, FLOOD_SPAN, Flood, Source, worst};
pub use grouping::{Candidate, GroupBy, Grouping};
pub use outcome::{Outcome, Truth};
pub use people::{Authority, InvalidText, Note, Officer, Who};
pub(crate) use shelving::check_end;
pub use shelving::{Covered, ShelfRefusal, ShelfScope, shelf_max};
pub use state::{Action, Decided, PARK_MAX, Refusal, State, Taken};
