use bytes::Bytes;
use proptest::prelude::*;

use super::{SseDecoder, SseFrame};
use crate::{Error, UpstreamLimits};

const STREAM: &str = "\u{feff}: hello\n\ndata: one\n\ndata:two\r\ndata: zwei \u{1f980}\r\n\r\n: \u{e9}\rdata: three\r\r\
    event: error\nid: 7\nretry: 10\ndata: {\"a\":\ndata: 1}\n\nnonsense\ndata\n\n\n\ndata: [DONE]";

fn decode(pieces: &[&[u8]], limits: UpstreamLimits) -> (Vec<SseFrame>, Result<(), Error>) {
    let mut decoder = SseDecoder::new(limits);
    let mut frames = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.push(Bytes::copy_from_slice(piece), &mut frames) {
            return (frames, Err(error));
        }
    }
    decoder.end(&mut frames);
    (frames, Ok(()))
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(0);
    cuts.push(bytes.len());
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn small() -> UpstreamLimits {
    UpstreamLimits { frame_bytes: 24, call_bytes: 120, ..UpstreamLimits::default() }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"data: ".to_vec()),
        Just(b"data:".to_vec()),
        Just(b"event: x".to_vec()),
        Just(b": comment".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just("\u{1f980}".as_bytes().to_vec()),
        Just(b"\xFF".to_vec()),
        Just(b"[DONE]".to_vec()),
        "[ -~]{0,8}".prop_map(String::into_bytes),
    ]
}

#[test]
fn events_are_read_by_the_rules_of_the_standard() {
    let (frames, result) = decode(&[STREAM.as_bytes()], UpstreamLimits::default());
    assert_eq!(result, Ok(()));
    let data: Vec<&str> = frames.iter().map(|frame| frame.data.as_str()).collect();
    assert_eq!(data, ["one", "two\nzwei \u{1f980}", "three", "{\"a\":\n1}", "", "[DONE]"]);
    assert_eq!(frames[3].event.as_deref(), Some("error"));
    assert_eq!(frames.iter().map(|frame| frame.whole).collect::<Vec<_>>(), [true, true, true, true, true, false]);
}

#[test]
fn every_single_cut_gives_the_same_events() {
    let bytes = STREAM.as_bytes();
    let expected = decode(&[bytes], UpstreamLimits::default());
    for at in 0..=bytes.len() {
        assert_eq!(decode(&[&bytes[..at], &bytes[at..]], UpstreamLimits::default()), expected, "cut at {at}");
    }
    let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&bytewise, UpstreamLimits::default()), expected);
}

#[test]
fn what_is_no_utf8_is_refused_after_the_events_before_it() {
    let (frames, result) = decode(&[b"data: one\n\ndata: \xFF\xFE\n\n"], UpstreamLimits::default());
    assert_eq!(frames.len(), 1);
    assert_eq!(result, Err(Error::Protocol { what: "the stream is no UTF-8" }));
}

#[test]
fn an_event_may_fill_its_limit_and_not_one_byte_more() {
    let limits = UpstreamLimits { frame_bytes: 10, call_bytes: 1_000, ..UpstreamLimits::default() };
    assert_eq!(decode(&[b"data: 123\n\ndata: 456\n\n"], limits).0.len(), 2);
    let (frames, result) = decode(&[b"data: 123\n\ndata: 4567\n\n"], limits);
    assert_eq!(frames.len(), 1);
    assert_eq!(result, Err(Error::Protocol { what: "an event holds more bytes than limits.provider_event_bytes" }));
}

#[test]
fn a_call_may_fill_its_limit_and_not_one_byte_more() {
    let limits = UpstreamLimits { frame_bytes: 100, call_bytes: 22, ..UpstreamLimits::default() };
    assert_eq!(decode(&[b"data: 123\n\ndata: 456\n\n"], limits).1, Ok(()));
    let (frames, result) = decode(&[b"data: 123\n\ndata: 456\n\n:"], limits);
    assert_eq!(frames.len(), 2);
    assert_eq!(
        result,
        Err(Error::Protocol { what: "the call holds more bytes than limits.provider_call_bytes allows" })
    );
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_events_are_the_same(
        pieces in prop::collection::vec(piece(), 0..40),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let bytes = pieces.concat();
        for limits in [UpstreamLimits::default(), small()] {
            let expected = decode(&[&bytes], limits);
            prop_assert_eq!(&decode(&cut(&bytes, &cuts), limits), &expected);
            prop_assert_eq!(&decode(&bytes.chunks(1).collect::<Vec<_>>(), limits), &expected);
        }
    }
}
