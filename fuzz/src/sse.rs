//! The decoder of server-sent events.

use antiphon_providers::{Error, SseDecoder, SseFrame, UpstreamLimits};
use bytes::Bytes;

type DecodedFrames = (Vec<SseFrame>, Result<(), Error>);

pub(crate) fn run(bytes: &[u8]) {
    let small = UpstreamLimits { frame_bytes: 32, call_bytes: 200, ..UpstreamLimits::default() };
    for limits in [UpstreamLimits::default(), small] {
        let whole = decode([bytes], limits);
        for most in [1, 7] {
            assert!(decode(bytes.chunks(most), limits) == whole, "pieces of {most} bytes give other events");
        }
        let data: usize = whole.0.iter().map(|frame| frame.data.len()).sum();
        assert!(data <= bytes.len(), "{data} bytes of data from {} bytes", bytes.len());
    }
    let (mut frames, result) = decode([bytes], UpstreamLimits::default());
    if result.is_ok() {
        let written: String = frames.iter().map(written).collect();
        frames.iter_mut().for_each(|frame| frame.whole = true);
        let again = decode([written.as_bytes()], UpstreamLimits::default());
        assert!(again == (frames, Ok(())), "what is written is not what was read");
    }
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: UpstreamLimits) -> DecodedFrames {
    let (mut decoder, mut frames) = (SseDecoder::new(limits), Vec::new());
    for piece in pieces {
        if let Err(error) = decoder.push(Bytes::copy_from_slice(piece), &mut frames) {
            return (frames, Err(error));
        }
    }
    decoder.end(&mut frames);
    (frames, Ok(()))
}

fn written(frame: &SseFrame) -> String {
    let event = frame.event.as_ref().map(|event| format!("event: {event}\n")).unwrap_or_default();
    let data: String = frame.data.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("{event}{data}\n")
}
