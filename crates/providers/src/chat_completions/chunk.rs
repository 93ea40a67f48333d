//! What a chunk of a Chat Completions stream holds, as far as it is used. Unknown fields are ignored, and null is
//! the same as absent: many servers write null where others leave the key out.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::chunk_form::CHUNK;
use super::usage::ChunkUsage;
use crate::lenient::{self, Object};
use crate::limits::LONGEST_TIER;
use crate::raw_json::select;
use crate::text_piece::TextPiece;
use antiphon_protocol::{LogProb, TopLogProb, Usage};

/// The fields of a [`Chunk`].
const OF_CHUNKS: [&str; 6] = ["error", "object", "choices", "usage", "service_tier", "x_groq"];

/// One `data:` of the stream. Beside what holds words and calls, no field can fail.
#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    /// The provider reports an error, in whatever shape.
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    /// `"error"` in the older shape of an error.
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Object<ChunkChoice<'a>>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    x_groq: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ChunkChoice<'a> {
    #[serde(deserialize_with = "lenient::place")]
    pub(super) index: Option<u64>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) delta: Option<ChunkDelta<'a>>,
    /// The whole answer, from servers that do not stream it.
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) message: Option<ChunkDelta<'a>>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) finish_reason: Option<TextPiece>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
    /// The provider reports an error of this choice.
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ChunkDelta<'a> {
    #[serde(deserialize_with = "content")]
    pub(super) content: Option<DeltaContent>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) refusal: Option<TextPiece>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) reasoning_content: Option<TextPiece>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) reasoning: Option<TextPiece>,
    /// A list of objects.
    #[serde(borrow)]
    pub(super) reasoning_details: Option<&'a RawValue>,
    /// What Google's models sign their words with.
    #[serde(borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<CallDelta<'a>>>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    pub(super) function_call: Option<FunctionDelta<'a>>,
}

/// The content, as text or in parts.
pub(super) enum DeltaContent {
    Text(TextPiece),
    Parts(Vec<DeltaPart>),
}

/// A part of the content.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DeltaPart {
    #[serde(rename = "type", deserialize_with = "lenient::word")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) text: Option<TextPiece>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) refusal: Option<TextPiece>,
    /// Mistral's form of reasoning.
    #[serde(deserialize_with = "thinking")]
    pub(super) thinking: Option<TextPiece>,
}

/// A piece of a tool call.
#[derive(Default)]
pub(super) struct CallDelta<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionDelta<'a>>,
    /// What its model needs back with the call, not read yet.
    pub(super) others: Vec<(String, &'a RawValue)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionDelta<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) name: Option<TextPiece>,
    /// Text, or, from some servers, the object that the text should have been.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct LogProbs {
    content: Option<Vec<TokenLogProb>>,
}

#[derive(Deserialize)]
struct TokenLogProb {
    token: TextPiece,
    logprob: f64,
    bytes: Option<Vec<u8>>,
    top_logprobs: Option<Vec<AlternativeLogProb>>,
}

#[derive(Deserialize)]
struct AlternativeLogProb {
    token: TextPiece,
    logprob: f64,
    bytes: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Extension<'a> {
    usage: Option<ChunkUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Content is text or parts; anything else would be words that can't be read.
fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DeltaContent>, D::Error> {
    let json = <&RawValue>::deserialize(deserializer)?;
    match json.get().as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => Ok(TextPiece::parse(json.get()).map(DeltaContent::Text)),
        Some(b'[' | b'{') => {
            let parts: Option<Vec<_>> = lenient::entries(json).into_iter().map(DeltaPart::of).collect();
            parts
                .map(|parts| Some(DeltaContent::Parts(parts)))
                .ok_or_else(|| D::Error::custom("a part of no known form"))
        }
        Some(_) | None => Err(D::Error::custom("content that is neither text nor parts")),
    }
}

impl DeltaPart {
    /// Reads a part, which can be a text alone; null is one that says nothing. None for what can't be read.
    fn of(json: &RawValue) -> Option<Self> {
        match json.get().as_bytes().first() {
            Some(b'n') => Some(Self::default()),
            Some(b'"') => TextPiece::parse(json.get()).map(|text| Self { text: Some(text), ..Self::default() }),
            Some(b'{') => lenient::value(json),
            Some(_) | None => None,
        }
    }
}

// By hand: with `flatten`, unknown fields would be read before they are counted.
impl<'de: 'a, 'a> Deserialize<'de> for CallDelta<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CallVisitor(PhantomData))
    }
}

struct CallVisitor<'a>(PhantomData<CallDelta<'a>>);

