//! The shape of a configuration: the JSON Schema of its type, and the check against it.
//!
//! serde stops at the first fault. The check here finds all of them, against the same schema that editors use. It
//! removes invalid values, so that the rest can still be read and checked further.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::choose;
use super::written::{Written, quoted};

/// JSON Schema of a configuration, pretty-printed, for editors.
pub fn json_schema<T: JsonSchema>() -> String {
    serde_json::to_string_pretty(&schema::<T>()).expect("a schema is JSON") + "\n"
}

/// The valid values of `written`; the others are noted as problems. `None` is a defect of `program`, also noted.
pub fn parse<T: JsonSchema + DeserializeOwned>(written: &mut Written, program: &str) -> Option<T> {
    let schema = schema::<T>();
    let mut root = written.root.clone();
    Shape { definitions: &schema["$defs"] }.table(written, "", &mut root, &schema);
    match serde_json::from_value(Value::Object(root)) {
        Ok(values) => Some(values),
        Err(error) => {
            let remedy = format!("report this as a defect of `{program}`");
            written.wrong("", format!("is not understood: {error}"), remedy);
            None
        }
    }
}

/// Removes null from the types, choices and defaults of one schema.
fn without_null(schema: &mut schemars::Schema) {
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            only.into_iter().for_each(|(key, value)| drop(schema.insert(key, value)));
        }
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// Schema of the configuration without null: TOML has no null, and an optional key is left out.
fn schema<T: JsonSchema>() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .with_transform(schemars::transform::RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

struct Shape<'a> {
    definitions: &'a Value,
}

impl<'a> Shape<'a> {
    /// True if the value at `path` can be used, after faults in it have been noted and, where possible, removed.
    fn value(&self, written: &mut Written, path: &str, value: &mut Value, schema: &'a Value) -> bool {
        let schema = self.resolved(schema);
        // The problem was already noted when it was read.
        if value.is_null() {
            return false;
        }
        if schema.is_null() {
            return true;
        }
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|expected| is_of_type(value, expected)) {
            let what = format!("is {}, where {} is expected", name_of(value), expected(&types));
            written.wrong(path, what, how_to_write(types[0], path));
            return false;
        }
        let choices = choices(schema);
        if !choices.is_empty() && !value.as_str().is_some_and(|word| choices.contains(&word)) {
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            written.wrong(path, format!("there is no {word:?} here"), choose(&word, choices));
            return false;
        }
        match value {
            Value::Number(number) => in_range(written, path, number, schema),
            Value::Array(items) => self.list(written, path, items, schema),
            Value::Object(table) => {
                self.table(written, path, table, schema);
                true
            }
            _ => true,
        }
    }

    fn list(&self, written: &mut Written, path: &str, items: &mut [Value], schema: &'a Value) -> bool {
        let (least, most) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
        let count = items.len() as u64;
        let mut usable = true;
        if least.is_some_and(|least| count < least) || most.is_some_and(|most| count > most) {
            let remedy = match (least, most) {
                (Some(least), Some(most)) if least == most => format!("give exactly {least}"),
                (Some(least), _) if count < least => format!("give at least {least}"),
                (_, most) => format!("give at most {}", most.unwrap_or(0)),
            };
            let plural = if count == 1 { "y" } else { "ies" };
            written.wrong(path, format!("has {count} entr{plural}"), remedy);
            usable = false;
        }
        for (index, item) in items.iter_mut().enumerate() {
            usable &= self.value(written, &format!("{path}[{index}]"), item, &schema["items"]);
        }
        usable
    }

    /// Removes unusable values from `table`. Missing keys are noted; the rest of the table can be used all the same.
    fn table(&self, written: &mut Written, path: &str, table: &mut Map<String, Value>, schema: &'a Value) {
        let variants = self.variants(written, path, table, schema);
        let parts: Vec<&Value> = std::iter::once(schema).chain(variants.iter().copied()).collect();
        let mut properties: BTreeMap<&str, &Value> = BTreeMap::new();
        for (key, schema) in parts.iter().flat_map(|part| self::properties(part)) {
            // While several variants are possible, a key with different meanings in them may have any value.
            let meant = properties.insert(key, schema).is_none_or(|other| other == schema);
            if !meant && variants.len() > 1 {
                properties.insert(key, &Value::Null);
            }
        }
        let entries = schema.get("additionalProperties").filter(|entries| entries.is_object());
        table.retain(|key, value| {
            let path = join(path, key);
            if let Some(schema) = properties.get(key.as_str()).copied().or(entries) {
                return self.value(written, &path, value, schema);
            }
            let remedy = choose(key, properties.keys().copied());
            written.wrong(&path, "there is no such key here", remedy);
            false
        });
        // While several variants are possible, their required keys are unknown.
        let chosen = if variants.len() == 1 { &parts[..] } else { &parts[..1] };
        for required in chosen.iter().filter_map(|part| part["required"].as_array()).flatten() {
            let required = required.as_str().unwrap_or_default();
            let path = join(path, required);
            if !written.is_written(&path) {
                let remedy = self.how_to_add(required, properties.get(required).copied());
                written.wrong(&path, "is missing", remedy);
            }
        }
    }

    /// Variant of a table that comes in kinds (`oneOf`, distinguished by a key with one fixed word): the schema of the written
    /// kind. All variants if the kind is missing or unknown, which is noted. Empty if the table does not come in kinds.
    fn variants(
        &self,
        written: &mut Written,
        path: &str,
        table: &mut Map<String, Value>,
        schema: &'a Value,
    ) -> Vec<&'a Value> {
        let Some(all) = schema["oneOf"].as_array() else { return Vec::new() };
        let Some((tag, _)) = all.iter().find_map(tag_and_word) else { return Vec::new() };
        let words: Vec<&str> = all.iter().filter_map(tag_and_word).map(|(_, word)| word).collect();
        let path = join(path, tag);
        match table.get(tag) {
            None => written.wrong(&path, "is missing", format!("add {tag}: {}", words.join(", "))),
            Some(Value::String(word)) => {
                let is_chosen =
                    |variant: &&Value| tag_and_word(variant).is_some_and(|(_, known)| known == word);
                if let Some(chosen) = all.iter().find(is_chosen) {
                    return vec![chosen];
                }
                written.wrong(&path, format!("there is no {tag} {word:?}"), choose(word, words));
                table.remove(tag);
            }
            // The check of the key itself notes its fault.
            Some(_) => {}
        }
        all.iter().collect()
    }

    fn how_to_add(&self, key: &str, schema: Option<&'a Value>) -> String {
        let describe = |schema: &'a Value| schema["description"].as_str();
        let text = schema.and_then(|schema| describe(schema).or_else(|| describe(self.resolved(schema))));
        text.map_or_else(|| format!("add {key}"), |text| format!("add {key}: {}", text.replace('\n', " ")))
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| &self.definitions[name])
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, schema)| (key.as_str(), schema))
}

