use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use super::{Source, report, root, sources};

/// What `cargo package` would put into the package of a crate.
fn packaged(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let list = ["package", "--list", "--quiet", "--allow-dirty", "--package", package];
    let listed = Command::new(cargo).args(list).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    String::from_utf8(listed.stdout).unwrap().lines().map(|line| line.replace('\\', "/")).collect()
}

/// The files that a line of code has the compiler read, relative to the repository's root.
fn included(file: &str, line: &str) -> Option<String> {
    let (_, name) = line.split_once("include_bytes!(\"").or_else(|| line.split_once("include_str!(\""))?;
    let (name, _) = name.split_once('"')?;
    let mut path = PathBuf::new();
    for part in Path::new(file).parent()?.join(name).components() {
        if part == Component::ParentDir {
            path.pop();
        } else {
            path.push(part);
        }
    }
    Some(path.to_string_lossy().replace('\\', "/"))
}

/// The sources, and what they have the compiler read.
fn built_from() -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for source in sources("src", &[".rs"]) {
        needed.extend(source.text.lines().filter_map(|line| included(&source.path, line)));
        needed.insert(source.path);
    }
    needed
}

#[test]
fn the_package_holds_all_that_it_is_built_from() {
    let missing: Vec<String> = built_from().difference(&packaged("antiphon")).cloned().collect();
    report("what `include` in Cargo.toml leaves out of the package and the build needs", &missing);
}

#[test]
fn the_package_holds_nothing_that_only_the_repository_needs() {
    let for_users =
        ["examples/", "web/dist/", "Cargo", "LICENSE-", "README.md", "CHANGELOG.md", ".cargo_vcs_info.json"];
    let is_for_users = |path: &str| for_users.iter().any(|known| path.starts_with(known));
    let mut stray: Vec<String> = packaged("antiphon").difference(&built_from()).cloned().collect();
    stray.retain(|path| !is_for_users(path));
    report("in the package and not for those who use it", &stray);
}

/// The members of the workspace that other programs can depend on.
fn is_published(manifest: &Source) -> bool {
    manifest.text.contains("license.workspace") && !manifest.text.contains("publish = false")
}

#[test]
fn every_package_has_its_licences() {
    let manifests: Vec<_> = sources(".", &["Cargo.toml"]).into_iter().filter(is_published).collect();
    assert!(manifests.len() > 4, "{}", manifests.len());
    for manifest in manifests {
        let name = manifest.text.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        let package = name.trim_matches('"');
        let packaged = packaged(package);
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert!(packaged.contains(licence), "{package}: {licence}");
        }
    }
}

#[test]
fn the_reader_of_included_files_finds_them_from_the_file_that_names_them() {
    let line = r#"    Asset::new("/", include_bytes!("../../web/dist/index.html")),"#;
    assert_eq!(included("src/http/page.rs", line).as_deref(), Some("web/dist/index.html"));
    assert_eq!(included("src/http/page.rs", "fn include() {}"), None);
}
