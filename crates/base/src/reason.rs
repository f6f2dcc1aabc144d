//! The reason of an alert as a code with numbers. A box writes it beside its English text, and the post words it in its
//! own language.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reason for which a rule fired. A reader that does not know its code shows the text of the alert instead.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// Name of the sentence, such as `in-zone`.
    pub code: String,
    /// Name of the zone or the tripwire, as people call it; absent for the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Numbers of the sentence, by name. A name that ends in `_needed` is the rule's limit for the one without.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numbers: BTreeMap<String, f32>,
}

impl Reason {
    /// The reason with this code.
    pub fn new(code: Code) -> Self {
        Self { code: code.as_str().to_owned(), ..Self::default() }
    }

    /// The same reason at a zone or a tripwire with this name.
    #[must_use]
    pub fn at(mut self, place: Option<&str>) -> Self {
        self.place = place.map(str::to_owned);
        self
    }

    /// The same reason with a number more, to the hundredth. A number that is not finite is left out.
    #[must_use]
    pub fn with(mut self, name: &str, number: f32) -> Self {
        if number.is_finite() {
            self.numbers.insert(name.to_owned(), (number * 100.0).round() / 100.0);
        }
        self
    }

    /// The same reason with a number of seconds, and the rule's limit for it.
    #[must_use]
    pub fn for_seconds(self, seconds: f32, needed: f32) -> Self {
        self.with("seconds", seconds).with("seconds_needed", needed)
    }
}

/// The codes, with the numbers of each.
macro_rules! codes {
    ($( $(#[$doc:meta])* $code:ident = $word:literal; )+) => {
        /// Codes of reasons.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $( $(#[$doc])* $code, )+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$( Self::$code, )+];

            /// The word for it in messages.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$code => $word, )+
                }
            }
        }
    };
}

codes! {
    /// A subject stays in the place: `seconds`.
    InZone = "in-zone";
    /// A subject crossed the line from its left to its right: `score`.
    CrossedToRight = "crossed-to-right";
    /// A subject crossed the line from its right to its left: `score`.
    CrossedToLeft = "crossed-to-left";
    /// A subject came into the place from outside.
    EnteredZone = "entered-zone";
    /// A subject came into view inside of the place, and moves there: `seconds`.
    AppearedInZone = "appeared-in-zone";
    /// A subject goes against the direction: `lengths` of its own, `seconds`, `degrees` off the direction.
    WrongWay = "wrong-way";
    /// A subject hangs about in the place: `seconds`.
    Loitering = "loitering";
    /// A subject hangs about beside a parked two-wheeler: `seconds`.
    LoiteringBesideParked = "loitering-beside-parked";
    /// Many are in the place at once: `count`, `seconds`; `density` on 100 square metres where the rule asks for it.
    Crowd = "crowd";
    /// A vehicle stands in the place: `seconds`.
    Stopped = "stopped";
    /// Several are fast together: `count`, `kmh` of the slowest, `kmh_highest`, within `seconds`.
    SpeedingGroup = "speeding-group";
    /// A subject stands in the place with nobody near it: `seconds`.
    LeftAlone = "left-alone";
    /// A thing was put down and left in the place: `seconds`.
    ThingLeft = "thing-left";
    /// A vehicle that had stood in the place was taken away: `seconds`.
    TakenAway = "taken-away";
    /// A vehicle that had stood in the place is gone, and one that began beside it went off: `seconds`.
    GoneAsAnother = "gone-as-another";
    /// The camera's picture stays the same: `seconds`.
    PictureFrozen = "picture-frozen";
    /// The camera is blacked out: `seconds`, `in_place_percent` of what stands still is in its place.
    CameraBlackedOut = "camera-blacked-out";
    /// The camera has been moved; numbers as above.
    CameraMoved = "camera-moved";
    /// The camera is out of focus; numbers as above.
    CameraDefocused = "camera-defocused";
    /// The camera is covered or sprayed; numbers as above.
    CameraCovered = "camera-covered";
    /// The camera gives no picture: `seconds`.
    NoPicture = "no-picture";
    /// The camera has given no picture since the box started: `seconds`.
    NoPictureSinceStart = "no-picture-since-start";
}

impl Code {
    /// The code with this word; `None` for an unknown one.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_in_a_message_and_reads_back() {
        let reason = Reason::new(Code::InZone).at(Some("Sân")).for_seconds(2.404, 2.0);
        let text = serde_json::to_string(&reason).unwrap();
        assert_eq!(
            text,
            r#"{"code":"in-zone","place":"Sân","numbers":{"seconds":2.4,"seconds_needed":2.0}}"#
        );
        assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), reason);
        assert!(reason.with("score", f32::NAN).numbers.len() == 2);
    }

    #[test]
    fn every_code_is_known_by_its_word() {
        for code in Code::ALL {
            assert_eq!(Code::of(code.as_str()), Some(*code));
        }
        assert_eq!(Code::of("from-the-future"), None);
    }
}
