//! The options in a TOML file, each with its line.

use config::{Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigEntry;
use crate::config::{Problem, ValueSource};

/// The entries of a file, and what is wrong with its form.
pub(in crate::config) fn of_file(name: &str, text: &str) -> (Vec<ConfigEntry>, Vec<Problem>) {
    let file = TomlFile { name, text };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors.iter().map(|error| file.problem(error)).collect();
    // One mistake can be found in several ways.
    problems.dedup_by_key(|problem| problem.source.clone());
    let mut entries = Vec::new();
    // The parser skips what it can't read, so that the rest may mean something else than was written.
    if problems.is_empty() {
        file.table(&mut Vec::new(), table.get_ref(), &mut entries);
    }
    (entries, problems)
}

struct TomlFile<'a> {
    name: &'a str,
    text: &'a str,
}

impl TomlFile<'_> {
    /// The parser's own text would quote the line, which may hold a secret.
    fn problem(&self, error: &toml::de::Error) -> Problem {
        let source = self.at(error.span().map_or(0, |span| span.start));
        Problem::new(source.to_string(), None, format!("this is not TOML: {}", error.message())).at(source)
    }

    fn at(&self, offset: usize) -> ValueSource {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        ValueSource::File { name: self.name.to_owned(), line }
    }

    fn table(&self, path: &mut Vec<String>, table: &DeTable<'_>, entries: &mut Vec<ConfigEntry>) {
        let mut fields: Vec<_> = table.iter().collect();
        fields.sort_by_key(|(key, _)| key.get_ref().as_ref());
        for (key, value) in fields {
            path.push(key.get_ref().to_string());
            let section = value.get_ref().as_table().filter(|table| !table.is_empty());
            if let Some(section) = section {
                self.table(path, section, entries);
            } else {
                let source = self.at(Spanned::span(key).start);
                entries.push(ConfigEntry { path: path.clone(), value: of(value.get_ref()), source });
            }
            path.pop();
        }
    }
}

fn of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::new(None, text.as_ref()),
        // A number that does not fit in 64 bits stays a text, which is then refused.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::new(None, number.as_str()), |number| Value::new(None, number)),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| Value::new(None, number.as_str()), |number| Value::new(None, number)),
        DeValue::Boolean(truth) => Value::new(None, *truth),
        DeValue::Datetime(time) => Value::new(None, time.to_string()),
        DeValue::Array(array) => {
            Value::new(None, ValueKind::Array(array.iter().map(|value| of(value.get_ref())).collect()))
        }
        DeValue::Table(table) => {
            let fields = table.iter().map(|(key, value)| (key.get_ref().to_string(), of(value.get_ref())));
            Value::new(None, fields.collect::<Map<_, _>>())
        }
    }
}
