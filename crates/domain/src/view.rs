//! The form in which one client gets the events: a pure function of them.

use std::cell::RefCell;

use bytes::Bytes;

use antiphon_protocol::{CreateResponse, ResponseEvent, ResponseId};

/// The form in which a client wants the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Whether delta events carry padding of varying length, so that their sizes on the wire tell less
    /// about the text.
    pub include_obfuscation: bool,
}

impl View {
    /// The form in which a request wants its events.
    #[must_use]
    pub fn of(request: &CreateResponse) -> Self {
        let options = request.stream_options.as_ref();
        Self { include_obfuscation: options.and_then(|options| options.include_obfuscation).unwrap_or(false) }
    }
}

/// The most memory that a thread keeps for encoding.
const MOST_SCRATCH: usize = 2 * 1024 * 1024;

thread_local! {
    /// Where events are encoded: the end of a long response is one of a megabyte, whose size nobody knows before.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One event as every client with the plain view gets it: encoded once, shared by all.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The event's number.
    pub sequence_number: u64,
    /// Whether the event is a delta, which a view may pad.
    pub is_delta: bool,
    /// The server-sent event, with its closing blank line.
    pub bytes: Bytes,
}

impl Frame {
    /// Encodes an event.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it does not: every event serializes")]
    pub fn encode(event: &ResponseEvent) -> Self {
        let bytes = SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            scratch.extend_from_slice(b"event: ");
            scratch.extend_from_slice(event.name().as_bytes());
            scratch.extend_from_slice(b"\ndata: ");
            #[expect(clippy::expect_used, reason = "string keys, and no Serialize of the protocol fails")]
            serde_json::to_writer(&mut *scratch, event).expect("events serialize");
            scratch.extend_from_slice(b"\n\n");
            let bytes = Bytes::copy_from_slice(scratch);
            scratch.clear();
            scratch.shrink_to(MOST_SCRATCH);
            bytes
        });
        Self { sequence_number: event.sequence_number(), is_delta: event.delta().is_some(), bytes }
    }

    /// Decodes the event from bytes that [`encode`](Self::encode) made, with any view applied.
    ///
    /// # Errors
    /// If the bytes are not of that form.
    pub fn decode(bytes: &[u8]) -> Result<ResponseEvent, serde_json::Error> {
        let data = bytes.splitn(2, |byte| *byte == b'\n').nth(1).and_then(|data| data.strip_prefix(b"data: "));
        serde_json::from_slice(data.unwrap_or_default())
    }

    /// The frame as a client with this view gets it.
    #[must_use]
    pub fn viewed(&self, view: View, response: ResponseId) -> Bytes {
        if !(view.include_obfuscation && self.is_delta) {
            return self.bytes.clone();
        }
        let Some(body) = self.bytes.strip_suffix(b"}\n\n") else { return self.bytes.clone() };
        let padding = padding(response, self.sequence_number);
        [body, br#","obfuscation":""#, padding.as_bytes(), b"\"}\n\n"].concat().into()
    }
}

/// 1 to 16 characters that depend on nothing but the response and the event's number, so that replays agree.
fn padding(response: ResponseId, sequence_number: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (high, low) = response.uuid().as_u64_pair();
    let mut state = high ^ low.rotate_left(32) ^ sequence_number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let length = 1 + split_mix(&mut state) % 16;
    (0..length).map(|_| char::from(ALPHABET[(split_mix(&mut state) % 64) as usize])).collect()
}

/// The SplitMix64 generator of Steele, Lea and Flood (2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
