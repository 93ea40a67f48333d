//! Many who read, and some who take nothing.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use futures_util::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::support::{Client, PATIENCE, Running, Site};

/// An answer that fits into no buffer of a socket.
fn long_answer() -> Script {
    let piece = "a long piece of text ".repeat(100);
    (0..200).fold(Script::new(), |script, number| script.text(&format!("{number} {piece}"))).finish("stop").done()
}

/// Asks for a stream and takes nothing of it.
async fn stand_still(server: &Running, id: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut socket = socket.connect(server.client().address().parse().unwrap()).await.unwrap();
    let head = format!(
        "GET /v1/responses/{id}?stream=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        server.key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    // The head at least, so that it is a reader by now.
    socket.readable().await.unwrap();
    socket
}

async fn status_of_replay(client: &Client, id: &str) -> (u16, String) {
    let answer = client.get(&format!("/v1/responses/{id}?stream=true")).await;
    let code = if answer.status == 200 { String::new() } else { answer.error().1.unwrap() };
    (answer.status, code)
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_connection_and_its_place() {
    let provider = ScriptedProvider::start();
    provider.script("m", long_answer());
    let site = Site::with_models(&provider, &["m"])
        .config("[http]\nclient_stall_timeout = \"1s\"\nreaders_per_response = 2\nreaders_per_key = 3");
    let server = site.start().await;
    let client = server.client();
    let made = client.create(&json!({ "model": "m", "input": "Hi." })).await;
    let other = client.create(&json!({ "model": "eliza", "input": "Hi." })).await;
    let still = [stand_still(&server, &made.id()).await, stand_still(&server, &made.id()).await];
    let refused = (429, "too_many_readers".to_owned());
    assert_eq!(status_of_replay(&client, &made.id()).await, refused, "of one response");
    assert_eq!(client.retrieve(&made.id()).await.error().0, 429, "and as an object");
    assert_eq!(status_of_replay(&client, &other.id()).await.0, 200, "another one has readers of its own");
    let freed = async { while status_of_replay(&client, &made.id()).await.0 != 200 {} };
    tokio::time::timeout(PATIENCE, freed).await.expect("those that stand still are cut");
    for mut socket in still {
        let rest = socket.read_to_end(&mut Vec::new()).await;
        assert!(rest.is_err() || rest.is_ok_and(|bytes| bytes < 200_000), "it was cut in the middle");
    }
}

#[tokio::test]
async fn fifty_readers_of_one_response_and_two_hundred_replays_get_the_same_bytes() {
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("m", Script::new().text("Hello").pause_until(&gate).text(", world").finish("stop").done());
    provider.script("long", long_answer());
    let site = Site::with_models(&provider, &["m", "long"]);
    let server = site.start().await;
    let client = server.client();
    let mut first = client.stream("m", "Hi.").await;
    first.read_until_text("Hello").await;
    let id = first.id();
    let mut readers = join_all((0..50).map(|_| client.replay(&id))).await;
    gate.open();
    first.read_all().await;
    for reader in &mut readers {
        reader.read_all().await;
        assert_eq!(reader.frames, first.frames);
    }
    let replays = join_all((0..200).map(|_| async { read(&client, &id).await })).await;
    assert!(replays.iter().all(|frames| *frames == first.frames));

    let mut long = client.stream("long", "Hi.").await;
    long.read_all().await;
    let id_of_long = long.id();
    for frames in join_all((0..4).map(|_| read(&client, &id_of_long))).await {
        assert!(frames == long.frames, "a log of many slices is the same as what was seen");
    }
}

async fn read(client: &Client, id: &str) -> Vec<String> {
    let answer = client.get(&format!("/v1/responses/{id}?stream=true")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let frames = answer.text.split("\n\n").filter(|frame| frame.starts_with("event: "));
    frames.map(str::to_owned).collect()
}
