use super::{Source, is_test, report, rust};

const FILE: usize = 400;
const TEST_FILE: usize = 600;
const FUNCTION: usize = 60;

#[test]
fn files_are_short() {
    let mut violations = Vec::new();
    for source in rust() {
        let lines = source.text.lines().count();
        if lines > if is_test(&source.path) { TEST_FILE } else { FILE } {
            violations.push(format!("{}: {lines} lines", source.path));
        }
    }
    report("files that are too long", &violations);
}

#[test]
fn functions_are_short() {
    let violations: Vec<String> = rust().iter().flat_map(long_functions).collect();
    report("functions of more than 60 lines", &violations);
}

/// Relies on the formatter: a function ends at the first brace with the indentation of its beginning.
fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let ends = |line: &&&str| {
            let rest = line.strip_prefix(&indent).unwrap_or_default();
            rest == "}" || (rest.starts_with(')') && rest.ends_with(';'))
        };
        let after = &lines[start + 1..];
        let is_one_line = line.ends_with('}') || line.ends_with(';');
        let length = if is_one_line { 1 } else { after.iter().take_while(|line| !ends(line)).count() + 2 };
        if length > FUNCTION {
            found.push(format!("{}:{}: {length} lines", source.path, start + 1));
        }
    }
    found
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.by_ref().find(|word| !(word.starts_with("pub") || ["const", "async", "extern", "in"].contains(word)))
        == Some("fn")
}

#[test]
fn the_measure_counts_functions_as_the_formatter_lays_them_out() {
    let long = format!(
        "impl A {{\n    pub(crate) async fn b(\n        x: u8,\n    ) {{\n{}    }}\n}}\n",
        "        c();\n".repeat(60)
    );
    let text = format!("fn short() {{\n    a();\n}}\n{long}");
    let source = Source { path: "x.rs".to_owned(), text };
    assert_eq!(long_functions(&source), ["x.rs:5: 64 lines"]);
}
