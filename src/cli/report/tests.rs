use std::io;

use super::{exit_code, report};
use crate::cli::Obstacle;
use crate::config::{Config, Environment};

#[test]
fn a_cause_that_an_error_repeats_is_said_once() {
    let error = anyhow::anyhow!("no such host").context("the query failed: no such host").context("it can't be opened");
    assert_eq!(report(&error), "antiphon: it can't be opened: the query failed: no such host\n");
}

#[test]
fn an_obstacle_comes_with_what_to_do_also_below_other_words() {
    let address = "127.0.0.1:8080".parse().ok();
    let obstacle = address.map(|address| Obstacle::at(address, io::ErrorKind::AddrInUse.into()));
    let error = obstacle.map(|obstacle| anyhow::Error::new(obstacle).context("the start failed"));
    let told = error.as_ref().map(report).unwrap_or_default();
    assert!(
        told.starts_with("antiphon: the start failed: another program listens on 127.0.0.1:8080 already\n"),
        "{told}"
    );
    assert!(told.ends_with("antiphon serve --listen 127.0.0.1:8081\n"), "{told}");
    assert_eq!(error.as_ref().map(exit_code), Some(1));
}

#[test]
fn what_is_not_valid_has_an_exit_code_of_its_own() {
    let variables = [("ANTIPHON_SERVER__WORKERS".to_owned(), "many".to_owned())];
    let invalid = Config::load(None, &variables.into_iter().collect::<Environment>()).map_err(anyhow::Error::new);
    assert_eq!(invalid.as_ref().map_err(exit_code).err(), Some(2));
}
