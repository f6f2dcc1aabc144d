//! Two officers who take the same event over at the same moment.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;

use base::clock;
use wardpost::people::{Role, secret};

use super::boxes::{Boxes, NIGHT};
use super::ward::Ward;
use super::{figure, full_or, judge, wait_until};

const OFFICERS: [&str; 2] = ["lan", "minh"];

/// Takes an event over, as the page's script does. Returns the status and the text.
fn take(port: u16, token: &str, event: u64) -> (u16, String) {
    let body = format!("id={event}");
    let request = format!(
        "POST /take HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: wardpost={token}\r\nX-Form-Token: {}\r\n\
         Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        secret::form_token(token),
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let text = answer.split_once("\r\n\r\n").unwrap().1;
    (status, text.to_owned())
}

#[test]
fn of_two_officers_one_wins_and_the_other_is_told_by_whom() {
    let races = full_or(1000, 40);
    let ward = Ward::start();
    let tokens = OFFICERS.map(|name| ward.log_in(name, Role::Officer));
    let mut boxes = Boxes::start(ward.broker_port(), 10);
    for number in 0..races {
        boxes.send(number % 10, &format!("c{}", number / 10), &NIGHT, clock::wall());
    }
    let storage = ward.storage();
    wait_until("all events are there", || judge::queue(&storage).len() == races);
    let (start, port) = (Barrier::new(2), ward.page_port());
    let mut wins = [0, 0];
    for event in judge::queue(&storage) {
        let race = |token: &str| {
            start.wait();
            take(port, token, event.number)
        };
        let answers = std::thread::scope(|scope| {
            let both = [&tokens[0], &tokens[1]].map(|token| scope.spawn(move || race(token)));
            both.map(|one| one.join().unwrap())
        });
        let winner = usize::from(answers[1].0 == 200);
        let (won, lost) = (&answers[winner], &answers[1 - winner]);
        assert_eq!((won.0, lost.0), (200, 409), "{answers:?}");
        assert!(
            lost.1.starts_with(OFFICERS[winner]),
            "{} is not told who has it: {lost:?}",
            OFFICERS[1 - winner]
        );
        let taken = storage.event(event.number).unwrap().unwrap();
        assert_eq!(taken.state.by().map(|by| by.as_str()), Some(OFFICERS[winner]));
        let steps = storage.decisions_about(event.number, 10).unwrap();
        assert_eq!(steps.iter().filter(|step| step.action == "take").count(), 1, "{steps:?}");
        wins[winner] += 1;
    }
    let text = format!("{races}, one winner each, both told ({} and {} won)", wins[0], wins[1]);
    figure("take over", "races of two sessions", &text);
}
