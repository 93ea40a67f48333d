//! Puts the pieces of tool calls together.
//!
//! In the protocol each piece of a call has its index, the first piece has the id and the name, and all pieces have
//! parts of the arguments. Servers leave out indexes and ids, use them twice, cut the name or send it late.

use super::chunk::{CallDelta, FunctionDelta};
use super::field_allowance::FieldAllowance;
use super::json_extent::JsonExtent;
use crate::limits::{ARGUMENTS_TOO_LONG, NAME_TOO_LONG, TOO_MANY_CALLS};
use crate::made_call_ids::MadeCallIds;
use crate::said_text::SaidText;
use crate::seal::{Origin, Sealed};
use crate::text_piece::TextPiece;
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::{CallIndex, FinishReason};
use antiphon_protocol::JsonObject;

const ID_TOO_LONG: Error = Error::Protocol { what: "the id of a tool call is longer than limits.id_chars" };

/// The calls of one answer, in the order in which they began.
pub(super) struct StreamedCalls {
    ids: MadeCallIds,
    origin: Origin,
    /// Whether what a model needs back with a call is sealed too, for a client that may keep nothing else.
    seals: bool,
    limits: UpstreamLimits,
    calls: Vec<StreamedCall>,
}

#[derive(Default)]
struct StreamedCall {
    /// What the provider tells it apart by: any number, so it bounds nothing.
    index: Option<u64>,
    id: Option<String>,
    /// The id that it was reported with.
    call_id: String,
    name: String,
    /// Arguments that came before the name.
    held: String,
    said: SaidText,
    arguments: JsonExtent,
    /// What its model needs back with it, as it came.
    extra: Vec<JsonObject>,
    /// Whether all of that was sealed.
    sealed: bool,
    /// Whether the call was reported.
    reported: bool,
}

/// A piece of a call. None of the texts is empty.
#[derive(Default)]
pub(super) struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    name: Option<String>,
    arguments: Option<TextPiece>,
    extra: JsonObject,
}

impl StreamedCalls {
    pub(super) fn new(origin: Origin, asked: &ProviderRequest, limits: UpstreamLimits) -> Self {
        let (ids, seals) = (MadeCallIds::of(asked), asked.request.wants_encrypted_reasoning());
        Self { ids, origin, seals, limits, calls: Vec::new() }
    }

    /// Takes a piece. A call is reported with its first arguments: until then its name can grow.
    ///
    /// # Errors
    /// [`Error::Protocol`] where a bound is passed.
    pub(super) fn take(&mut self, mut piece: CallPiece, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        if self.calls.iter().any(|call| call.is_repeated_by(&piece)) {
            piece.arguments = None;
        }
        let place = match self.find(&piece) {
            Some(place) => place,
            None => self.begin(&piece)?,
        };
        let argued = piece.arguments.is_some();
        let Some(call) = self.calls.get_mut(place) else { return Ok(()) };
        if let Some(text) = call.absorb(piece, self.limits)? {
            events.push(arguments(place, text));
        } else if argued && !call.name.is_empty() && !call.reported {
            // Calls are reported in the order in which they began.
            self.report_named(place + 1, events);
        }
        Ok(())
    }

