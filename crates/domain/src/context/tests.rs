use proptest::prelude::*;

use super::{CallPairs, Incoherent, check_calls, close_calls, current_turn};
use antiphon_protocol::{
    ContentPart, FunctionCall, FunctionCallOutput, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role,
};

/// Items in short: `user`, `said` and `cut said` (the model's), `call ID`, `cut call ID`, `out ID`.
fn items(short: &[&str]) -> Vec<Item> {
    short.iter().enumerate().map(|(position, short)| item(position, short)).collect()
}

fn item(position: usize, short: &str) -> Item {
    let (status, short) = match short.strip_prefix("cut ") {
        Some(short) => (ItemStatus::Incomplete, short),
        None => (ItemStatus::Completed, short),
    };
    let (id, extra) = (ItemId::from(format!("item_{position}")), JsonObject::new());
    match short.split_once(' ') {
        Some(("call", call_id)) => Item::FunctionCall(FunctionCall {
            id,
            call_id: call_id.to_owned(),
            name: "f".to_owned(),
            arguments: "{\"a\":1}".to_owned(),
            status,
            extra,
        }),
        Some((_, call_id)) => Item::FunctionCallOutput(FunctionCallOutput {
            id,
            call_id: call_id.to_owned(),
            output: "answer".to_owned(),
            status,
        }),
        None => {
            let role = if short == "user" { Role::User } else { Role::Assistant };
            let content = vec![ContentPart::input_text(short)];
            Item::Message(Message { id, role, status, content, extra })
        }
    }
}

/// The items of a prompt in short; an answer that is none is `closed ID`.
fn short(items: &[Item]) -> Vec<String> {
    let short = |item: &Item| match item {
        Item::Message(message) if message.role == Role::User => "user".to_owned(),
        Item::Message(_) => "said".to_owned(),
        Item::FunctionCall(call) => format!("call {}", call.call_id),
        Item::FunctionCallOutput(output) if output.output == "answer" => format!("out {}", output.call_id),
        Item::FunctionCallOutput(output) => format!("closed {}", output.call_id),
        Item::Reasoning(_) | Item::Other(_) => "other".to_owned(),
    };
    items.iter().map(short).collect()
}

fn closed(history: &[&str], input: &[&str]) -> Vec<String> {
    short(&close_calls(ResponseId::new(), &items(history), &items(input)))
}

/// Whether the input can follow the history, of which the last response was interrupted.
fn check(history: &[&str], input: &[&str]) -> Result<(), Incoherent> {
    check_calls(&items(history), history.len(), &items(input))
}

/// Each call that has an output, and the output, by their positions.
fn pairs(history: &[&str], input: &[&str]) -> Vec<(usize, usize)> {
    let (history, input) = (items(history), items(input));
    let pairs = CallPairs::of(&history, &input);
    let found: Vec<_> = (0..history.len() + input.len())
        .filter_map(|call| pairs.position_of_output(call).map(|output| (call, output)))
        .collect();
    for (call, output) in &found {
        assert_eq!(pairs.position_of_call(*output), Some(*call));
        let item = history.iter().chain(&input).nth(*output);
        assert_eq!(pairs.output_of(*call).cloned().map(Item::FunctionCallOutput).as_ref(), item);
    }
    found
}

#[test]
fn an_output_answers_the_first_open_call_of_the_latest_turn_that_has_one_of_its_id() {
    for (what, history, input, expected) in [
        ("one call", &["call a"] as &[&str], &["out a"] as &[&str], vec![(0, 1)]),
        ("another id", &["call a"], &["out b"], vec![]),
        ("outputs out of order", &["call a", "call b"], &["out b", "out a"], vec![(0, 3), (1, 2)]),
        ("an id that comes again in each turn", &["call a", "out a", "call a"], &["out a"], vec![(0, 1), (2, 3)]),
        ("an older turn that was left open", &["call a", "user", "call a"], &["out a"], vec![(2, 3)]),
        ("then the older one too", &["call a", "user", "call a"], &["out a", "out a"], vec![(0, 4), (2, 3)]),
        ("an id that comes twice in a turn", &["call a", "call a"], &["out a", "out a"], vec![(0, 2), (1, 3)]),
        ("the second one left open", &["call a", "said", "call a"], &["out a"], vec![(0, 3)]),
        (
            "twice, after a turn left open",
            &["call a", "user", "call a", "call a"],
            &["out a", "out a"],
            vec![(2, 4), (3, 5)],
        ),
        ("a call that was cut", &["cut call a"], &["out a"], vec![(0, 1)]),
        ("two outputs of one call", &["call a"], &["out a", "out a"], vec![(0, 1)]),
        ("an output before its call", &[], &["out a", "call a"], vec![(1, 0)]),
        ("calls before are nearer than calls behind", &[], &["call a", "out a", "call a"], vec![(0, 1)]),
        ("two outputs before their calls", &[], &["out a", "out a", "call a", "call a"], vec![(2, 0), (3, 1)]),
        ("an output of the history before its call", &["out a", "call a"], &[], vec![(1, 0)]),
        ("an output of the history and a call of the input", &["out a"], &["call a"], vec![]),
    ] {
        assert_eq!(pairs(history, input), expected, "{what}");
    }
}

