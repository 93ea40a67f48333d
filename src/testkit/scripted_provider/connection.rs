//! One connection: reads a request, plays its script, notices when the client leaves.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::records::{RecordedRequest, Records};
use super::script::{Script, ScriptStep};

/// The list of models, empty.
const MODELS: &str = "{\"object\":\"list\",\"data\":[]}";

/// How a script ended its connection.
enum ConnectionEnding {
    /// With the end of the body.
    Clean,
    /// In the middle.
    Cut,
    /// By a reset.
    Reset,
}

pub(super) async fn serve(socket: TcpStream, records: &Records) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (mut reads, mut writes) = socket.into_split();
    let Some(request) = request(&mut reads).await? else { return Ok(()) };
    if request.path.ends_with("/models") {
        // A server checks at its start by this whether the provider is reachable. It takes no script.
        return play(&Script::status(200, &[], MODELS), &mut writes).await.map(drop);
    }
    let (number, script) = records.take(request);
    let ending = tokio::select! {
        ending = play(&script, &mut writes) => ending.unwrap_or(ConnectionEnding::Cut),
        () = gone(&mut reads) => {
            records.note_closed(number);
            return Ok(());
        }
    };
    if let ConnectionEnding::Reset = ending {
        let socket = reads.reunite(writes).map_err(io::Error::other)?;
        return socket.set_zero_linger();
    }
    // The client sees the end of the body, clean or not, by this; that the client closes its side is noted
    // afterwards.
    let _left = writes.shutdown().await;
    gone(&mut reads).await;
    records.note_closed(number);
    Ok(())
}

/// Waits until the client has closed its side.
async fn gone(reads: &mut OwnedReadHalf) {
    let mut ignored = [0; 256];
    while matches!(reads.read(&mut ignored).await, Ok(bytes) if bytes > 0) {}
}

async fn request(reads: &mut OwnedReadHalf) -> io::Result<Option<RecordedRequest>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if reads.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let body = head + 4;
    while bytes.len() < body + length.unwrap_or(0) {
        if reads.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let text = String::from_utf8_lossy(&bytes[body..]).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Some(RecordedRequest { method, path, headers, text, body }))
}

async fn play(script: &Script, writes: &mut OwnedWriteHalf) -> io::Result<ConnectionEnding> {
    let mut body_open = false;
    for step in &script.steps {
        if matches!(step, ScriptStep::Chunk(_)) && !body_open {
            let usual = [("content-type".to_owned(), "text/event-stream".to_owned())];
            writes.write_all(&head(200, &usual, "transfer-encoding: chunked")).await?;
            body_open = true;
        }
        match step {
            ScriptStep::Document { status, headers, body } => {
                let length = format!("content-length: {}", body.len());
                writes.write_all(&head(*status, headers, &length)).await?;
                writes.write_all(body.as_bytes()).await?;
            }
            ScriptStep::Head { status, headers } => {
                writes.write_all(&head(*status, headers, "transfer-encoding: chunked")).await?;
                body_open = true;
            }
            ScriptStep::Chunk(bytes) => chunk(bytes, script.bytewise, writes).await?,
            ScriptStep::Socket(bytes) => writes.write_all(bytes).await?,
            ScriptStep::Pause(gate) => gate.pass().await,
            ScriptStep::Rest(pause) => tokio::time::sleep(*pause).await,
            ScriptStep::Stall => std::future::pending().await,
            ScriptStep::Cut => return Ok(ConnectionEnding::Cut),
            ScriptStep::Reset => return Ok(ConnectionEnding::Reset),
        }
    }
    if body_open {
        writes.write_all(b"0\r\n\r\n").await?;
    }
    Ok(ConnectionEnding::Clean)
}

fn head(status: u16, headers: &[(String, String)], framing: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} Scripted\r\n{headers}{framing}\r\nconnection: close\r\n\r\n").into_bytes()
}

async fn chunk(bytes: &Bytes, bytewise: bool, writes: &mut OwnedWriteHalf) -> io::Result<()> {
    let size = if bytewise { 1 } else { bytes.len().max(1) };
    for piece in bytes.chunks(size) {
        let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
        framed.extend_from_slice(piece);
        framed.extend_from_slice(b"\r\n");
        writes.write_all(&framed).await?;
        if bytewise {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// How long the server's thread waits before it accepts again after an error of the operating system.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