    /// Takes a piece that has nothing of a call but fields that are not known here. It belongs to a call that has begun, or
    /// to none.
    ///
    /// # Errors
    /// [`Error::Protocol`] where a bound is passed.
    pub(super) fn take_fields(&mut self, piece: CallPiece) -> Result<(), Error> {
        match self.find(&piece).and_then(|place| self.calls.get_mut(place)) {
            Some(call) => call.absorb(piece, self.limits).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Reports the calls that have names, before other output follows.
    pub(super) fn make_way(&mut self, events: &mut Vec<ProviderEvent>) {
        self.report_named(self.calls.len(), events);
    }

    /// Whether no call has begun.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Ends the answer of a provider that is finished. Calls without arguments are reported now.
    ///
    /// # Errors
    /// [`Error::Protocol`] for a call that has no name, unless the answer was cut there.
    pub(super) fn finish(&mut self, reason: &FinishReason, events: &mut Vec<ProviderEvent>) -> Result<(), Error> {
        self.report_named(self.calls.len(), events);
        for (place, call) in self.calls.iter_mut().enumerate().filter(|(_, call)| call.reported) {
            let half = Some(call.said.end()).filter(|half| !half.is_empty());
            events.extend(half.map(|half| arguments(place, half)));
        }
        let cut = match reason {
            FinishReason::Length | FinishReason::ContentFilter => true,
            FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other(_) => false,
        };
        if !cut && self.calls.iter().any(|call| !call.reported) {
            return Err(Error::Protocol { what: "a tool call without a name" });
        }
        self.finish_marked(cut, events);
        if !cut {
            self.seal_late(events);
        }
        Ok(())
    }

    /// Seals fields that came after their call was reported: behind the calls, where nothing of an answer is cut.
    fn seal_late(&mut self, events: &mut Vec<ProviderEvent>) {
        for place in 0..self.calls.len() {
            self.seal(place, events);
        }
    }

    /// Seals the fields of a reported call, if the client asked for it, in an item of its own: the thought before it may be
    /// sealed too.
    fn seal(&mut self, place: usize, events: &mut Vec<ProviderEvent>) {
        let Some(call) = self.calls.get_mut(place).filter(|call| self.seals && call.reported) else { return };
        if call.extra.is_empty() || std::mem::replace(&mut call.sealed, true) {
            return;
        }
        let sealed = Sealed::Call { call_id: call.call_id.clone(), fields: JsonObject::merged(&call.extra) };
        events.push(ProviderEvent::ItemFinished { extra: JsonObject::new() });
        let sealed = self.origin.seal(&sealed);
        events.extend(sealed.map(|encrypted_content| ProviderEvent::EncryptedReasoning { encrypted_content }));
    }

    /// Completes the calls that have fields for their model, but for the last one of an answer that was cut.
    fn finish_marked(&mut self, cut: bool, events: &mut Vec<ProviderEvent>) {
        let complete = self.calls.len() - usize::from(cut && !self.calls.is_empty());
        for (place, call) in self.calls.iter_mut().take(complete).enumerate() {
            let extra = self.origin.mark(JsonObject::merged(&call.extra));
            if call.reported && !extra.is_empty() {
                events.push(ProviderEvent::FunctionCallFinished { call: number(place), extra });
            }
        }
    }

    /// The call that the piece belongs to.
    fn find(&self, piece: &CallPiece) -> Option<usize> {
        let last = || self.calls.len().checked_sub(1);
        let known = |is_it: &dyn Fn(&StreamedCall) -> bool| self.calls.iter().rposition(is_it);
        let place = match (piece.index, &piece.id) {
            (Some(index), _) => {
                known(&|call| call.index == Some(index)).or_else(|| known(&|call| call.index.is_none()))
            }
            (None, Some(id)) => {
                // An id alone begins no call where there is one already.
                known(&|call| call.id.as_ref() == Some(id)).or_else(|| last().filter(|_| piece.name.is_none()))
            }
            (None, None) => last(),
        };
        place.filter(|place| self.calls.get(*place).is_some_and(|call| !call.is_left_for(piece)))
    }

    fn begin(&mut self, piece: &CallPiece) -> Result<usize, Error> {
        let place = self.calls.len();
        if number(place) >= self.limits.calls {
            return Err(TOO_MANY_CALLS);
        }
        self.calls.push(StreamedCall { index: piece.index, ..StreamedCall::default() });
        Ok(place)
    }

    /// Reports the calls before position `end` that have names.
    fn report_named(&mut self, end: usize, events: &mut Vec<ProviderEvent>) {
        for place in 0..end {
            if self.calls.get(place).is_none_or(|call| call.reported || call.name.is_empty()) {
                continue;
            }
            let call_id = self.id(place);
            let Some(call) = self.calls.get_mut(place) else { return };
            (call.reported, call.call_id) = (true, call_id.clone());
            self.seal(place, events);
            let Some(call) = self.calls.get_mut(place) else { return };
            events.push(ProviderEvent::FunctionCallStarted { call: number(place), call_id, name: call.name.clone() });
            let held = std::mem::take(&mut call.held);
            if !held.is_empty() {
                events.push(arguments(place, held));
            }
        }
    }

    /// The id that the provider gave, if no reported call has it; else one of this server's.
    fn id(&self, place: usize) -> String {
        let given = self.calls.get(place).and_then(|call| call.id.as_ref());
        let is_taken = |id: &&String| self.calls.iter().any(|call| call.reported && call.id.as_ref() == Some(id));
        given.filter(|id| !is_taken(id)).cloned().unwrap_or_else(|| self.ids.make(number(place)))
    }
}

impl StreamedCall {
    /// Whether the piece tells all of the call again: some servers repeat a call in their last chunk.
    fn is_repeated_by(&self, piece: &CallPiece) -> bool {
        let is_same = piece.id.is_some() && piece.id == self.id && piece.name.as_ref() == Some(&self.name);
        let is_other = self.index.is_some() && piece.index.is_some() && self.index != piece.index;
        let says_the_same = || match &piece.arguments {
            Some(TextPiece::Whole(text)) => self.said.is(text),
            Some(TextPiece::Halves(_)) | None => false,
        };
        is_same && !is_other && self.arguments.is_whole() && says_the_same()
    }

    /// Whether the piece begins another call, although its index or position are those of this one.
    fn is_left_for(&self, piece: &CallPiece) -> bool {
        let is_same = self.id.is_some() && self.id == piece.id;
        let is_other = self.id.is_some() && piece.id.is_some() && !is_same;
        let argued = self.said.bytes() > 0;
        match &piece.name {
            _ if self.arguments.is_whole() && piece.begins_arguments() => true,
            _ if is_same => false,
            Some(_) if is_other => true,
            // A repeated name without anything new.
            Some(name) if argued && *name == self.name && piece.arguments.is_none() => false,
            Some(_) if piece.index.is_none() => !self.name.is_empty(),
            Some(name) => argued && !self.name.is_empty() && (*name != self.name || self.arguments.is_whole()),
            // Some servers make up an id for every piece.
            None => is_other && self.arguments.is_whole(),
        }
    }

    /// Adds the piece; returns arguments that can be passed on at once.
    fn absorb(&mut self, piece: CallPiece, limits: UpstreamLimits) -> Result<Option<String>, Error> {
        let CallPiece { index, id, name, arguments, extra } = piece;
        self.index = self.index.or(index);
        self.sealed &= extra.is_empty();
        self.extra.extend(Some(extra).filter(|extra| !extra.is_empty()));
        if !self.reported {
            if self.id.is_none() {
                self.id = id;
            }
            if let Some(name) = name.filter(|name| *name != self.name) {
                self.name.push_str(&name);
            }
        }
        bound(self.id.as_ref().map_or(0, String::len), limits.id_bytes, ID_TOO_LONG)?;
        bound(self.name.len(), limits.name_bytes, NAME_TOO_LONG)?;
        let Some(piece) = arguments else { return Ok(None) };
        let text = self.said.join(piece);
        if text.is_empty() {
            return Ok(None);
        }
        bound(self.said.bytes(), limits.output_bytes, ARGUMENTS_TOO_LONG)?;
        self.arguments.follow(&text);
        if self.reported {
            return Ok(Some(text));
        }
        self.held.push_str(&text);
        Ok(None)
    }
}

impl CallPiece {
    /// None for a piece with nothing in it.
    ///
    /// # Errors
    /// [`Error::Protocol`] for arguments that are neither text nor an object, and for more unknown fields than are allowed.
    pub(super) fn of_call(delta: CallDelta<'_>, allowance: &mut FieldAllowance) -> Result<Option<Self>, Error> {
        let CallDelta { index, id, function, others } = delta;
        let function = function.map(Self::of_function).transpose()?.flatten();
        let extra = allowance.read_all(others)?;
        let has_any = id.is_some() || function.is_some() || !extra.is_empty();
        Ok(has_any.then(|| Self { index, id, extra, ..function.unwrap_or_default() }))
    }

    /// The same for the one call of the protocol's older form.
    pub(super) fn of_only_function(delta: FunctionDelta<'_>) -> Result<Option<Self>, Error> {
        Ok(Self::of_function(delta)?.map(|piece| Self { index: Some(0), ..piece }))
    }

    fn of_function(FunctionDelta { name, arguments }: FunctionDelta<'_>) -> Result<Option<Self>, Error> {
        let name = name.map(TextPiece::into_text);
        let arguments = arguments.map(|raw| argument_text(raw.get())).transpose()?;
        let arguments = arguments.filter(|text| !text.is_empty());
        let has_any = name.is_some() || arguments.is_some();
        Ok(has_any.then(|| Self { name, arguments, ..Self::default() }))
    }

    /// Whether the piece has nothing of a call but fields that are not known here.
    pub(super) fn has_only_fields(&self) -> bool {
        self.id.is_none() && self.name.is_none() && self.arguments.is_none()
    }

    /// Whether the piece has the beginning of a document of arguments.
    fn begins_arguments(&self) -> bool {
        match &self.arguments {
            Some(TextPiece::Whole(text)) => text.trim_start().starts_with('{'),
            Some(TextPiece::Halves(bytes)) => bytes.trim_ascii_start().starts_with(b"{"),
            None => false,
        }
    }
}

fn argument_text(json: &str) -> Result<TextPiece, Error> {
    let object = || json.starts_with('{').then(|| TextPiece::Whole(json.to_owned()));
    TextPiece::parse(json)
        .or_else(object)
        .ok_or(Error::Protocol { what: "arguments that are neither text nor an object" })
}

fn arguments(place: usize, text: String) -> ProviderEvent {
    ProviderEvent::FunctionCallArguments { call: number(place), text }
}

fn number(place: usize) -> CallIndex {
    CallIndex::try_from(place).unwrap_or(CallIndex::MAX)
}

fn bound(length: usize, most: usize, error: Error) -> Result<(), Error> {
    if length > most { Err(error) } else { Ok(()) }
}
