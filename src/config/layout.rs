//! Where the options of a section are in its struct.
//!
//! A section of the file is flat. Its struct may keep some of its options in structs of other modules: a provider and
//! its models share the timeouts, for instance. The field of such a group has a name that begins with `..`.

use std::marker::PhantomData;

use serde::Serialize;
use serde_json::{Map, Value};

/// What the name of a group begins with.
const GROUP: &str = "..";

/// The key that stands for any name in a map of sections.
pub(super) const ANY_NAME: &str = "*";

/// Where the options are in a `T`.
pub(super) struct Layout<T> {
    shape: Value,
    of: PhantomData<T>,
}

impl<T: Serialize> Layout<T> {
    /// The layout that the fields of `sample` have. In a map its entry [`ANY_NAME`] stands for all.
    pub(super) fn of(sample: &T) -> Self {
        Self { shape: serde_json::to_value(sample).unwrap_or_default(), of: PhantomData }
    }

    /// The path of fields that leads to an option. An unknown option stays where it was written.
    pub(super) fn field_path(&self, option: &[String]) -> Vec<String> {
        let mut fields = Vec::new();
        descend(&self.shape, option, &mut fields);
        fields
    }

    /// The names of options that the fields of one struct stand for: a group stands for all options that are in it.
    pub(super) fn option_names(&self, fields: Vec<String>) -> Vec<String> {
        let own = struct_with(&self.shape, &fields);
        let names = |field: String| match own.and_then(|own| group_of(own, &field)) {
            Some(group) => names_in(group),
            None => vec![field],
        };
        fields.into_iter().flat_map(names).collect()
    }
}

/// Whether this is the name of a group; in a configuration it is not allowed.
pub(super) fn is_group(name: &str) -> bool {
    name.starts_with(GROUP)
}

/// The path of an option, from the path of its field.
pub(super) fn option_path(fields: &[String]) -> Vec<String> {
    fields.iter().filter(|field| !is_group(field)).cloned().collect()
}

fn descend(shape: &Value, option: &[String], fields: &mut Vec<String>) {
    let [name, rest @ ..] = option else { return };
    let mut shape = shape;
    while let Some((group, inner)) = group_with(shape, name) {
        fields.push(group.clone());
        shape = inner;
    }
    fields.push(name.clone());
    let inner = shape.get(name).or_else(|| shape.get(ANY_NAME)).unwrap_or(&Value::Null);
    descend(inner, rest, fields);
}

/// The group of a struct that has this option, or whose groups have it.
fn group_with<'a>(shape: &'a Value, name: &str) -> Option<(&'a String, &'a Value)> {
    let fields = shape.as_object()?;
    if fields.contains_key(name) {
        return None;
    }
    let has = |inner: &Value| inner.get(name).is_some() || group_with(inner, name).is_some();
    fields.iter().find(|(field, inner)| is_group(field) && has(inner))
}

/// The struct that has the most of these fields; an option without a value may be missing in the sample.
fn struct_with<'a>(shape: &'a Value, fields: &[String]) -> Option<&'a Map<String, Value>> {
    let own = shape.as_object()?;
    let inner = own.values().filter_map(|inner| struct_with(inner, fields));
    inner.chain([own]).max_by_key(|of| fields.iter().filter(|field| of.contains_key(*field)).count())
}

fn group_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    fields.get(name).filter(|_| is_group(name))?.as_object()
}

fn names_in(fields: &Map<String, Value>) -> Vec<String> {
    let names = |field: &String| group_of(fields, field).map_or_else(|| vec![field.clone()], names_in);
    fields.keys().flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Layout, option_path};

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn an_option_of_a_group_is_in_the_group_and_all_others_are_where_they_are_written() {
        let inner = json!({ "kind": null, "..limits": { "queue": 1, "..gate": { "width": 1 } } });
        let other = json!({ "listen": "", "..limits": { "length": 1 } });
        let layout = Layout::of(&json!({ "server": other, "providers": { "*": inner } }));
        for (option, field) in [
            ("server/listen", "server/listen"),
            ("server/width", "server/width"),
            ("providers/a/kind", "providers/a/kind"),
            ("providers/a/queue", "providers/a/..limits/queue"),
            ("providers/a/width", "providers/a/..limits/..gate/width"),
            ("providers/a/none/width", "providers/a/none/width"),
            ("none", "none"),
        ] {
            assert_eq!(layout.field_path(&path(option)), path(field));
            assert_eq!(option_path(&path(field)), path(option));
        }
        let fields = vec!["kind".to_owned(), "..limits".to_owned()];
        assert_eq!(layout.option_names(fields), ["kind", "queue", "width"]);
    }
}
