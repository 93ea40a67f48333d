//! The keys of a TOML file, each with its line.

use config::{Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Leaf;
use crate::config::{Origin, Problem};

/// The keys of a file, and what is wrong with its form.
pub(in crate::config) fn of_file(name: &str, text: &str) -> (Vec<Leaf>, Vec<Problem>) {
    let file = Lines { name, text };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors.iter().map(|error| file.problem(error)).collect();
    // One mistake can be found in several ways.
    problems.dedup_by_key(|problem| problem.origin.clone());
    let mut leaves = Vec::new();
    // What was skipped to go on is not what was meant, so that nothing more is said about a file that is no TOML.
    if problems.is_empty() {
        file.table(&mut Vec::new(), table.get_ref(), &mut leaves);
    }
    (leaves, problems)
}

struct Lines<'a> {
    name: &'a str,
    text: &'a str,
}

impl Lines<'_> {
    /// The parser's own text would quote the line, which may hold a secret.
    fn problem(&self, error: &toml::de::Error) -> Problem {
        let origin = self.at(error.span().map_or(0, |span| span.start));
        Problem::new(origin.to_string(), None, format!("this is not TOML: {}", error.message())).at(origin)
    }

    fn at(&self, offset: usize) -> Origin {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        Origin::File { name: self.name.to_owned(), line }
    }

    fn table(&self, path: &mut Vec<String>, table: &DeTable<'_>, leaves: &mut Vec<Leaf>) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.get_ref().as_ref());
        for (key, value) in entries {
            path.push(key.get_ref().to_string());
            let section = value.get_ref().as_table().filter(|table| !table.is_empty());
            if let Some(section) = section {
                self.table(path, section, leaves);
            } else {
                let origin = self.at(Spanned::span(key).start);
                leaves.push(Leaf { path: path.clone(), value: of(value.get_ref()), origin });
            }
            path.pop();
        }
    }
}

fn of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::new(None, text.as_ref()),
        // A number that has no place in 64 bits stays a text, which is then told to be no number.
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
            let entries = table.iter().map(|(key, value)| (key.get_ref().to_string(), of(value.get_ref())));
            Value::new(None, entries.collect::<Map<_, _>>())
        }
    }
}