impl<'de: 'a, 'a> Visitor<'de> for CallVisitor<'a> {
    type Value = CallDelta<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tool call")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CallDelta<'a>, A::Error> {
        let mut call = CallDelta::default();
        while let Some(key) = map.next_key::<TextPiece>()? {
            let key = key.into_text();
            match key.as_str() {
                "index" => call.index = lenient::place(map.next_value::<&RawValue>()?).map_err(A::Error::custom)?,
                "id" => call.id = lenient::word(map.next_value::<&RawValue>()?).map_err(A::Error::custom)?,
                "function" => call.function = map.next_value::<Option<Object<_>>>()?.map(|Object(function)| function),
                "type" => drop(map.next_value::<IgnoredAny>()?),
                _ => call.others.push((key, map.next_value()?)),
            }
        }
        Ok(call)
    }
}

/// A thought is text, or a list of texts; anything else is none.
fn thinking<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TextPiece>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ThoughtPart {
        #[serde(deserialize_with = "lenient::text")]
        text: Option<TextPiece>,
    }
    let json = <&RawValue>::deserialize(deserializer)?;
    let text = |part: &RawValue| match part.get().starts_with('{') {
        true => lenient::value::<ThoughtPart>(part)?.text,
        false => TextPiece::parse(part.get()),
    };
    let parts = || TextPiece::of(lenient::entries(json).into_iter().filter_map(text));
    Ok(Some(TextPiece::parse(json.get()).unwrap_or_else(parts)).filter(|text| !text.is_empty()))
}

impl<'a> Chunk<'a> {
    /// Reads a chunk; none for anything but an object, since serde would read a list as the fields in their order.
    pub(super) fn parse(data: &'a str) -> Option<Self> {
        data.starts_with('{').then(|| serde_json::from_str(data).ok()).flatten()
    }

    /// Writes the chunk without what is odd in places where it says nothing, and with the last value alone of a key that
    /// comes twice; none for what can't be read.
    pub(super) fn mended(data: &str) -> Option<String> {
        CHUNK.mended(serde_json::from_str(data).ok()?).ok().flatten()
    }

    /// Writes the fields alone that are used; none for what is no object.
    pub(super) fn without_unknown_fields(data: &str) -> Option<String> {
        select(data, &OF_CHUNKS)
    }

    /// Whether the chunk as a whole is an error, in any of the forms that servers use.
    pub(super) fn is_error(&self) -> bool {
        self.error.is_some_and(lenient::says_anything)
            || self.object.is_some_and(|object| object.get() == "\"error\"")
            || self.extension().is_some_and(|extension| extension.error.is_some_and(lenient::says_anything))
    }

    fn extension(&self) -> Option<Extension<'a>> {
        let extension = self.x_groq.filter(|extension| extension.get().starts_with('{'))?;
        serde_json::from_str(extension.get()).ok()
    }

    /// The tier in which the request is served.
    pub(super) fn service_tier(&self) -> Option<&'a str> {
        let tier = self.service_tier?.get().strip_prefix('"')?.strip_suffix('"')?;
        ((1..=LONGEST_TIER).contains(&tier.len()) && !tier.contains('\\')).then_some(tier)
    }

    /// The usage, wherever this provider puts it.
    pub(super) fn usage(&self) -> Option<Usage> {
        let in_choices = self.choices.iter().flatten().map(|Object(choice)| choice.usage);
        let read = |report: Option<&RawValue>| report.and_then(lenient::value).and_then(ChunkUsage::counts);
        let in_extension = || self.extension()?.usage?.counts();
        read(self.usage).or_else(|| in_choices.filter_map(read).next()).or_else(in_extension)
    }
}

/// The probabilities of the text; a response can't hold those of a refusal. None if they make no sense.
pub(super) fn logprobs_of_text(json: &RawValue) -> Vec<LogProb> {
    let logprobs: Option<LogProbs> = lenient::value(json);
    logprobs.and_then(|logprobs| logprobs.content).into_iter().flatten().map(TokenLogProb::known).collect()
}

impl TokenLogProb {
    fn known(self) -> LogProb {
        let Self { token, logprob, bytes, top_logprobs } = self;
        let alternative = |AlternativeLogProb { token, logprob, bytes }| {
            let bytes = bytes.unwrap_or_default();
            TopLogProb { token: token.into_text(), logprob, bytes }
        };
        let top_logprobs = top_logprobs.into_iter().flatten().map(alternative).collect();
        LogProb { token: token.into_text(), logprob, bytes: bytes.unwrap_or_default(), top_logprobs }
    }
}
