//! The content blocks of an answer, in whatever order they are told.

use super::block::{BlocksBefore, OpenBlock, StoppedBlock};
use super::event::{BlockDelta, BlockIndex};
use super::thoughts::ThoughtSealer;
use crate::event_fields::WrittenFields;
use crate::limits::TOO_MANY_ITEMS;
use crate::made_call_ids::MadeCallIds;
use crate::{Error, ProviderEvent, ProviderRequest, UpstreamLimits};
use antiphon_domain::CallIndex;
use antiphon_protocol::JsonObject;

/// The blocks of one answer. The protocol has one open at a time; servers leave out the end of a block, or let blocks
/// alternate.
pub(super) struct AnthropicBlocks {
    ids: MadeCallIds,
    thoughts: ThoughtSealer,
    limits: UpstreamLimits,
    open: Vec<NumberedBlock>,
    /// How many blocks there were.
    count: u32,
    calls: CallIndex,
    others: CallIndex,
    /// The block whose text or reasoning the open item is.
    speaking: Option<u32>,
    /// A call whose block was stopped without arguments.
    call_without_arguments: Option<(CallIndex, JsonObject)>,
    /// Whether there was a block or a piece that could be anything.
    saw_unknown: bool,
}

struct NumberedBlock {
    /// How many blocks there were before it.
    number: u32,
    index: BlockIndex,
    block: OpenBlock,
}

impl AnthropicBlocks {
    /// The blocks of the answer to that request; none yet.
    pub(super) fn new(asked: &ProviderRequest, limits: UpstreamLimits) -> Self {
        Self::none(MadeCallIds::of(asked), ThoughtSealer::of(asked), limits)
    }

    /// None yet of the same answer.
    pub(super) fn anew(&self) -> Self {
        Self::none(self.ids.clone(), self.thoughts.clone(), self.limits)
    }

    fn none(ids: MadeCallIds, thoughts: ThoughtSealer, limits: UpstreamLimits) -> Self {
        let (open, count, calls, others) = (Vec::new(), 0, 0, 0);
        let (speaking, call_without_arguments, saw_unknown) = (None, None, false);
        Self { ids, thoughts, limits, open, count, calls, others, speaking, call_without_arguments, saw_unknown }
    }