#[test]
fn outputs_may_stand_in_any_order() {
    for (history, input, prompt) in [
        (&[] as &[&str], &["call a", "out a"] as &[&str], &["call a", "out a"] as &[&str]),
        (&[], &["out a", "call a"], &["call a", "out a"]),
        (&[], &["call a", "call b", "out b", "out a"], &["call a", "call b", "out a", "out b"]),
        (&[], &["out b", "out a", "call a", "call b"], &["call a", "call b", "out a", "out b"]),
        (&[], &["out b", "call a", "call b", "user", "out a"], &["call a", "call b", "out a", "out b", "user"]),
        (&["call a", "call b"], &["out b", "out a"], &["call a", "call b", "out a", "out b"]),
        (&["call a"], &["user", "out a"], &["call a", "out a", "user"]),
        // Of an earlier input, where it was accepted.
        (&["user", "out a", "call a", "said"], &["user"], &["user", "call a", "said", "out a", "user"]),
        // Some providers count their calls anew in each turn.
        (&["call 0", "out 0", "call 0"], &["out 0"], &["call 0", "out 0", "call 0", "out 0"]),
        (&["call 0", "user", "call 0"], &["out 0"], &["call 0", "closed 0", "user", "call 0", "out 0"]),
    ] {
        assert_eq!(check(history, input), Ok(()), "{history:?} {input:?}");
        assert_eq!(closed(history, input), prompt);
    }
}

#[test]
fn what_is_alone_or_twice_in_the_input_is_refused() {
    let a = || "a".to_owned();
    for (history, input, refusal) in [
        (&[] as &[&str], &["out a"] as &[&str], Incoherent::OutputWithoutCall(a())),
        (&["call b"], &["out a"], Incoherent::OutputWithoutCall(a())),
        (&[], &["call a"], Incoherent::CallWithoutOutput(a())),
        (&[], &["call a", "said", "user"], Incoherent::CallWithoutOutput(a())),
        (&["out a"], &["call a"], Incoherent::CallWithoutOutput(a())),
        (&[], &["call a", "out a", "out a"], Incoherent::AnsweredTwice(a())),
        (&[], &["out a", "call a", "out a"], Incoherent::AnsweredTwice(a())),
        (&["call a"], &["out a", "out a"], Incoherent::AnsweredTwice(a())),
        (&["call a", "out a"], &["out a"], Incoherent::AnsweredTwice(a())),
        (&[], &["call a", "call a", "out a"], Incoherent::CallWithoutOutput(a())),
        // What is cut elsewhere is no excuse.
        (&["cut call b"], &["call a"], Incoherent::CallWithoutOutput(a())),
        (&[], &["cut said", "user", "call a"], Incoherent::CallWithoutOutput(a())),
    ] {
        assert_eq!(check(history, input), Err(refusal), "{history:?} {input:?}");
    }
}

#[test]
fn every_call_of_a_response_that_completed_needs_an_output() {
    for (history, completed_from, input, unanswered) in [
        (&["user", "call a"] as &[&str], 1, &["user"] as &[&str], Some("a")),
        (&["user", "call a", "call b"], 1, &["out a", "user"], Some("b")),
        (&["user", "call a", "call b"], 1, &["user", "out b"], Some("a")),
        (&["user", "call a", "call b"], 1, &["out b", "out a"], None),
        // The same id again, once in each response.
        (&["call a", "out a", "call a"], 2, &["user"], Some("a")),
        (&["call a", "out a", "call a"], 2, &["out a"], None),
        // One that the server ran itself has its output in the same response.
        (&["call a", "out a", "said"], 0, &["user"], None),
        // An earlier one was closed when the conversation went on.
        (&["call a", "user", "said"], 2, &["user"], None),
        // A response that did not complete.
        (&["user", "call a"], 2, &["user"], None),
    ] {
        let refusal = unanswered.map(|id| Incoherent::CallWithoutOutput(id.to_owned()));
        let checked = check_calls(&items(history), completed_from, &items(input));
        assert_eq!(checked.err(), refusal, "{history:?} {input:?}");
    }
}

