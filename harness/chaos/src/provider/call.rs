//! One connection of the provider: call after call, until the other side leaves or it is cut.

use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::wire::{self, Request};
use super::{Books, Open};
use crate::performance::{Finish, Performance};

pub(super) async fn serve(socket: TcpStream, books: &Books) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (mut reads, mut writes) = socket.into_split();
    while let Some(request) = Request::read(&mut reads).await? {
        if !request.path.ends_with("/chat/completions") {
            writes.write_all(&wire::answer(200, &json!({ "object": "list", "data": [] }))).await?;
            continue;
        }
        let plan = Arc::clone(&books.plan);
        let known = request.number().and_then(|number| Some((number, plan.visits.get(number as usize)?)));
        let Some((number, visit)) = known else {
            writes.write_all(&wire::answer(400, &json!({ "error": { "message": "no such prompt" } }))).await?;
            continue;
        };
        let cut = Arc::new(Notify::new());
        books.open(Open { stage: request.model().to_owned(), cut: Arc::clone(&cut) });
        let goes_on = tokio::select! {
            played = play(number, &visit.performance, books, &mut writes) => played,
            () = cut.notified() => Ok(false),
            () = gone(&mut reads) => Ok(false),
        };
        books.close(&cut);
        if !goes_on? {
            return Ok(());
        }
    }
    Ok(())
}

/// Until the other side has closed the connection. It sends nothing before it has the whole answer.
async fn gone(reads: &mut OwnedReadHalf) {
    let mut ignored = [0; 256];
    while matches!(reads.read(&mut ignored).await, Ok(bytes) if bytes > 0) {}
}

/// Whether the connection can be used again.
async fn play(number: u32, performance: &Performance, books: &Books, socket: &mut OwnedWriteHalf) -> io::Result<bool> {
    let before = books.begin(number);
    sleep(performance.silence).await;
    if let Some((status, times)) = performance.refused
        && before < times
    {
        socket.write_all(&wire::answer(status, &json!({ "error": { "message": "not now" } }))).await?;
        return Ok(true);
    }
    socket.write_all(wire::STREAM).await?;
    for place in 0..performance.pieces {
        socket.write_all(&wire::piece(&Performance::piece(number, place))).await?;
        sleep(performance.pace).await;
    }
    let reason = match performance.finish {
        Finish::Stop | Finish::StopWithoutUsage => "stop",
        Finish::Length => "length",
        Finish::Cut => return Ok(false),
        Finish::Silence => std::future::pending().await,
        Finish::StopAndError => {
            socket.write_all(&wire::error_after("stop")).await?;
            return Ok(true);
        }
        Finish::UnknownReason => {
            socket.write_all(&wire::ending("of_the_future", None)).await?;
            return Ok(true);
        }
    };
    books.finish(number);
    let usage = performance.tells_usage().then(|| performance.usage(number));
    socket.write_all(&wire::ending(reason, usage)).await?;
    Ok(true)
}
