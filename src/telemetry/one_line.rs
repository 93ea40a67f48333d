//! Lines of the log that stay lines, whatever stands in them.

use std::fmt::Write as _;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Makes writers of which each write becomes one line: a control character within it is written as an escape, so that
/// no text can end a line, begin one of its own, or move a terminal's cursor.
pub(super) struct OneLineEach<W> {
    pub(super) writer: W,
    /// Whether lines may have the codes of colours.
    pub(super) colours: bool,
}

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for OneLineEach<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        OneLine { writer: self.writer.make_writer(), colours: self.colours }
    }
}

/// Writes each buffer as one line.
pub(super) struct OneLine<W> {
    writer: W,
    colours: bool,
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.writer.write_all(one_line(&text, self.colours).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn one_line(text: &str, colours: bool) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    let mut rest = text.strip_suffix('\n').unwrap_or(text);
    while let Some(char) = rest.chars().next() {
        let colour = if colours && char == '\u{1b}' { colour_code(rest) } else { None };
        let taken = colour.unwrap_or(char.len_utf8());
        if colour.is_some() || !char.is_control() {
            line.push_str(&rest[..taken]);
        } else {
            let _infallible = write!(line, "{}", char.escape_default());
        }
        rest = &rest[taken..];
    }
    line.push('\n');
    line
}

/// The length of the code of a colour or a font that the text begins with.
fn colour_code(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|char: char| !char.is_ascii_digit() && char != ';')?;
    numbers[end..].starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_text_is_one_line_whatever_stands_in_it() {
        let bad = "a\nINFO forged\r\t\u{1b}[2J\u{1b}[31mred\u{85}\u{0}\u{7f}\u{e4}\n";
        let plain = "a\\nINFO forged\\r\\t\\u{1b}[2J\\u{1b}[31mred\\u{85}\\u{0}\\u{7f}\u{e4}\n";
        assert_eq!(one_line(bad, false), plain);
        assert_eq!(one_line(bad, true), plain.replace("\\u{1b}[31m", "\u{1b}[31m"));
        assert_eq!(one_line("", false), "\n");
    }
}