/// The key that distinguishes a variant from the others, and its word.
fn tag_and_word(variant: &Value) -> Option<(&str, &str)> {
    properties(variant).find_map(|(key, schema)| Some((key, schema["const"].as_str()?)))
}

fn in_range(written: &mut Written, path: &str, number: &serde_json::Number, schema: &Value) -> bool {
    let bound = |name: &str| schema[name].as_f64();
    let (least, above, most) = (bound("minimum"), bound("exclusiveMinimum"), bound("maximum"));
    let value = number.as_f64().unwrap_or(f64::NAN);
    let inside = least.is_none_or(|least| value >= least)
        && above.is_none_or(|above| value > above)
        && most.is_none_or(|most| value <= most);
    if !inside {
        let from = least.map(|least| format!("at least {least}"));
        let from = from.or(above.map(|above| format!("more than {above}")));
        let to = most.map(|most| format!("at most {most}"));
        let range = from.into_iter().chain(to).collect::<Vec<_>>().join(" and ");
        let remedy = if path.ends_with(']') && (least, most) == (Some(0.0), Some(1.0)) {
            format!(
                "use {range}: pixels from the left edge divided by the picture's width, then pixels from the top \
                     edge divided by its height"
            )
        } else {
            format!("use {range}")
        };
        written.wrong(path, format!("{number} is out of range"), remedy);
    }
    inside
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(only) => vec![only],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The words that a value may be, if only certain ones are valid.
fn choices(schema: &Value) -> Vec<&str> {
    let words = |name: &str| schema[name].as_array().into_iter().flatten();
    let documented = words("oneOf").filter_map(|choice| choice["const"].as_str());
    words("enum").filter_map(Value::as_str).chain(documented).collect()
}

fn is_of_type(value: &Value, expected: &str) -> bool {
    match expected {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

fn expected(types: &[&str]) -> String {
    let mut names = Vec::new();
    for kind in types {
        names.push(match *kind {
            "string" => "text",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list",
            _ => "a table",
        });
    }
    names.join(" or ")
}

fn how_to_write(kind: &str, path: &str) -> String {
    match kind {
        "string" => "write it in quotes".to_owned(),
        "integer" => "write a whole number, without quotes".to_owned(),
        "number" => "write a number, without quotes".to_owned(),
        "boolean" => "write true or false, without quotes".to_owned(),
        "array" => "write it in brackets: [..., ...]".to_owned(),
        _ => format!("write it as a table: [{path}]"),
    }
}

fn join(path: &str, key: &str) -> String {
    let key = quoted(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
