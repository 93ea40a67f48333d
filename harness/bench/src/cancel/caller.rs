//! A second connection of the client, which stays open from one cancel to the next.

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stream::PATIENCE;
use crate::target::Target;

/// Cancels responses.
#[derive(Debug)]
pub(super) struct Caller {
    socket: TcpStream,
    key: String,
}

impl Caller {
    pub(super) async fn connect(target: &Target) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, key: target.key.clone() })
    }

    /// Returns when the answer is there: the response is cancelled.
    pub(super) async fn cancel(&mut self, id: &str) -> anyhow::Result<()> {
        let request = format!(
            "POST /v1/responses/{id}/cancel HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-length: 0\r\n\r\n",
            self.key
        );
        self.socket.write_all(request.as_bytes()).await?;
        let answer = timeout(PATIENCE, self.answer()).await.context("no answer to a cancel")??;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "a cancel was refused: {}", answer.lines().next().unwrap_or(""));
        ensure!(answer.contains("\"status\":\"cancelled\""), "a cancel that was answered without one");
        Ok(())
    }

    async fn answer(&mut self) -> anyhow::Result<String> {
        let mut bytes = Vec::new();
        loop {
            ensure!(self.socket.read_buf(&mut bytes).await? > 0, "the connection was closed");
            let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let length =
                text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if bytes.len() >= head + 4 + length.context("an answer without a length")? {
                return Ok(String::from_utf8(bytes)?);
            }
        }
    }
}
