//! The lines of a chunked answer, whatever chunks they come in.

use anyhow::{Context as _, ensure};

/// Takes an answer byte by byte.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    next: Next,
    /// The head, or the size of a chunk.
    framing: Vec<u8>,
    line: Vec<u8>,
}

/// What comes next in the answer.
#[derive(Debug, Default)]
enum Next {
    #[default]
    Head,
    Size,
    Data(usize),
    Nothing,
}

impl Lines {
    /// The line that this byte ends, if it ends one.
    pub(crate) fn take(&mut self, byte: u8) -> anyhow::Result<Option<String>> {
        match self.next {
            Next::Head => {
                self.framing.push(byte);
                if self.framing.ends_with(b"\r\n\r\n") {
                    ensure!(self.framing.starts_with(b"HTTP/1.1 200 "), "not the answer 200");
                    self.framing.clear();
                    self.next = Next::Size;
                }
            }
            Next::Size => {
                self.framing.push(byte);
                if byte == b'\n' {
                    self.next = self.sized()?;
                }
            }
            Next::Data(left) => {
                self.next = if left > 1 { Next::Data(left - 1) } else { Next::Size };
                if byte == b'\n' {
                    return Ok(Some(String::from_utf8(std::mem::take(&mut self.line))?));
                }
                self.line.push(byte);
            }
            Next::Nothing => {}
        }
        Ok(None)
    }

    /// Whether the answer has ended as it should.
    pub(crate) fn ended(&self) -> bool {
        matches!(self.next, Next::Nothing)
    }

    /// The end of a line outside of chunks: a size, or the empty line after a chunk.
    fn sized(&mut self) -> anyhow::Result<Next> {
        let line = String::from_utf8(std::mem::take(&mut self.framing))?;
        Ok(match line.trim_end() {
            "" => Next::Size,
            size => match usize::from_str_radix(size, 16).context("no size of a chunk")? {
                0 => Next::Nothing,
                size => Next::Data(size),
            },
        })
    }
}
