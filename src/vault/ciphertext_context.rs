//! What a ciphertext is bound to.

use crate::protocol::{ResponseId, UserId};
use crate::store::ItemSide;

/// The row and column of one response that a ciphertext belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CiphertextContext {
    /// A segment of the log.
    Segment {
        /// The number of its first fact.
        first: u64,
    },
    /// An item.
    Item {
        /// Input or output.
        side: ItemSide,
        /// Its position in the list, from 0.
        position: u32,
        /// Whether it is the last one of the list, so that rows that are missing are noticed.
        is_last: bool,
    },
    /// An item as versions before 0.2 sealed it, without whether it is the last one.
    UnmarkedItem {
        /// Input or output.
        side: ItemSide,
        /// Its position in the list, from 0.
        position: u32,
    },
    /// The text of the answer, beside the response's plain columns.
    Content,
}

impl CiphertextContext {
    /// The bytes that are bound into the ciphertext. Every field has a fixed length or comes last, so that
    /// no two contexts have the same bytes.
    pub(super) fn bytes(self, user: UserId, response: ResponseId) -> Vec<u8> {
        let mut context = Vec::with_capacity(64);
        context.extend_from_slice(user.uuid().as_bytes());
        context.extend_from_slice(response.uuid().as_bytes());
        match self {
            Self::Segment { first } => {
                context.extend_from_slice(&first.to_be_bytes());
                context.extend_from_slice(b"segments");
            }
            Self::Item { side, position, is_last } => {
                context.extend_from_slice(&u64::from(position).to_be_bytes());
                context.extend_from_slice(if is_last { b"items/last/" } else { b"items/more/" });
                context.extend_from_slice(side.as_str().as_bytes());
            }
            Self::UnmarkedItem { side, position } => {
                context.extend_from_slice(&u64::from(position).to_be_bytes());
                context.extend_from_slice(b"items/");
                context.extend_from_slice(side.as_str().as_bytes());
            }
            Self::Content => {
                context.extend_from_slice(&0_u64.to_be_bytes());
                context.extend_from_slice(b"responses/content");
            }
        }
        context
    }
}
