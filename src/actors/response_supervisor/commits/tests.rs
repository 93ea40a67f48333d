use super::Commits;
use crate::actors::persistence_accumulator::{LogEnd, ResponseOwner, WriteBuffer};
use crate::domain::{Frame, ResponseOptions, Transcript};
use crate::protocol::ResponseId;

#[test]
fn without_a_log_the_slowest_client_holds_the_credit_back_until_it_has_read() {
    let options = ResponseOptions { frame_buffer_bytes: 10, ..ResponseOptions::default() };
    let id = ResponseId::new();
    let write_buffer = WriteBuffer::resume(ResponseOwner { id, epoch: 1 }, None, LogEnd { facts: 0, last_segment: 0 });
    let mut commits = Commits::new(&options, write_buffer, None, &Transcript::new(id));
    let (slow, quick) = (1, 2);
    let publish = |commits: &Commits, sequence_number| {
        let frame = Frame { sequence_number, is_delta: true, bytes: vec![0; 6].into() };
        commits.frame_buffer.borrow_mut().publish([frame]);
    };
    for client in [slow, quick] {
        commits.frame_buffer.borrow_mut().advance(client, 0);
    }
    publish(&commits, 0);
    commits.spend_credit(5, None);
    assert_eq!(commits.due_credit(), 5, "there is room");
    publish(&commits, 1);
    commits.spend_credit(7, None);
    commits.frame_buffer.borrow_mut().advance(quick, 2);
    assert_eq!(commits.due_credit(), 0, "the slow client's events fill the buffer");
    commits.frame_buffer.borrow_mut().advance(slow, 1);
    assert_eq!(commits.due_credit(), 7);
}