    /// Starts a block. An open one with the same index has ended.
    pub(super) fn start(
        &mut self,
        index: BlockIndex,
        fields: WrittenFields<'_>,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        if let Some(position) = self.at(index) {
            self.stop_at(position, events);
        }
        if self.count >= self.limits.items {
            return Err(TOO_MANY_ITEMS);
        }
        self.pause(events);
        self.finish_call_without_arguments(events);
        let before = BlocksBefore {
            calls: self.calls,
            others: self.others,
            ids: &self.ids,
            thoughts: &self.thoughts,
            limits: self.limits,
        };
        let block = OpenBlock::start(fields, &before, events)?;
        match &block {
            OpenBlock::Call(_) => self.calls += 1,
            OpenBlock::Other { .. } => self.others += 1,
            OpenBlock::Text(_) | OpenBlock::Thinking { .. } | OpenBlock::RedactedThinking { .. } => {
                self.speaking = Some(self.count);
            }
            OpenBlock::Nothing => self.saw_unknown = true,
        }
        self.open.push(NumberedBlock { number: self.count, index, block });
        self.count += 1;
        Ok(())
    }

    /// Takes a piece of the block with that index; if that can't be its block, of the latest one that it can be of.
    pub(super) fn delta(
        &mut self,
        index: BlockIndex,
        delta: BlockDelta,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<(), Error> {
        let known =
            self.open.iter().rposition(|open| index.is_some() && open.index == index && open.block.takes(&delta));
        let fits = |open: &NumberedBlock| open.block.takes(&delta) && !matches!(open.block, OpenBlock::Other { .. });
        // Words for a block of no known kind are a block of their own.
        let is_of_its_own = delta.is_spoken() && self.at(index).is_some_and(|at| self.is_unknown(at));
        let other = || self.open.iter().rposition(fits).filter(|_| !is_of_its_own);
        let position = match known.or_else(other) {
            Some(position) => position,
            None => match self.start_of(index, &delta, events)? {
                Some(position) => position,
                None => return Ok(()),
            },
        };
        let Some(NumberedBlock { number, block, .. }) = self.open.get(position) else { return Ok(()) };
        if block.is_spoken() && self.speaking != Some(*number) {
            let number = *number;
            self.pause(events);
            self.speaking = Some(number);
        }
        match self.open.get_mut(position) {
            Some(open) => open.block.delta(delta, events),
            None => Ok(()),
        }
    }

    /// Starts the block of a piece whose block was not announced.
    fn start_of(
        &mut self,
        index: BlockIndex,
        delta: &BlockDelta,
        events: &mut Vec<ProviderEvent>,
    ) -> Result<Option<usize>, Error> {
        let kind = match delta {
            BlockDelta::Text(_) => "text",
            BlockDelta::Thinking(_) => "thinking",
            BlockDelta::Arguments(_) => return Err(Error::Protocol { what: "arguments without their call" }),
            BlockDelta::Signature(_) | BlockDelta::Citation(_) | BlockDelta::Other => {
                self.saw_unknown = true;
                return Ok(None);
            }
        };
        self.start(index, WrittenFields::made("type", kind.into()), events)?;
        Ok(Some(self.open.len() - 1))
    }

    /// Ends the block with that index; without one, the latest.
    pub(super) fn stop(&mut self, index: BlockIndex, events: &mut Vec<ProviderEvent>) {
        let position = if index.is_some() { self.at(index) } else { self.open.len().checked_sub(1) };
        if let Some(position) = position {
            self.stop_at(position, events);
        }
    }

    /// Ends all blocks. A call without arguments is complete, unless the answer was cut.
    pub(super) fn finish(&mut self, is_cut: bool, events: &mut Vec<ProviderEvent>) {
        while !self.open.is_empty() {
            self.stop_at(0, events);
        }
        if !is_cut {
            self.finish_call_without_arguments(events);
        }
    }

    /// Whether the end of a block is still to come.
    pub(super) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether there was a block or a piece that could be anything.
    pub(super) fn saw_unknown(&self) -> bool {
        self.saw_unknown
    }

    fn is_unknown(&self, position: usize) -> bool {
        let block = self.open.get(position).map(|open| &open.block);
        matches!(block, Some(OpenBlock::Other { .. } | OpenBlock::Nothing))
    }

    fn at(&self, index: BlockIndex) -> Option<usize> {
        self.open.iter().rposition(|open| index.is_some() && open.index == index)
    }

    fn stop_at(&mut self, position: usize, events: &mut Vec<ProviderEvent>) {
        let NumberedBlock { number, block, .. } = self.open.remove(position);
        if self.speaking == Some(number) {
            self.speaking = None;
        } else if block.has_unspoken() {
            self.pause(events);
        }
        match block.stop(events) {
            StoppedBlock::WithoutArguments(call, extra) => {
                self.finish_call_without_arguments(events);
                self.call_without_arguments = Some((call, extra));
            }
            StoppedBlock::Settled => {}
        }
    }

    /// Ends what the speaking block has said so far: another one goes on.
    fn pause(&mut self, events: &mut Vec<ProviderEvent>) {
        let speaking = self.speaking.take();
        if let Some(open) = self.open.iter_mut().find(|open| Some(open.number) == speaking) {
            open.block.pause(events);
        }
    }

    /// Completes a call that has no arguments.
    fn finish_call_without_arguments(&mut self, events: &mut Vec<ProviderEvent>) {
        let call = self.call_without_arguments.take();
        events.extend(call.map(|(call, extra)| ProviderEvent::FunctionCallFinished { call, extra }));
    }
}
