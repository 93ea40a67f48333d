//! What becomes of a run whose clients come and go.

use super::*;

fn left(performer: &mut Performer, client: ClientId) {
    performer.feed(RunEvent::Client { client, event: ClientEvent::Left });
}

fn joined(performer: &mut Performer, client: ClientId, need: ClientNeed) {
    performer.feed(RunEvent::Client { client, event: ClientEvent::Joined(need) });
}

fn with_policy(disconnect: DisconnectPolicy, resumable: bool) -> RunSetup {
    let mut setup = setup();
    (setup.policy.disconnect, setup.policy.resumable) = (disconnect, resumable);
    setup
}

#[test]
fn the_disconnect_policy_decides_when_the_last_client_left() {
    let grace = DisconnectPolicy::Grace(Duration::from_secs(10));
    for (policy, resumable, ends, waits) in [
        (DisconnectPolicy::Continue, true, false, false),
        (DisconnectPolicy::Cancel, true, true, false),
        (grace, true, false, true),
        (grace, false, true, false),
    ] {
        let mut performer = at(Situation::Reading, with_policy(policy, resumable));
        joined(&mut performer, 1, ClientNeed::Events);
        left(&mut performer, 0);
        assert!(performer.reader.is_some() && performer.timers.len() == 1, "another one is there");
        left(&mut performer, 1);
        assert_eq!((performer.reader.is_none(), performer.timers.contains(&Timer::Grace)), (ends, waits), "{policy:?}");
    }
}

#[test]
fn nobody_waits_with_a_background_response() {
    let mut performer = at(Situation::Queued, with_policy(DisconnectPolicy::Cancel, true));
    left(&mut performer, 0);
    assert!(performer.timers.is_empty() && performer.ending.is_none());
}

#[test]
fn a_client_that_does_not_know_the_response_cannot_come_back() {
    for (claims_key, waits) in [(false, false), (true, true)] {
        let mut performer = performer(RunSetup { claims_key, ..setup() });
        joined(&mut performer, 0, ClientNeed::Events);
        performer.feed(RunEvent::Started);
        left(&mut performer, 0);
        assert_eq!(performer.timers.contains(&Timer::Grace), waits);
    }
}

#[test]
fn a_run_leaves_once_its_ending_is_durable_and_everybody_is_served() {
    let mut performer = at(Situation::Settling, setup());
    joined(&mut performer, 1, ClientNeed::Events);
    performer.ending_stored();
    assert_eq!(performer.farewell, None, "events are still emitted");
    performer.feed(RunEvent::Client { client: 1, event: ClientEvent::Served });
    performer.feed(RunEvent::Client { client: 1, event: ClientEvent::EmitterEnded });
    assert_eq!(performer.farewell, Some(Farewell::Left));
}

#[test]
fn only_the_run_has_the_events_of_what_is_not_stored() {
    let unstored = || with_request(|request| request.store = false);
    for (setup, served, leaves) in [(unstored(), false, false), (unstored(), true, true), (setup(), false, true)] {
        let mut performer = at(Situation::Settling, setup);
        joined(&mut performer, 1, ClientNeed::Events);
        performer.ending_stored();
        if served {
            performer.feed(RunEvent::Client { client: 1, event: ClientEvent::Served });
        }
        performer.feed(RunEvent::Client { client: 1, event: ClientEvent::EmitterEnded });
        assert_eq!(performer.farewell.is_some(), leaves);
        left(&mut performer, 1);
        assert!(performer.farewell.is_some());
    }
}

#[test]
fn a_response_that_is_not_accepted_is_shown_to_nobody_new() {
    let mut performer = performer(setup());
    performer.feed(RunEvent::Started);
    assert!(!performer.run.admits_client(false) && performer.run.admits_client(true));
    performer.admitted();
    assert!(performer.run.admits_client(false));
    let unstored = at(Situation::Reading, with_request(|request| request.store = false));
    assert!(!unstored.run.admits_client(false) && unstored.run.admits_client(true));
}
