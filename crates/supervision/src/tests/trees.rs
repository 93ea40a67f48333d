use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tracing::Span;

use super::{
    super::{ActorIdentity, Arbiters, Child, Exit, LeakedActors, Roster, spawn, spawn_on},
    PATIENCE,
};

/// Holds those below it, on threads of their own, and never stops by itself.
struct Branch {
    below: u32,
    arbiters: std::sync::Arc<Arbiters>,
    roster: Roster<u32>,
    told: UnboundedSender<(u32, Exit)>,
    children: Vec<Child<Branch>>,
}

impl Branch {
    fn grow(self) -> Child<Self> {
        let (arbiters, roster, told, level) =
            (self.arbiters.clone(), self.roster.clone(), self.told.clone(), self.below);
        let exit = move |exit| drop(told.send((level, exit)));
        let identity = ActorIdentity { label: level, span: Span::none() };
        spawn_on(arbiters.of(level).unwrap(), &roster, identity, |_| self, exit)
    }

    fn child(&self) -> Self {
        let (arbiters, roster, told) = (self.arbiters.clone(), self.roster.clone(), self.told.clone());
        Self { below: self.below - 1, arbiters, roster, told, children: Vec::new() }
    }
}

impl Actor for Branch {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Keeps an actor alive when all its addresses are gone.
        ctx.spawn(actix::fut::wrap_future(std::future::pending()));
        if self.below > 0 {
            self.children = vec![self.child().grow(), self.child().grow()];
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Panic;

impl Handler<Panic> for Branch {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("boom");
    }
}

async fn a_tree_ends(how: impl FnOnce(Child<Branch>) -> Option<Child<Branch>>, expected: Exit) {
    let arbiters = std::sync::Arc::new(Arbiters::start(3).unwrap());
    let (tell, mut told) = unbounded_channel();
    let roster = Roster::new();
    let root =
        Branch { below: 3, arbiters: arbiters.clone(), roster: roster.clone(), told: tell, children: Vec::new() };
    let root = root.grow();
    roster.wait_until(|live| live.len() == 15).await;
    let _ended = how(root);
    assert_eq!(roster.wait_until_empty(PATIENCE).await, Ok(()));
    let mut endings = Vec::new();
    while let Some(ending) = told.recv().await {
        endings.push(ending);
    }
    endings.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    assert_eq!(endings.remove(0), (3, expected));
    assert_eq!(endings.len(), 14);
    assert!(endings.iter().all(|(_, exit)| *exit == Exit::Killed), "{endings:?}");
}

#[tokio::test]
async fn a_dropped_root_takes_its_grandchildren_along_on_whatever_thread_they_live() {
    a_tree_ends(
        |root| {
            drop(root);
            None
        },
        Exit::Killed,
    )
    .await;
}

#[tokio::test]
async fn a_root_that_panics_takes_its_grandchildren_along() {
    a_tree_ends(
        |root| {
            root.addr().do_send(Panic);
            Some(root)
        },
        Exit::Panicked("boom".into()),
    )
    .await;
}

/// Writes down what it hears.
struct Parent {
    child: Option<Child<Chatty>>,
    heard: UnboundedSender<String>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Heard(String);

impl Actor for Parent {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (words, ending) = (ctx.address().recipient(), ctx.address());
        let exit = move |exit: Exit| ending.do_send(Heard(exit.to_string()));
        self.child = Some(spawn(&Roster::new(), (), move |_| Chatty { words }, exit));
    }
}

impl Handler<Heard> for Parent {
    type Result = ();

    fn handle(&mut self, Heard(word): Heard, _: &mut Self::Context) {
        let _left = self.heard.send(word);
    }
}

/// Says a lot, and panics.
struct Chatty {
    words: actix::Recipient<Heard>,
}

impl Actor for Chatty {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        for word in 0..100 {
            self.words.do_send(Heard(word.to_string()));
        }
        panic!("boom");
    }
}

#[actix::test]
async fn a_parent_is_told_of_an_ending_after_all_that_its_child_had_sent() {
    let (heard, mut words) = unbounded_channel();
    let _parent = spawn(&Roster::new(), (), move |_| Parent { child: None, heard }, |_| {});
    for word in 0..100 {
        assert_eq!(words.recv().await, Some(word.to_string()));
    }
    assert_eq!(words.recv().await.as_deref(), Some("panicked"));
}

#[actix::test]
async fn a_leak_check_names_those_that_are_left() {
    let (roster, patience) = (Roster::new(), Duration::from_millis(1));
    assert_eq!(roster.wait_until_empty(patience).await, Ok(()));
    let named = |name: &str| spawn(&roster, name.to_owned(), |_| super::Victim::default(), |_| {});
    let (_one, two, _three) = (named("one"), named("two"), named("three"));
    drop(two);
    let left = || vec!["one".to_owned(), "three".to_owned()];
    roster.wait_until(|live| live == left()).await;
    let leak = roster.wait_until_empty(patience).await;
    assert_eq!(leak, Err(LeakedActors { alive: left(), patience }));
    assert_eq!(leak.unwrap_err().to_string(), r#"2 actors are still alive after 1ms: ["one", "three"]"#);
    assert_eq!(format!("{roster:?}"), r#"{"one", "three"}"#);
}

#[actix::test]
async fn who_waits_for_a_change_sees_each() {
    let roster = Roster::new();
    let (waiting, changing) = (roster.clone(), roster.clone());
    let grown = waiting.wait_until(|live| live.len() == 3);
    let grow = async {
        let mut children = Vec::new();
        for _ in 0..3 {
            tokio::task::yield_now().await;
            children.push(super::victim(&changing));
        }
        children
    };
    let ((), children) = tokio::join!(grown, grow);
    let ((), ()) = tokio::join!(waiting.wait_until(<[_]>::is_empty), async { drop(children) });
}
