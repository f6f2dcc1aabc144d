//! Shares of false events by camera and by rule. A share of few events says little: such ones stand behind the others.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{EventFacts, Share, count_judged};

/// Minimum number of judged events for which a share counts in the order.
pub const FALSE_RANKED_MIN: u64 = 5;
/// Maximum number of rows.
const ROWS_MAX: usize = 15;

/// Share of false events of a camera or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FalseFigures {
    /// The camera as `ward/box/camera`, or the rule's id.
    pub of: String,
    /// Its name.
    pub name: String,
    /// False ones among those that were judged true or false.
    pub share: Share,
}

impl FalseFigures {
    /// True where enough events were judged.
    pub const fn is_ranked(&self) -> bool {
        self.share.whole >= FALSE_RANKED_MIN
    }
}

/// Shares by camera.
pub(super) fn by_camera(events: &[&EventFacts]) -> Vec<FalseFigures> {
    let key = |event: &EventFacts| format!("{}/{}", event.source.sender, event.source.camera);
    ranked(events.iter().map(|event| (key(event), event.names.0.as_str(), *event)))
}

/// Shares by rule.
pub(super) fn by_rule(events: &[&EventFacts]) -> Vec<FalseFigures> {
    ranked(events.iter().map(|event| (event.source.rule.to_string(), event.names.1.as_str(), *event)))
}

fn ranked<'a>(events: impl Iterator<Item = (String, &'a str, &'a EventFacts)>) -> Vec<FalseFigures> {
    let mut found: BTreeMap<String, FalseFigures> = BTreeMap::new();
    for (of, name, event) in events {
        let row = found.entry(of.clone()).or_insert_with(|| FalseFigures {
            of,
            name: name.to_owned(),
            share: Share::default(),
        });
        count_judged(event, &mut row.share);
    }
    let mut rows: Vec<FalseFigures> = found.into_values().filter(|row| row.share.whole > 0).collect();
    rows.sort_by(|one, other| {
        // Shares as products: part / whole of one against the other.
        let (own, others) = (one.share.part * other.share.whole, other.share.part * one.share.whole);
        (Reverse(one.is_ranked()), Reverse(own), Reverse(one.share.whole)).cmp(&(
            Reverse(other.is_ranked()),
            Reverse(others),
            Reverse(other.share.whole),
        ))
    });
    rows.truncate(ROWS_MAX);
    rows
}
