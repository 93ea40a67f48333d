#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::DelayingProxy;

/// A server that sends back what it reads.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn ask(socket: &mut TcpStream, text: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    socket.read_exact(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_round_trip_takes_as_long_as_it_is_told_and_not_once_per_chunk() {
    let proxy = DelayingProxy::start(echo().await);
    let round_trip = Duration::from_millis(40);
    proxy.set_round_trip(round_trip);
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    let begun = Instant::now();
    // At least 64 chunks in each direction: one after the other they would take 64 round trips.
    let text: Vec<u8> = (0..1024 * 1024_u32).map(|place| place.to_le_bytes()[1]).collect();
    let (mut from, mut to) = socket.split();
    let mut answer = vec![0; text.len()];
    let (asked, answered) = tokio::join!(to.write_all(&text), from.read_exact(&mut answer));
    assert!(asked.is_ok() && answered.is_ok() && answer == text);
    let took = begun.elapsed();
    assert!(took >= round_trip && took < round_trip * 32, "{took:?}");
}

#[tokio::test]
async fn a_cut_line_drops_connections_until_it_is_restored() {
    let (proxy, url) = DelayingProxy::in_front_of(&format!("postgres://somebody@{}/name?a=b", echo().await));
    assert_eq!(url, format!("postgres://somebody@{}/name?a=b", proxy.address()));
    let mut old = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut old, b"one").await.unwrap(), b"one");
    assert_eq!(ask(&mut old, b"more").await.unwrap(), b"more");
    assert_eq!(proxy.round_trips(), 2);
    proxy.cut();
    assert!(ask(&mut old, b"two").await.is_err());
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(ask(&mut refused, b"three").await.is_err());
    proxy.restore();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ask(&mut new, b"four").await.unwrap(), b"four");
}

#[tokio::test]
async fn a_stalled_line_holds_back_what_it_delivers_when_it_is_restored() {
    let proxy = DelayingProxy::start(echo().await);
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    for hold in [DelayingProxy::stall, DelayingProxy::mute] {
        hold(&proxy);
        socket.write_all(b"held").await.unwrap();
        let mut answer = [0; 4];
        let early = tokio::time::timeout(Duration::from_millis(50), socket.read_exact(&mut answer)).await;
        assert!(early.is_err(), "{early:?}");
        proxy.restore();
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"held");
    }
}
