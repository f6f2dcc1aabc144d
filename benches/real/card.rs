//! The figures that head the model card: a table in models/README.md, between two marks.

use std::path::PathBuf;

use super::network::Network;

const BEGIN: &str = "<!-- real footage: written by `make bench-real CARD=1` -->\n";
const END: &str = "<!-- end of real footage -->\n";

/// A measured figure, with a cell for each network.
pub struct Row {
    pub what: String,
    pub cells: Vec<String>,
}

/// Replaces the rows of the model card.
pub fn write(networks: &[Network], rows: &[Row]) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/README.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("models/README.md has a place for the table");
    let (_, after) = rest.split_once(END).expect("models/README.md says where the table ends");
    std::fs::write(&file, format!("{before}{BEGIN}{}{END}{after}", table(networks, rows))).unwrap();
    println!("\nwritten to {}", file.display());
}

fn table(networks: &[Network], rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let cells = |first: &str, others: Vec<String>| -> Vec<String> {
        std::iter::once(first.to_owned()).chain(others).collect()
    };
    let mut table = String::from("Weights:");
    for network in networks {
        table += &format!(" {} `{}`,", network.name, &network.sha256[..12]);
    }
    table.pop();
    table += ".\n\n";
    table += &line(&cells("what", networks.iter().map(|network| network.name.clone()).collect()));
    table += &line(&vec!["---".to_owned(); networks.len() + 1]);
    for row in rows {
        table += &line(&cells(&row.what, row.cells.clone()));
    }
    table
}
