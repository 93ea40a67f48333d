//! Where a JSON object that comes in pieces ends.

/// Follows the braces of an object, however it is cut. Does not check it.
#[derive(Default)]
pub(super) struct JsonExtent {
    begun: bool,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl JsonExtent {
    /// Takes the next piece.
    pub(super) fn follow(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                let escaped = std::mem::take(&mut self.escaped);
                self.escaped = byte == b'\\' && !escaped;
                self.in_string = byte != b'"' || escaped;
            } else {
                self.step(byte);
            }
        }
    }

    /// Whether the object has been closed.
    pub(super) fn is_whole(&self) -> bool {
        self.begun && self.depth == 0
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_string = true,
            b'{' => {
                self.begun = true;
                self.depth += 1;
            }
            b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}
