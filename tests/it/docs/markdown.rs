//! The fenced blocks of a page.

use std::{fs, path::Path};

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// The number of headings above it, which tells sections of one name apart.
    pub(super) section: usize,
    /// The heading above it.
    pub(super) heading: String,
    /// The word behind the fence.
    pub(super) language: String,
    pub(super) text: String,
}

/// The blocks of a page of the repository that are in one of these languages, in their order.
pub(super) fn blocks(page: &str, languages: &[&str]) -> Vec<Block> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let mut blocks = fenced(&text);
    blocks.retain(|block| languages.contains(&block.language.as_str()));
    assert!(!blocks.is_empty(), "{page} has no block in {languages:?}");
    blocks
}

fn fenced(page: &str) -> Vec<Block> {
    let (mut blocks, mut section, mut heading) = (Vec::new(), 0, "");
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let (heading, language) = (heading.to_owned(), language.trim().to_owned());
                open = Some(Block { section, heading, language, text: String::new() });
            }
            (None, None) => {
                if let Some(rest) = line.strip_prefix('#') {
                    (section, heading) = (section + 1, rest.trim_start_matches('#').trim());
                }
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
    }
    assert_eq!(open, None, "a block has no end");
    blocks
}

#[test]
fn blocks_are_told_with_their_headings_and_a_comment_in_a_block_is_no_heading() {
    let page = "# One\n\ntext\n\n```sh\n# no heading\na\n\nb\n```\n### Two\n```\nc\n```\n";
    let block = |section, heading: &str, language: &str, text: &str| Block {
        section,
        heading: heading.to_owned(),
        language: language.to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(fenced(page), [block(1, "One", "sh", "# no heading\na\n\nb\n"), block(2, "Two", "", "c\n")]);
}
