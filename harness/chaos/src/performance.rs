//! What the provider says to one prompt: all of it is known beforehand.

use std::time::Duration;

use crate::random::Random;

/// How many providers do what they should. Each has a circuit breaker of its own.
pub(crate) const STEADY: u64 = 4;

/// Which of the configured providers a model belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// One that does what it should, unless it is cut. It is asked once.
    Steady(u64),
    /// One that breaks off, falls silent, or ends in a way that is no success. It is asked once.
    Broken,
    /// One that refuses, now and again or always. It is asked up to three times.
    Busy,
    /// Another Antiphon, which goes on with a call whose listener was lost, and is listened to again.
    Far,
}

impl Stage {
    /// The name of the provider and of its model.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Steady(number) => format!("steady{number}"),
            Self::Broken => "broken".to_owned(),
            Self::Busy => "busy".to_owned(),
            Self::Far => "far".to_owned(),
        }
    }

    /// Every one.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..STEADY).map(Self::Steady).chain([Self::Broken, Self::Busy, Self::Far])
    }

    /// How often it may be asked for one response.
    pub(crate) fn most_calls(self) -> u32 {
        match self {
            Self::Steady(_) | Self::Broken | Self::Far => 1,
            Self::Busy => 3,
        }
    }
}

/// What comes after the last piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// `stop`, and the usage.
    Stop,
    /// `stop`, and no word about usage.
    StopWithoutUsage,
    /// `length`, and the usage.
    Length,
    /// The connection is closed, with no mark of an end.
    Cut,
    /// Nothing, until the other side leaves.
    Silence,
    /// `stop`, and an error behind it.
    StopAndError,
    /// A reason that nobody knows.
    UnknownReason,
}

/// What the provider does with one prompt.
#[derive(Debug, Clone)]
pub(crate) struct Performance {
    /// Where.
    pub(crate) stage: Stage,
    /// The HTTP status of the first so many calls, if they are refused.
    pub(crate) refused: Option<(u16, u32)>,
    /// The time before the first piece.
    pub(crate) silence: Duration,
    /// How many pieces of text there are.
    pub(crate) pieces: u64,
    /// The time between two.
    pub(crate) pace: Duration,
    /// What comes then.
    pub(crate) finish: Finish,
}

impl Performance {
    /// What the next number of the generator makes of it.
    pub(crate) fn random(random: &mut Random) -> Self {
        let steady = Stage::Steady(random.within(0, STEADY - 1));
        let stage = random.weighted((66, steady), &[(12, Stage::Broken), (8, Stage::Busy), (14, Stage::Far)]);
        let well = random.weighted((70, Finish::Stop), &[(15, Finish::StopWithoutUsage), (15, Finish::Length)]);
        let badly = random.weighted(
            (45, Finish::Cut),
            &[(25, Finish::Silence), (15, Finish::StopAndError), (15, Finish::UnknownReason)],
        );
        let status = random.weighted((50, 429), &[(30, 500), (20, 503)]);
        let refusals = random.weighted((60, 1), &[(40, u32::MAX)]);
        let pace = random.weighted((30, 5), &[(20, 0), (30, 20), (20, 60)]);
        Self {
            stage,
            refused: (stage == Stage::Busy).then_some((status, refusals)),
            silence: Duration::from_millis(random.within(0, 120)),
            pieces: random.within(u64::from(stage != Stage::Broken), 40),
            pace: Duration::from_millis(pace),
            finish: match stage {
                Stage::Broken => badly,
                // What it says of usage is an estimate where its own provider says nothing, and looks like a report.
                Stage::Far if well == Finish::StopWithoutUsage => Finish::Stop,
                Stage::Far | Stage::Steady(_) | Stage::Busy => well,
            },
        }
    }

    /// A piece of the answer to the prompt with that number.
    pub(crate) fn piece(number: u32, place: u64) -> String {
        // Quotes, line ends and letters of several bytes are where careless code cuts.
        let tail = ["", " ", "\n", "\"é\"", "\\", "漢字 ", "🎈"];
        let index = usize::try_from((u64::from(number) + place) % 7).unwrap_or(0);
        format!("{number}.{place}{} ", tail.get(index).copied().unwrap_or(""))
    }

    /// All text of the answer to the prompt with that number.
    pub(crate) fn text(&self, number: u32) -> String {
        (0..self.pieces).map(|place| Self::piece(number, place)).collect()
    }

    /// The tokens of the prompt and of the answer, as the provider counts them.
    pub(crate) fn usage(&self, number: u32) -> (u64, u64) {
        (10 + u64::from(number % 7), self.pieces)
    }

    /// Whether the provider tells them.
    pub(crate) fn tells_usage(&self) -> bool {
        match self.finish {
            Finish::Stop | Finish::Length => true,
            Finish::StopWithoutUsage | Finish::Cut | Finish::Silence | Finish::StopAndError | Finish::UnknownReason => {
                false
            }
        }
    }
}
