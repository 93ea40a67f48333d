//! The page at `/` in a real browser, against the real binary. The stories are in `tests/browser`.

mod stage;

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};

use reqwest::Method;

use crate::support::{Answer, Site};
use stage::Stage;

/// Tells a story for which the provider answers by these scripts, each under the name of its model.
async fn tell(story: &str, scripts: &[(&str, Script)], gates: &[(&'static str, &ScriptGate)]) {
    let provider = ScriptedProvider::start();
    let mut models: Vec<&str> = Vec::new();
    for (model, script) in scripts {
        provider.script(model, script.clone());
        if !models.contains(model) {
            models.push(model);
        }
    }
    let site = Site::with_models(&provider, &models);
    Stage::new(provider, site, gates).await.tell(story).await;
}

/// Some words, a stop at the gate, and more words.
fn halting(gate: &ScriptGate) -> Script {
    let words = |script: Script, numbers: std::ops::Range<u32>| {
        numbers.fold(script, |script, number| script.text(&format!("word{number} ")))
    };
    let script = words(Script::new(), 0..20).pause_until(gate);
    words(script, 20..40).finish("stop").usage(10, 40).done()
}

#[tokio::test]
async fn only_a_good_key_signs_in_and_signing_out_leaves_nothing() {
    tell("sign_in", &[("m", Script::answer(["Hello."]))], &[]).await;
}

const POEM: [&str; 16] = [
    "## On rou",
    "nds\n\nA round is **one** line, su",
    "ng by *several* voices.\n\n",
    "1. The first begins.\n2. The sec",
    "ond waits `two` bars.\n\n- [x] learn it\n- [ ] sing it\n\n",
    "> Frère Jacques, dormez-vous ?\n\n",
    "```python\ndef sing(voices, line):\n    for delay, voice in enumer",
    "ate(voices):\n        yield delay * 2, voice, line\n```\n\n",
    "| voice | begins | notes |\n|:--|--:|--:|\n| first | 0 | 32 |\n",
    "| second | 2 | 32 |\n\n",
    "Sung from [the score][score].\n\n[score]: https://example.com/sc",
    "ore\n\n",
    "More in [the book](https://example.com/rounds) or at https://example.com/canons.\n\n",
    "![a picture](https://example.com/picture.png)\n\n",
    "Last w",
    "ords.",
];

#[tokio::test]
async fn an_answer_is_streamed_as_markdown_in_light_and_dark() {
    let (middle, address) = (ScriptGate::new(), ScriptGate::new());
    let told = |script: Script, texts: &[&str]| texts.iter().fold(script, |script, text| script.text(text));
    let script = told(Script::new(), &POEM[..8]).pause_until(&middle);
    let script = told(told(script, &POEM[8..11]).pause_until(&address), &POEM[11..]);
    let scripts = [("poet", script.finish("stop").usage(21, 140).done())];
    tell("markdown", &scripts, &[("middle", &middle), ("address", &address)]).await;
}

#[tokio::test]
async fn an_answer_is_stopped_by_button_and_by_key_and_keeps_its_text() {
    let gate = ScriptGate::new();
    tell("stop", &[("slow", halting(&gate))], &[("middle", &gate)]).await;
}

#[tokio::test]
async fn a_connection_that_is_cut_costs_no_word_and_doubles_none() {
    let gate = ScriptGate::new();
    tell("cut", &[("slow", halting(&gate))], &[("middle", &gate)]).await;
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_sent_again_and_counts_once() {
    let gate = ScriptGate::new();
    let script = Script::new().pause_until(&gate).text("Once ").text("only.").finish("stop").usage(3, 2).done();
    tell("unanswered", &[("m", script)], &[("begin", &gate)]).await;
}

#[tokio::test]
async fn a_page_that_is_loaded_again_goes_on_where_it_was() {
    let gate = ScriptGate::new();
    let scripts = [("brief", Script::answer(["An *earlier* ", "answer."])), ("slow", halting(&gate))];
    tell("reload", &scripts, &[("middle", &gate)]).await;
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_tells_the_truth_and_goes_on() {
    let gate = ScriptGate::new();
    let scripts = [("slow", halting(&gate)), ("brief", Script::answer(["Back ", "again."]))];
    tell("restart", &scripts, &[("middle", &gate)]).await;
}

#[tokio::test]
async fn a_conversation_goes_on_from_its_last_response_and_a_new_one_from_none() {
    let answers = ["One.", "Two.", "Three."].map(|text| ("m", Script::answer([text])));
    tell("chain", &answers, &[]).await;
}

#[tokio::test]
async fn the_events_of_a_response_are_shown_as_they_were() {
    let words = (0..3_000).fold(Script::new(), |script, number| script.text(&format!("w{number} ")));
    let gate = ScriptGate::new();
    let scripts = [("long", words.finish("stop").usage(10, 3_000).done()), ("slow", halting(&gate))];
    tell("inspector", &scripts, &[("middle", &gate)]).await;
}

#[tokio::test]
async fn the_page_follows_an_answer_only_for_who_reads_its_end() {
    let gate = ScriptGate::new();
    let lines = |script: Script, from: u32| {
        (from..from + 60).fold(script, |script, number| script.text(&format!("line {number}\n\n")))
    };
    let script = lines(lines(Script::new(), 0).pause_until(&gate), 60).text("The end.");
    tell("scroll", &[("long", script.finish("stop").usage(1, 120).done())], &[("middle", &gate)]).await;
}

#[tokio::test]
async fn a_configuration_can_do_without_the_page() {
    for (config, status, content_type) in
        [("", 200, "text/html; charset=utf-8"), ("[http]\npage = false", 404, "application/json")]
    {
        let server = Site::new().config(config).start().await;
        let answer = Answer::of(server.client().bare(Method::GET, "/")).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, content_type), "{config}");
    }
}

const HOSTILE: &str = "Before.\n\n<script>window.__harm = 'script'</script>\n\n\
    <img src=x onerror=\"window.__harm = 'img'\">\n\n<svg onload=\"window.__harm = 'svg'\"></svg>\n\n\
    <iframe srcdoc=\"<script>parent.__harm = 'iframe'</script>\"></iframe>\n\n\
    <form action=\"https://example.com\"><input name=\"key\"></form>\n\n<style>* { display: none }</style>\n\n\
    <a href=\"javascript:window.__harm = 'raw'\">raw</a> [one](javascript:window.__harm='link') \
    [two](data:text/html,<script>window.__harm='data'</script>) [three](JaVaScRiPt&colon;window.__harm='entity') \
    [four](vbscript:x) [five](/v1/models) [six](//example.com) ![seven](https://example.com/x.png) \
    ![eight](x \"a\" onerror=alert) ![\" onerror=\"window.__harm='alt'](https://example.com/y.png) \
    [nine](https://example.com/ok)\n\n```\"><script>window.__harm='fence'</script>\n\
    </code></pre><script>window.__harm = 'code'</script>\n```\n\n\
    <math><mtext></p><style><img src onerror=\"window.__harm='mxss'\"></style></mtext></math>\n\n\
    Inline <b onclick=\"window.__harm='b'\">bold</b> and <br> a break.\n\nAfter.";

#[tokio::test]
async fn markup_that_means_harm_does_nothing() {
    tell("hostile", &[("evil", Script::answer(HOSTILE.split_inclusive(' ')))], &[]).await;
}

#[tokio::test]
async fn an_answer_that_is_nested_too_deeply_is_shown_as_text_and_can_be_shown_again() {
    let (quotes, lists) = (format!("{}x", "> ".repeat(3_000)), format!("{}x", "- ".repeat(2_000)));
    let script = Script::answer(["Before.\n\n", &quotes, "\n\n", &lists, "\n\nAfter **all**."]);
    tell("deep", &[("deep", script.clone()), ("deep", script)], &[]).await;
}

#[tokio::test]
async fn everything_can_be_done_by_keyboard() {
    let gate = ScriptGate::new();
    tell("keyboard", &[("slow", halting(&gate)), ("other", Script::answer(["Other."]))], &[("middle", &gate)]).await;
}

#[tokio::test]
async fn nothing_is_wider_than_a_phone_and_everything_has_contrast() {
    let wide = "Anunbrokenword".repeat(30);
    let text = format!(
        "{wide}\n\n```\n{wide}\n```\n\n| {} |\n|{}\n| {} |\n\nhttps://example.com/{wide}\n\n`{wide}`\n\n> quoted",
        ["a_long_heading"; 9].join(" | "),
        "--|".repeat(9),
        ["a_long_cell"; 9].join(" | ")
    );
    let wide = Script::new().reasoning("Let me think. ").text(&text).finish("stop").usage(9, 9).done();
    let refused = Script::new().refusal("That I can't do.").finish("stop").usage(1, 1).done();
    tell("narrow", &[("wide", wide), ("refuses", refused)], &[]).await;
}

#[tokio::test]
async fn every_ending_is_told_as_it_is() {
    let limited = Script::new().text("As far as ").text("this").finish("length").usage(5, 5).done();
    let broken = Script::new().text("Hello ").text("there").cut();
    let refusing = Script::new().refusal("I can't ").refusal("help with that.").finish("stop").usage(5, 5).done();
    let thinking = Script::new().reasoning("Let me ").reasoning("see.").text("Because.").finish("stop").usage(5, 5);
    let rejected = Script::status(400, &[], "{\"error\":{\"message\":\"no\"}}");
    let scripts = [
        ("limited", limited),
        ("broken", broken),
        ("refusing", refusing),
        ("thinking", thinking.done()),
        ("rejected", rejected),
    ];
    tell("endings", &scripts, &[]).await;
}

#[tokio::test]
async fn a_server_that_is_busy_is_waited_for() {
    let gate = ScriptGate::new();
    let provider = ScriptedProvider::start();
    provider.script("slow", halting(&gate));
    provider.script("m", Script::answer(["At last."]));
    let site = Site::with_models(&provider, &["slow", "m"]).config("max_concurrent = 1\nmax_queue = 0");
    Stage::new(provider, site, &[("middle", &gate)]).await.tell("busy").await;
}
