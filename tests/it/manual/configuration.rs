//! wardwatch.toml(5), made of the schema that `wardwatch check` and editors use.

use std::fmt::Write as _;

use serde_json::Value;

const BEFORE: &str = r#".ie \n(.g .ds Aq \(aq
.el .ds Aq '
.TH WARDWATCH.TOML 5  "wardwatch"
.SH NAME
wardwatch.toml \- configuration of a wardwatch box
.SH SYNOPSIS
/etc/wardwatch/wardwatch.toml
.br
/etc/wardwatch/conf.d/*.toml
.SH DESCRIPTION
"#;

const AFTER: &str = r#".SH FILES
.TP
/usr/share/wardwatch/wardwatch.toml
a configuration that has every key once, with comments
.TP
/usr/share/wardwatch/config.schema.json
the JSON Schema, for editors
.SH "SEE ALSO"
wardwatch\-check(1), wardwatch\-doctor(1), wardwatch\-picture(1), wardwatch\-run(1)
"#;

/// The page for a schema as [`wardwatch::config::json_schema`] prints it.
pub(super) fn page(schema: &str) -> Vec<u8> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let mut page = Page { definitions: &schema["$defs"], text: BEFORE.to_owned() };
    page.paragraph(schema["description"].as_str().unwrap_or_default());
    page.paragraph(
        "An unknown key is an error. `wardwatch check` names every problem with its line and its remedy.",
    );
    for (key, table) in properties(&schema) {
        match &table["additionalProperties"] {
            entries if entries.is_object() => page.table("SH", &format!("{key}.ID"), entries, table),
            _ => page.table("SH", key, table, table),
        }
    }
    page.text.push_str(AFTER);
    page.text.into_bytes()
}

struct Page<'a> {
    definitions: &'a Value,
    text: String,
}

impl<'a> Page<'a> {
    /// A section about a table, with a subsection for each table of tables and each kind in it.
    fn table(&mut self, section: &str, name: &str, table: &'a Value, outer: &'a Value) {
        let table = self.resolved(table);
        let _ = writeln!(self.text, ".{section} \"[{name}]\"");
        self.paragraph(description(outer).or(description(table)).unwrap_or_default());
        let (tables, keys): (Vec<_>, Vec<_>) =
            properties(table).partition(|(_, schema)| schema["additionalProperties"].is_object());
        for (key, schema) in keys {
            let is_required =
                table["required"].as_array().is_some_and(|all| all.iter().any(|one| one == key));
            self.key(key, schema, is_required);
        }
        for (key, schema) in tables {
            self.table("SS", &format!("{name}.{key}.ID"), &schema["additionalProperties"], schema);
        }
        for kind in table["oneOf"].as_array().into_iter().flatten() {
            let word = kind["properties"]["kind"]["const"].as_str().unwrap_or_default();
            let _ = writeln!(self.text, ".SS \"kind = \\(dq{}\\(dq\"", escaped(word));
            self.paragraph(description(kind).unwrap_or_default());
            for (key, schema) in properties(kind).filter(|(key, _)| !["kind", "night"].contains(key)) {
                let is_required =
                    kind["required"].as_array().is_some_and(|all| all.iter().any(|one| one == key));
                self.key(key, schema, is_required);
            }
        }
        if table["oneOf"].is_array() {
            self.paragraph("A table `night` below a rule has other numbers of its kind for the night.");
        }
    }

    fn key(&mut self, key: &str, schema: &'a Value, is_required: bool) {
        let meant = self.resolved(schema);
        let default = schema.get("default").or(meant.get("default"));
        let default = match default {
            Some(Value::Array(items)) if items.is_empty() => Some("none".to_owned()),
            Some(value) => Some(shown(value, meant)),
            None => None,
        };
        let more = match (is_required, default) {
            (true, _) => " (required)".to_owned(),
            (false, Some(default)) => format!(" (default: {default})"),
            (false, None) => String::new(),
        };
        let _ = writeln!(self.text, ".TP\n\\fB{}\\fR{}", escaped(key), escaped(&more));
        let text = description(schema).or(description(meant)).unwrap_or_default();
        let _ = writeln!(self.text, "{}", escaped(&text.replace('\n', " ")));
        let of_items = self.resolved(&meant["items"]);
        for choice in [meant, of_items].iter().flat_map(|of| of["oneOf"].as_array()).flatten() {
            let word = choice["const"].as_str().unwrap_or_default();
            let about = description(choice).unwrap_or_default().replace('\n', " ");
            let _ = writeln!(self.text, ".br\n\\(dq{}\\(dq: {}", escaped(word), escaped(&about));
        }
        if let Some(range) = range(meant) {
            let _ = writeln!(self.text, ".br\nAllowed: {}.", escaped(&range));
        }
        for (inner, schema) in properties(meant).chain(properties(of_items)) {
            let text = description(schema).unwrap_or_default().replace('\n', " ");
            let _ = writeln!(self.text, ".br\n\\fI{}\\fR: {}", escaped(inner), escaped(&text));
        }
    }

    fn paragraph(&mut self, text: &str) {
        for part in text.split("\n\n").filter(|part| !part.is_empty()) {
            let _ = writeln!(self.text, "{}\n.PP", escaped(&part.replace('\n', " ")));
        }
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.definitions[name])
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, schema)| (key.as_str(), schema))
}

fn description(schema: &Value) -> Option<&str> {
    schema["description"].as_str()
}

/// A default as it is written in TOML.
fn shown(value: &Value, schema: &Value) -> String {
    match value {
        // The schema has the nearest double of a single.
        Value::Number(number) if schema["format"] == "float" => {
            number.as_f64().map_or_else(|| number.to_string(), |number| (number as f32).to_string())
        }
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Value::Object(table) => {
            let parts: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        other => other.to_string(),
    }
}

fn range(schema: &Value) -> Option<String> {
    let bound = |name: &str| schema[name].as_f64();
    let from = bound("minimum").map(|least| format!("at least {least}"));
    let from = from.or(bound("exclusiveMinimum").map(|above| format!("more than {above}")));
    let to = bound("maximum").map(|most| format!("at most {most}"));
    match (from, to) {
        (Some(from), Some(to)) => Some(format!("{from}, {to}")),
        (from, to) => from.or(to),
    }
}

/// Text as roff takes it: no escape, no request at the start of a line.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}
