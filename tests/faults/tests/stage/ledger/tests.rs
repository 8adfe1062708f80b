//! That the ledger finds what is wrong.

use super::*;

/// Lets messages of these numbers arrive, on these connections; all but number 3 were sent.
fn arrive(ledger: &Ledger, arrivals: &[(u64, u64)]) -> Stream {
    let (stream, receiver) = (ledger.open(Sizes::All), ledger.receiver());
    for _ in 0..4 {
        let (number, _) = ledger.compose(stream);
        ledger.settle(stream, number, number < 3);
    }
    for &(number, connection) in arrivals {
        ledger.receive(receiver, connection, &compose(stream, number));
    }
    stream
}

#[test]
fn a_loss_is_no_fault_of_order() {
    let ledger = Ledger::new();
    let stream = arrive(&ledger, &[(0, 0), (2, 1)]);
    let account = ledger.account(stream);
    assert_eq!((account.accepted, account.received), (3, 2));
}

#[test]
#[should_panic(expected = "it was Received")]
fn what_arrives_twice_is_found() {
    arrive(&Ledger::new(), &[(0, 0), (1, 0), (1, 1)]);
}

#[test]
#[should_panic(expected = "on one connection")]
fn what_arrives_out_of_order_is_found() {
    arrive(&Ledger::new(), &[(1, 0), (0, 0)]);
}

#[test]
#[should_panic(expected = "on the wrong connection")]
fn what_an_earlier_connection_brings_too_late_is_found() {
    arrive(&Ledger::new(), &[(1, 0), (0, 1)]);
}

#[test]
fn what_an_earlier_connection_brought_may_be_received_later() {
    arrive(&Ledger::new(), &[(0, 0), (2, 1), (1, 0)]);
}

#[test]
#[should_panic(expected = "it was Withdrawn")]
fn what_was_not_sent_is_found() {
    arrive(&Ledger::new(), &[(3, 0)]);
}

#[test]
#[should_panic(expected = "is torn")]
fn what_is_torn_is_found() {
    let ledger = Ledger::new();
    let (stream, receiver) = (ledger.open(Sizes::All), ledger.receiver());
    let mut message = loop {
        let (_, message) = ledger.compose(stream);
        if message.len() > 1 {
            break message.into_frames();
        }
    };
    message.pop();
    ledger.look(receiver, &Message::from_frames(message).unwrap());
}
