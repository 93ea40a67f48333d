//! JSON as it was written.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny};
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// One JSON value as it was written: the order of its keys, its numbers and keys that come twice are what they were.
/// Only white space outside of strings is dropped, so that it has one line.
///
/// Reading and writing need the deserializer and serializer of `serde_json`, with nothing in between that buffers
/// values: no internally tagged or untagged enum, and no flattened field.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// How deeply a value may be nested: as deeply as `serde_json` reads it in the third level of a document.
    pub const MOST_LEVELS: usize = 124;

    /// What the error of a value that is nested too deeply says.
    pub const TOO_DEEP: &str = "the value is nested too deeply";

    /// The value's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.as_str().starts_with('{')
    }

    /// Whether it is the value `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    /// An object with one more key at its end, if it does not have the key; what is no object stays as it is.
    #[must_use]
    pub fn or_with(&self, key: &str, word: &str) -> Self {
        let Some(written) = self.as_str().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return self.clone();
        };
        match serde_json::from_str::<BTreeMap<String, IgnoredAny>>(self.as_str()) {
            Ok(keys) if !keys.contains_key(key) => {
                let comma = if keys.is_empty() { "" } else { "," };
                Self::of_text(format!("{{{written}{comma}{}:{}}}", Value::from(key), Value::from(word)))
            }
            Ok(_) | Err(_) => self.clone(),
        }
    }

    /// How deeply it is nested; 0 for what is no array and no object.
    #[must_use]
    pub fn levels(&self) -> usize {
        levels(self.as_str())
    }

    /// How many values a text holds: itself, and at least what stands under keys and in arrays at every depth.
    #[must_use]
    pub fn count_values(written: &RawValue) -> usize {
        let opens = |(c, of_string): &(char, bool)| !of_string && matches!(c, ',' | '[' | '{');
        1 + with_strings(written.get()).filter(opens).count()
    }

    /// Reads a value that is not nested too deeply.
    pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<RawValue>, D::Error> {
        let written = Box::<RawValue>::deserialize(deserializer)?;
        // A raw value is read without a stack, so without the limit of all other values.
        match levels(written.get()) > Self::MOST_LEVELS {
            true => Err(D::Error::custom(Self::TOO_DEEP)),
            false => Ok(written),
        }
    }

    /// The text of a value without the white space outside of strings.
    pub(crate) fn compact(written: &RawValue) -> impl Iterator<Item = char> {
        with_strings(written.get()).filter(|(c, of_string)| *of_string || !c.is_ascii_whitespace()).map(|(c, _)| c)
    }

    /// A value without white space.
    pub(crate) fn of_raw(value: &RawValue) -> Self {
        Self(value.to_owned().into())
    }

    #[expect(clippy::expect_used, reason = "only called with JSON")]
    fn of_text(text: String) -> Self {
        Self(RawValue::from_string(text).expect("the text is JSON").into())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        Self::of_text(value.to_string())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Value::from(text).into()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

// What clients send is content, and content is in no log.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text as it came is gone before its copy is shared: one of many megabytes is in memory twice, not three times.
        let compact = Self::compact(&Self::read(deserializer)?).collect();
        Ok(Self::of_text(compact))
    }
}

/// Tells of each character of a JSON text whether it is part of a string, its quotes included.
fn with_strings(text: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut in_string, mut escaped) = (false, false);
    text.chars().map(move |c| {
        let was_in_string = in_string;
        if c == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = was_in_string && c == '\\' && !escaped;
        (c, was_in_string || in_string)
    })
}

/// How deeply a JSON text is nested.
fn levels(text: &str) -> usize {
    let mut open = 0_usize;
    let opened = with_strings(text).map(|(c, of_string)| {
        match c {
            '[' | '{' if !of_string => open += 1,
            ']' | '}' if !of_string => open = open.saturating_sub(1),
            _ => {}
        }
        open
    });
    opened.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn json(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_value_stays_as_it_was_written() {
        for text in [
            r#"{"z":1.0,"a":9223372036854775808,"m":1e400,"a":-0.10E+5}"#,
            r#"{"digits":123456789012345678901234567890.000}"#,
            r#"["\u00e9 \ud83d\ude00 \"\\","  \t",null,true]"#,
            "7",
            r#""""#,
        ] {
            assert_eq!(json(text).as_str(), text);
            assert_eq!(serde_json::to_string(&json(text)).unwrap(), text);
        }
        assert_eq!(json(" { \"a b\" :\n [ 1 ,\t2 ] }\r\n").as_str(), r#"{"a b":[1,2]}"#);
    }

    #[test]
    fn depth_is_limited_as_it_is_for_other_values() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(json(&nested(Json::MOST_LEVELS)).as_str(), nested(Json::MOST_LEVELS));
        for levels in [Json::MOST_LEVELS + 1, 10_000, 1_000_000] {
            let error = serde_json::from_str::<Json>(&nested(levels)).unwrap_err();
            assert!(error.to_string().starts_with(Json::TOO_DEEP), "{error}");
        }
        assert!(serde_json::from_str::<Json>(r#"["[[[[","]"]"#).is_ok());
    }

    #[test]
    fn a_key_is_added_only_where_it_is_missing() {
        let with_type = |text: &str| json(text).or_with("type", "object").as_str().to_owned();
        assert_eq!(with_type("{}"), r#"{"type":"object"}"#);
        assert_eq!(with_type(r#"{"b":1.0,"a":{"type":2}}"#), r#"{"b":1.0,"a":{"type":2},"type":"object"}"#);
        for same in [r#"{"type":null,"type":"x"}"#, "[]", "3", r#""{}""#] {
            assert_eq!(with_type(same), same);
        }
    }

    /// Any JSON text, with white space where it may be.
    fn written() -> impl Strategy<Value = String> {
        let space = "[ \n\t\r]{0,3}";
        let string = "\"([^\"\\\\\\x00-\\x1f]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-c][0-9a-f]{3}){0,8}\"";
        let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?";
        let leaf = prop_oneof![string, number, "true|false|null"];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            let spaced = (space, inner, space).prop_map(|(before, value, after)| before + &value + &after);
            let values = prop::collection::vec(spaced.clone(), 0..6).prop_map(|of| format!("[{}]", of.join(",")));
            let pair = (string, space, spaced).prop_map(|(key, space, value)| format!("{key}{space}:{value}"));
            let pairs = prop::collection::vec(pair, 1..6).prop_map(|of| format!("{{{}}}", of.join(",")));
            prop_oneof![values, pairs]
        })
    }

    /// The tokens of a JSON text, found in another way than by the code under test.
    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<Box<RawValue>>();
            let length = if c == '"' {
                strings.next().unwrap().unwrap();
                strings.byte_offset()
            } else {
                c.len_utf8()
            };
            if !c.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            rest = &rest[length..];
        }
        tokens
    }

    proptest! {
        #[test]
        fn any_json_comes_out_as_it_went_in_but_for_white_space(text in written()) {
            let json = json(&text);
            prop_assert_eq!(tokens(json.as_str()).concat(), tokens(&text).concat());
            prop_assert!(!json.as_str().contains(['\n', '\r']));
            prop_assert_eq!(&json, &serde_json::from_str(json.as_str()).unwrap());
        }
    }
}
