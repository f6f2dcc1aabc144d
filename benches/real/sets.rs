//! Labelled pictures: average precision, recall and precision, by set and label.

use std::collections::BTreeSet;

use analysis::track::subjects;
use base::detection::Label;
use detector::eval::{Figures, Labelled, Seen, figures, labelled, picture};

use super::card::Row;
use super::clip::shared;
use super::network::{Network, for_each};
use super::table::{KINDS, both, heads, percent};
use super::truth;

/// Score thresholds at which boxes are counted: the minimum that the box keeps, and the minimum of a sure one.
const SCORES: [f32; 2] = [0.25, 0.45];

/// A labelled set.
pub struct Set {
    pub name: String,
    /// States if street-nano was trained on it.
    trained: String,
    /// A two-wheeler's box leaves its rider out.
    riders_apart: bool,
    pub pictures: Vec<Labelled>,
}

/// Returns the sets that are there; prints the missing ones.
pub fn sets() -> Vec<Set> {
    let text = truth::read("sets.txt");
    let entries = truth::lines(&text).filter(|words| words.len() == 4);
    let mut sets: Vec<Set> = entries
        .filter_map(|words| {
            let folder = shared().join("datasets").join(words[0]);
            if !folder.is_dir() {
                eprintln!("left out: {} is not there", folder.display());
                return None;
            }
            Some(Set {
                name: words[0].to_owned(),
                trained: words[1].to_owned(),
                riders_apart: words[2] == "apart",
                pictures: labelled(&folder, &truth::map(words[3])).unwrap(),
            })
        })
        .collect();
    if let Some(street) = sets.iter().find(|set| set.name == "coco_val128").map(street_pictures) {
        sets.push(street);
    }
    sets
}

/// Returns the pictures that show a street.
fn street_pictures(coco: &Set) -> Set {
    let text = truth::read("coco_street.txt");
    let names: BTreeSet<&str> = truth::lines(&text).map(|words| words[0]).collect();
    let pictures = coco
        .pictures
        .iter()
        .filter(|labelled| {
            let stem = labelled.picture.file_stem().unwrap().to_str().unwrap();
            names.contains(stem.trim_start_matches('0'))
        })
        .cloned()
        .collect();
    Set { name: "coco, street pictures".to_owned(), pictures, trained: coco.trained.clone(), ..*coco }
}

/// Results of a network on a set.
pub struct OfSet {
    /// Boxes as the network gives them.
    pub raw: Vec<Seen>,
    /// Riders and machines merged.
    pub merged: Vec<Seen>,
}

/// Prints a line for each label of each set. Returns the model card's rows, of the sets that are only for measuring.
pub fn print(networks: &[Network]) -> Vec<Row> {
    let mut rows = Vec::new();
    println!(
        "\nlabelled sets, percent. AP: average precision at IoU 0.5 of the networks' own boxes, as `model eval`; merged: of \
         what the box\nkeeps (0.25 and more) after riders and machines were merged (where a set boxes them apart, its boxes are \
         merged, too); then recall/precision\nat the scores 0.25 and 0.45, merged. Trained: whether street-nano learnt from \
         that set"
    );
    let head: String = "AP merged  at 0.25  at 0.45".to_owned();
    println!("{:<58}{}", "", heads(networks.iter().map(|network| network.name.as_str()), head.len()));
    print!("{:<26} {:<8} {:<16} {:>5}", "set", "trained", "", "boxes");
    println!("{}", format!(" | {head}").repeat(networks.len()));
    for set in &sets() {
        let of_networks = look(networks, set);
        for (name, labels) in KINDS {
            let lines: Vec<(Figures, Figures)> = networks
                .iter()
                .zip(&of_networks)
                .map(|(network, seen)| {
                    let of = |seen: &[Seen]| figures(labels, seen, &SCORES, network.nms_iou);
                    (of(&seen.raw), of(&seen.merged))
                })
                .collect();
            if lines[0].1.boxes > 0 && is_worth_a_line(labels, set) {
                print!("{:<26} {:<8} {:<16} {:>5}", set.name, set.trained, name, lines[0].1.boxes);
                lines.iter().for_each(|(raw, merged)| print!(" | {}", cell(raw, merged)));
                println!();
                if set.is_for_the_card() {
                    rows.push(Row {
                        what: format!("AP50, raw (merged): {name}, `{}` ({})", set.name, lines[0].1.boxes),
                        cells: lines.iter().map(|(raw, merged)| both_aps(raw, merged)).collect(),
                    });
                }
            }
        }
    }
    rows
}

impl Set {
    fn is_for_the_card(&self) -> bool {
        ["street_val/", "vn_vehicles/", "coco, street"].iter().any(|begin| self.name.starts_with(begin))
    }
}

/// The sum of cars and large vehicles says nothing new where there is only one of them.
fn is_worth_a_line(labels: &[Label], set: &Set) -> bool {
    labels.iter().all(|label| set.pictures.iter().any(|p| p.truth.iter().any(|seen| seen.label == *label)))
}

fn both_aps(raw: &Figures, merged: &Figures) -> String {
    format!("{} ({})", percent(Some(raw.ap_50)), percent(Some(merged.ap_50)))
}

fn cell(raw: &Figures, merged: &Figures) -> String {
    let [a, b] = [&merged.at[0], &merged.at[1]].map(both);
    format!("{:>2} {:>6}  {a:>7}  {b:>7}", percent(Some(raw.ap_50)), percent(Some(merged.ap_50)))
}

/// Runs every network on every picture of a set.
fn look(networks: &[Network], set: &Set) -> Vec<OfSet> {
    let looked = for_each(&set.name, networks, &set.pictures, |labelled, lookers| {
        let picture = picture(&labelled.picture).unwrap();
        lookers.iter_mut().map(|looker| looker.look(&picture)).collect::<Vec<_>>()
    });
    let mut of_networks: Vec<OfSet> =
        networks.iter().map(|_| OfSet { raw: Vec::new(), merged: Vec::new() }).collect();
    for (labelled, found) in set.pictures.iter().zip(looked) {
        let Labelled { truth, unclear, .. } = labelled;
        let merged_truth = if set.riders_apart { subjects(truth, false) } else { truth.clone() };
        for (of_network, found) in of_networks.iter_mut().zip(found) {
            let seen = |truth: &Vec<_>, found| Seen { truth: truth.clone(), unclear: unclear.clone(), found };
            of_network.raw.push(seen(truth, found.raw));
            of_network.merged.push(seen(&merged_truth, found.merged));
        }
    }
    of_networks
}
