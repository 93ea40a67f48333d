//! Finds where events end, to count the bytes of each.

/// Follows the line structure of an event stream byte by byte.
#[derive(Debug)]
pub(super) struct Boundary {
    line_is_empty: bool,
    after_cr: bool,
    frame_bytes: usize,
}

impl Boundary {
    pub(super) fn new() -> Self {
        Self { line_is_empty: true, after_cr: false, frame_bytes: 0 }
    }

    /// Counts `bytes`, and returns how many of them lie within a frame limit of `most`.
    pub(super) fn within(&mut self, bytes: &[u8], most: usize) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            self.take(*byte);
            if self.frame_bytes > most {
                return at;
            }
        }
        bytes.len()
    }

    fn take(&mut self, byte: u8) {
        let ends_crlf = byte == b'\n' && std::mem::take(&mut self.after_cr);
        if ends_crlf {
            return;
        }
        self.after_cr = byte == b'\r';
        let ends_line = matches!(byte, b'\r' | b'\n');
        if ends_line && self.line_is_empty {
            self.frame_bytes = 0;
            return;
        }
        self.line_is_empty = ends_line;
        self.frame_bytes += 1;
    }
}