#[test]
fn a_conversation_goes_on_from_where_the_model_was_interrupted() {
    for (history, input, prompt) in [
        (
            &[] as &[&str],
            &["user", "cut call a", "user"] as &[&str],
            &["user", "call a", "closed a", "user"] as &[&str],
        ),
        (&[], &["call a", "cut call b", "user"], &["call a", "call b", "closed a", "closed b", "user"]),
        (&[], &["call a", "cut said", "user"], &["call a", "said", "closed a", "user"]),
        (&[], &["call a", "cut call b", "out a"], &["call a", "call b", "out a", "closed b"]),
        (&["call a", "call b"], &["user"], &["call a", "call b", "closed a", "closed b", "user"]),
        (&["call a", "call b", "said"], &["out b"], &["call a", "call b", "said", "closed a", "out b"]),
        (&["out gone", "said"], &["user"], &["said", "user"]),
    ] {
        assert_eq!(check(history, input), Ok(()), "{history:?} {input:?}");
        assert_eq!(closed(history, input), prompt);
    }
}

#[test]
fn the_current_turn_begins_with_what_the_model_wrote_before_the_calls_that_are_answered() {
    for (history, input, first) in [
        (&["user", "said"] as &[&str], &["user"] as &[&str], 2),
        (&["user", "said", "call a", "call b"], &["out b", "out a"], 1),
        (&["user", "call a", "out a", "said", "call b"], &["out b"], 3),
        (&["call a", "user", "call b"], &["out b", "out a"], 0),
        (&["user", "call a", "call b"], &["user"], 3),
        (&["user"], &["call a", "out a"], 1),
        (&[], &["user"], 0),
    ] {
        assert_eq!(current_turn(&items(history), &items(input)), first, "{history:?} {input:?}");
    }
}

#[test]
fn arguments_that_were_cut_are_sent_as_none() {
    for (status, arguments, sent) in [
        (ItemStatus::Incomplete, "{\"city\": \"Par", "{}"),
        (ItemStatus::Incomplete, "", "{}"),
        (ItemStatus::InProgress, "12", "{}"),
        (ItemStatus::Incomplete, "{\"city\": \"Paris\"}", "{\"city\": \"Paris\"}"),
        // A whole answer is the model's own word.
        (ItemStatus::Completed, "Paris", "Paris"),
    ] {
        let Item::FunctionCall(call) = item(0, "call a") else { unreachable!("a call") };
        let call = FunctionCall { status, arguments: arguments.to_owned(), ..call };
        let prompt = close_calls(ResponseId::new(), &[Item::FunctionCall(call)], &[]);
        let Some(Item::FunctionCall(call)) = prompt.first() else { unreachable!("a call") };
        assert_eq!(call.arguments, sent, "{status:?} {arguments}");
    }
}

proptest! {
    #[test]
    fn any_conversation_is_made_one_that_providers_accept(
        history in prop::collection::vec(any_item(), 0..12),
        input in prop::collection::vec(any_item(), 0..8),
    ) {
        let prompt = closed(&history, &input);
        for id in ["a", "b"] {
            let mut open = 0;
            for item in &prompt {
                match item.split_once(' ') {
                    Some(("call", call)) if call == id => open += 1,
                    Some((_, answered)) if answered == id => {
                        prop_assert!(open > 0, "an answer before its call: {prompt:?}");
                        open -= 1;
                    }
                    Some(_) | None => {}
                }
            }
            prop_assert_eq!(open, 0, "a call without an answer: {:?}", prompt);
        }
        let kept = |kind: &str| history.iter().chain(&input).filter(|item| item.ends_with(kind)).count();
        for kind in ["user", "said", "call a", "call b"] {
            prop_assert_eq!(prompt.iter().filter(|item| *item == kind).count(), kept(kind), "{} is lost", kind);
        }
        let all = items(&[history.as_slice(), &input].concat());
        let (before, now) = all.split_at(history.len());
        let asked = close_calls(ResponseId::new(), before, now);
        prop_assert_eq!(answered(before, now), answered(&asked, &[]), "the prompt pairs otherwise: {:?}", prompt);
        if check(&history, &input).is_ok() {
            let answers = input.iter().filter(|item| item.starts_with("out")).count();
            prop_assert!(prompt.iter().filter(|item| item.starts_with("out")).count() >= answers);
        }
    }
}

/// The ids of calls and of the outputs that clients gave them, in the order of the calls.
fn answered(history: &[Item], input: &[Item]) -> Vec<(String, String)> {
    let pairs = CallPairs::of(history, input);
    let given = |(position, call): (usize, &Item)| {
        let output = pairs.output_of(position).filter(|output| output.output == "answer")?;
        Some((call.id().as_str().to_owned(), output.id.as_str().to_owned()))
    };
    history.iter().chain(input).enumerate().filter_map(given).collect()
}

fn any_item() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["user", "said", "cut said", "call a", "cut call a", "call b", "out a", "out b"])
}
