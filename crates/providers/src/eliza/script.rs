//! What ELIZA listens for and what it answers.

/// Words that choose rules.
pub(super) struct Keyword {
    pub(super) words: &'static [&'static str],
    /// The higher goes first.
    pub(super) rank: u8,
    /// The first that fits is used.
    pub(super) rules: &'static [Rule],
}

/// A way to take a sentence apart and the answers to it, which are given in turn.
pub(super) struct Rule {
    pub(super) pattern: &'static str,
    pub(super) answers: &'static [&'static str],
}

const fn on(words: &'static [&'static str], rank: u8, rules: &'static [Rule]) -> Keyword {
    Keyword { words, rank, rules }
}

const fn rule(pattern: &'static str, answers: &'static [&'static str]) -> Rule {
    Rule { pattern, answers }
}

pub(super) const GREETING: &str = "Hello, I am Eliza. What would you like to talk about?";

/// For a message without a single word.
pub(super) const CLOSING: &[&str] =
    &["Take your time. I am listening.", "You seem to be at a loss for words. What is on your mind?"];

/// For when nothing else fits.
pub(super) const FALLBACKS: &[&str] = &[
    "I see. Please go on.",
    "What makes that important to you?",
    "Could you put that in other words?",
    "How does that make you feel?",
    "I am not sure that I follow. Can you tell me a little more?",
    "Let us stay with that for a moment. What comes to mind first?",
];

/// For coming back to what the user told of himself: `{2}` follows "my".
pub(super) const MEMORIES: &[&str] = &[
    "Earlier you mentioned your {2}. Does that have something to do with this?",
    "Let us go back to your {2}. What more can you tell me about it?",
    "I keep thinking of what you said about your {2}. Why did you bring it up?",
];

pub(super) const KEYWORDS: &[Keyword] = &[
    on(
        &["sorry", "apologize", "apologise"],
        9,
        &[rule("*", &["There is no need to be sorry.", "No harm done. What made you feel that you had to apologize?"])],
    ),
    on(
        &["eliza", "computer", "machine", "bot", "ai", "llm", "program", "robot"],
        8,
        &[
            rule(
                "* are you *",
                &[
                    "I am Eliza, a small program that answers by rules. Nothing you say leaves this server.",
                    "Only a few hundred lines of rules. Does it matter to you who listens?",
                ],
            ),
            rule(
                "*",
                &[
                    "What do you think machines have to do with it?",
                    "Do computers worry you?",
                    "I am a simple program myself. What would you expect of a better one?",
                ],
            ),
        ],
    ),
    on(
        &["dream", "dreamed", "dreamt", "dreams"],
        7,
        &[
            rule(
                "* i dreamed|dreamt *",
                &[
                    "Really, {3}? Have you ever imagined that while you were awake?",
                    "What does that dream suggest to you?",
                ],
            ),
            rule("*", &["What do your dreams tell you?", "Do you dream often?", "Who appears in your dreams?"]),
        ],
    ),
    on(
        &["remember", "recall"],
        6,
        &[
            rule(
                "* i remember|recall *",
                &[
                    "Do you often think of {3}?",
                    "What else comes to mind when you think of {3}?",
                    "Why do you remember {3} just now?",
                ],
            ),
            rule(
                "* do you remember|recall *",
                &["Did you think that I would forget {3}?", "What about {3} should I have in mind?"],
            ),
        ],
    ),
    on(
        &["if"],
        5,
        &[rule(
            "* if *",
            &["Do you think it is likely that {2}?", "What would follow if {2}?", "Do you wish that {2}?"],
        )],
    ),
    on(
        &["mother", "father", "sister", "brother", "wife", "husband", "family", "children", "parents", "friend"],
        5,
        &[
            rule(
                "* my mother|father|sister|brother|wife|husband|family|children|parents|friend *",
                &[
                    "Tell me more about your {2}.",
                    "What else comes to mind when you think of your {2}?",
                    "How do you get along with your {2}?",
                ],
            ),
            rule("*", &["Who in your life matters most to you?", "What does family mean to you?"]),
        ],
    ),
    on(
        &["always", "never", "everyone", "everybody", "nobody", "nothing"],
        4,
        &[rule(
            "* always|never|everyone|everybody|nobody|nothing *",
            &["Really, {2}?", "Can you think of an example?", "Can there be no exception?"],
        )],
    ),
    on(
        &["i"],
        3,
        &[
            rule(
                "* i need|want *",
                &[
                    "What would it mean to you to get {3}?",
                    "Why do you {2} {3}?",
                    "Suppose you had {3}. What would change?",
                ],
            ),
            rule(
                "* i feel *",
                &[
                    "Do you often feel {2}?",
                    "When did you begin to feel {2}?",
                    "What else do you feel when you feel {2}?",
                ],
            ),
            rule(
                "* i am *",
                &[
                    "How long have you been {2}?",
                    "How do you feel about being {2}?",
                    "Is it because you are {2} that you came to talk?",
                ],
            ),
            rule(
                "* i can't *",
                &[
                    "What keeps you from being able to {2}?",
                    "Have you tried to {2}?",
                    "Perhaps you could {2} if you gave it another go.",
                ],
            ),
            rule(
                "* i don't *",
                &["Why don't you {2}?", "Would you like to {2}?", "Does it trouble you that you don't {2}?"],
            ),
            rule("* i think|believe|know *", &["Are you sure that {3}?", "What makes you {2} that {3}?"]),
            rule("* i love|like|hate|miss *", &["What is it about {3} that you {2}?", "Since when do you {2} {3}?"]),
            rule("* i *", &["You {2}?", "Why do you say that you {2}?", "Does it help to talk about that?"]),
        ],
    ),
    on(
        &["you"],
        3,
        &[
            rule(
                "* who|what are you *",
                &[
                    "I am Eliza, a small program that answers by rules. Nothing you say leaves this server.",
                    "A listener made of rules, after a famous program of 1966. And who are you?",
                ],
            ),
            rule("* you are *", &["What makes you think that I am {2}?", "Would it please you if I were {2}?"]),
            rule(
                "* are you *",
                &["Why does it interest you whether I am {2}?", "Would you prefer it if I were not {2}?"],
            ),
            rule(
                "* can|could you *",
                &["Perhaps you would like to be able to {3} yourself.", "What would it mean to you if I could {3}?"],
            ),
            rule("* do you *", &["We were talking about you, not about me.", "Why do you ask whether I {2}?"]),
            rule("* you * me *", &["What makes you think that I {2} you?", "Do you like to believe that I {2} you?"]),
            rule("*", &["Let us talk about you rather than about me.", "What does that tell you about yourself?"]),
        ],
    ),
    on(
        &["because"],
        2,
        &[rule(
            "*",
            &[
                "Is that the real reason?",
                "What other reasons might there be?",
                "Does that reason explain anything else?",
            ],
        )],
    ),
    on(
        &["my"],
        2,
        &[rule(
            "* my *",
            &["Tell me more about your {2}.", "Why do you say your {2}?", "Is it important to you, your {2}?"],
        )],
    ),
    on(
        &["why"],
        2,
        &[
            rule("* why don't you *", &["Do you believe that I don't {2}?", "Perhaps I will {2} in good time."]),
            rule("*", &["Why do you think?", "What answer would please you most?"]),
        ],
    ),
    on(
        &["what", "how", "who", "when", "where", "which"],
        1,
        &[rule(
            "*",
            &[
                "Why do you ask?",
                "What do you think yourself?",
                "What answer would help you most?",
                "Have you asked anyone else?",
            ],
        )],
    ),
    on(
        &["perhaps", "maybe", "possibly"],
        1,
        &[rule("*", &["You do not sound quite certain.", "Can you be more definite?"])],
    ),
    on(
        &["yes", "yeah", "indeed", "right"],
        1,
        &[rule("*", &["You seem quite sure.", "I see. And what follows from that?"])],
    ),
    on(
        &["no", "nope", "not"],
        1,
        &[rule("*", &["Why not?", "Are you saying no just to be contrary?", "I see. What then?"])],
    ),
    on(&["thanks", "thank"], 1, &[rule("*", &["You are welcome. What else is on your mind?"])]),
    on(
        &["bye", "goodbye"],
        1,
        &[rule("*", &["Goodbye. It was good to talk with you.", "Goodbye, and come back whenever you like."])],
    ),
    on(
        &["hello", "hi", "hey", "greetings"],
        0,
        &[rule("*", &["Hello. How are you feeling today?", "Hello again. What shall we talk about?"])],
    ),
];
