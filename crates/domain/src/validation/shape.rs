//! What a request consists of, counted in its text before anything is made of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Violation;
use crate::LimitOptions;
use antiphon_protocol::Json;

/// About as many bytes as an input item takes in memory beside its texts, from its reading to its prompt.
const BYTES_OF_AN_ITEM: usize = 4096;

/// About as many bytes as any other value takes in memory beside its texts.
const BYTES_OF_A_VALUE: usize = 128;

/// How much of the name of a parameter is quoted.
const LONGEST_PARAMETER: usize = 100;

/// How much a request consists of. A value takes many times the memory of its text where that is short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestShape {
    /// The items of its input.
    pub items: usize,
    /// Its values, at every depth: what stands under a key or in an array. Of a content part, which is one value, only
    /// the breakpoint of a cache counts beside it.
    pub values: usize,
}

impl RequestShape {
    /// Counts what stands in the body of a request, up to the limits. It takes no memory but for the longest string.
    ///
    /// # Errors
    /// [`ShapeError::TooMany`] names the first parameter at which there is more than the limits allow;
    /// [`ShapeError::NoJson`] says where the text is no JSON.
    pub fn of(body: &[u8], limits: &LimitOptions) -> Result<Self, ShapeError> {
        let mut count = ShapeCount { shape: Self::default(), limits, param: String::new(), violation: None };
        let mut text = serde_json::Deserializer::from_slice(body);
        let read = PlaceCounter { place: ShapePlace::Request, count: &mut count }
            .deserialize(&mut text)
            .and_then(|()| text.end());
        match (count.violation, read) {
            (Some(violation), _) => Err(ShapeError::TooMany(violation)),
            (None, Err(error)) => Err(ShapeError::NoJson(error)),
            (None, Ok(())) => Ok(count.shape),
        }
    }

    /// About as many bytes as the request takes in memory beside its texts.
    #[must_use]
    pub const fn memory(self) -> usize {
        self.items * BYTES_OF_AN_ITEM + self.values * BYTES_OF_A_VALUE
    }
}

/// Why nothing may be made of the body of a request.
#[derive(Debug)]
pub enum ShapeError {
    /// There is too much of something in it.
    TooMany(Violation),
    /// It is no JSON.
    NoJson(serde_json::Error),
}

struct ShapeCount<'a> {
    shape: RequestShape,
    limits: &'a LimitOptions,
    /// The parameter that is being read.
    param: String,
    violation: Option<Violation>,
}

impl ShapeCount<'_> {
    fn item<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.shape.items += 1;
        let most = self.limits.input_items;
        self.allow(self.shape.items <= most, format_args!("at most {most} items"))
    }

    fn values<E: serde::de::Error>(&mut self, values: usize) -> Result<(), E> {
        self.shape.values += values;
        let most = self.limits.request_values;
        self.allow(self.shape.values <= most, format_args!("a request has at most {most} values in all"))
    }

    fn allow<E: serde::de::Error>(&mut self, allowed: bool, why: fmt::Arguments<'_>) -> Result<(), E> {
        if allowed {
            return Ok(());
        }
        let param: String = self.param.chars().take(LONGEST_PARAMETER).collect();
        self.violation = Some(Violation::invalid(param, why));
        Err(E::custom("there is too much in it"))
    }
}

/// A place in a request where something is counted.
#[derive(Clone, Copy)]
enum ShapePlace {
    Request,
    Input,
    Item,
    Content,
    ContentPart,
}

struct PlaceCounter<'c, 'l> {
    place: ShapePlace,
    count: &'c mut ShapeCount<'l>,
}

impl<'l> PlaceCounter<'_, 'l> {
    fn at(&mut self, place: ShapePlace) -> PlaceCounter<'_, 'l> {
        PlaceCounter { place, count: self.count }
    }
}

impl<'de> DeserializeSeed<'de> for PlaceCounter<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

// What is of a type that it must not be of is left to whoever reads it.
impl<'de> Visitor<'de> for PlaceCounter<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match (self.place, key.as_str()) {
                (ShapePlace::Request, "input") => {
                    key.clone_into(&mut self.count.param);
                    map.next_value_seed(self.at(ShapePlace::Input))?;
                }
                (ShapePlace::Item, "content" | "arguments" | "output" | "summary") => {
                    self.count.values(1)?;
                    map.next_value_seed(self.at(ShapePlace::Content))?;
                }
                (ShapePlace::Request | ShapePlace::Item, _)
                | (ShapePlace::ContentPart, "annotations" | "prompt_cache_breakpoint") => {
                    let written = map.next_value::<&RawValue>()?;
                    if let ShapePlace::Request = self.place {
                        self.count.param = key;
                    }
                    self.count.values(Json::count_values(written))?;
                }
                (ShapePlace::Input | ShapePlace::Content | ShapePlace::ContentPart, _) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        loop {
            let next = match self.place {
                ShapePlace::Input => {
                    let next = seq.next_element_seed(self.at(ShapePlace::Item))?;
                    next.map(|()| self.count.item()).transpose()?
                }
                ShapePlace::Content => {
                    let next = seq.next_element_seed(self.at(ShapePlace::ContentPart))?;
                    next.map(|()| self.count.values(1)).transpose()?
                }
                ShapePlace::Request | ShapePlace::Item | ShapePlace::ContentPart => {
                    seq.next_element::<IgnoredAny>()?.map(drop)
                }
            };
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
