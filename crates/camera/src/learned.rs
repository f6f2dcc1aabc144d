//! Knowledge about a camera that its sessions leave for the next ones.
//!
//! Pure. The supervisor of a stream notes how sessions end, and asks which reader comes next.

use super::settings::{KeepAliveBy, Reader};
use super::wire::FailureKind;

/// Sessions in a row that must not understand a camera that was understood before, until another reader tries it.
const MISUNDERSTOOD_MAX: u32 = 3;
/// Seconds of samples without a fragment or a picture, after which the stream counts as useless: a part of a long GOP takes 5 s.
const USELESS_SECONDS: u32 = 20;
/// Notes that are remembered as said.
const NOTES_MAX: usize = 16;

/// Findings of earlier sessions about the camera.
#[derive(Debug, Default)]
pub(super) struct Learned {
    reader: Reader,
    only_udp: bool,
    /// The present session has delivered samples.
    has_delivered: bool,
    /// The present session has sent a fragment or a picture.
    is_useful: bool,
    /// Seconds for which the present session had samples before that.
    useless_seconds: u32,
    /// The last session broke without a sample.
    was_away: bool,
    /// Our own reader has delivered samples of it.
    is_understood: bool,
    /// Sessions in a row that did not understand it.
    misunderstood: u32,
    notes: Vec<String>,
}

impl Learned {
    /// The reader that works, or that is to be tried.
    pub(super) fn reader(&self) -> Reader {
        self.reader
    }

    /// True if the camera sends datagrams alone, against the configuration.
    pub(super) fn only_udp(&self) -> bool {
        self.only_udp
    }

    /// True if the last session broke without a sample.
    pub(super) fn was_away(&self) -> bool {
        self.was_away
    }

    pub(super) fn session_begins(&mut self) {
        (self.has_delivered, self.is_useful, self.useless_seconds) = (false, false, 0);
    }

    pub(super) fn delivered(&mut self) {
        self.has_delivered = true;
    }

    /// The present session has sent a fragment or a picture.
    pub(super) fn sent_footage(&mut self) {
        (self.has_delivered, self.is_useful) = (true, true);
    }

    /// True once samples of the present session have become a fragment or a picture: only then the stream is live.
    pub(super) fn is_useful(&self) -> bool {
        self.is_useful
    }

    /// Takes up a second in which the session had samples. Returns true where none of them has been of use for long.
    pub(super) fn is_useless(&mut self) -> bool {
        self.useless_seconds = self.useless_seconds.saturating_add(1);
        !self.is_useful && self.useless_seconds >= USELESS_SECONDS
    }

    /// Takes up how a session broke. Returns whether the reader is another one now, and not only its keep-alive.
    pub(super) fn session_broke(&mut self, kind: FailureKind) -> bool {
        self.was_away = !self.has_delivered;
        if self.has_delivered {
            if let Reader::Own(by) = self.reader {
                self.is_understood = true;
                self.reader = Reader::Own(match kind {
                    FailureKind::KeepAlive => by.next(),
                    // Without a request the session may have run out.
                    _ if by == KeepAliveBy::Nothing => KeepAliveBy::default(),
                    _ => by,
                });
            }
            self.misunderstood = 0;
            return false;
        }
        let before = self.reader;
        self.only_udp = false;
        match (before, kind) {
            (Reader::Own(_), FailureKind::NotUnderstood) => {
                self.misunderstood += 1;
                let patience = if self.is_understood { MISUNDERSTOOD_MAX } else { 1 };
                if self.misunderstood >= patience {
                    self.reader = Reader::Rtspsrc;
                }
            }
            (Reader::Own(_), _) => {}
            (Reader::Rtspsrc, _) => (self.reader, self.misunderstood) = (Reader::default(), 0),
        }
        self.reader != before
    }

    /// Takes up the findings of a session. Returns whether it is to be said: once.
    pub(super) fn note(&mut self, text: &str, only_udp: bool) -> bool {
        self.only_udp |= only_udp;
        let is_news = self.notes.len() < NOTES_MAX && !self.notes.iter().any(|known| known == text);
        if is_news {
            self.notes.push(text.to_owned());
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_which_nothing_can_be_used_is_not_live() {
        let mut learned = Learned::default();
        learned.session_begins();
        let seconds = (1..100).take_while(|_| !learned.is_useless()).count();
        assert_eq!(seconds as u32 + 1, USELESS_SECONDS);
        assert!(!learned.is_useful() && learned.is_useless());
        learned.sent_footage();
        assert!(learned.is_useful() && !learned.is_useless());
        learned.session_begins();
        assert!(!learned.is_useful() && !learned.is_useless(), "the next session begins anew");
    }

    const OWN: Reader = Reader::Own(KeepAliveBy::Options);

    /// Notes sessions that delivered or not, and how each broke; gives the reader of the next.
    fn after(learned: &mut Learned, sessions: &[(bool, FailureKind)]) -> Reader {
        for (has_delivered, kind) in sessions {
            learned.session_begins();
            if *has_delivered {
                learned.delivered();
            }
            let is_own = |reader| reader != Reader::Rtspsrc;
            let before = is_own(learned.reader());
            assert_eq!(learned.session_broke(*kind), is_own(learned.reader()) != before);
        }
        learned.reader()
    }

    #[test]
    fn another_reader_tries_what_was_not_understood_and_the_one_that_works_stays() {
        let mut learned = Learned::default();
        assert_eq!(after(&mut learned, &[(false, FailureKind::Transient)]), OWN, "the network's fault");
        assert_eq!(after(&mut learned, &[(false, FailureKind::NotUnderstood)]), Reader::Rtspsrc);
        assert_eq!(after(&mut learned, &[(true, FailureKind::Transient)]), Reader::Rtspsrc, "it works");
        assert_eq!(after(&mut learned, &[(false, FailureKind::Transient)]), OWN, "it does not any more");
    }

    #[test]
    fn a_camera_that_was_understood_is_given_up_slowly() {
        let mut learned = Learned::default();
        let once = (false, FailureKind::NotUnderstood);
        assert_eq!(after(&mut learned, &[(true, FailureKind::Transient), once, once]), OWN);
        assert_eq!(after(&mut learned, &[once]), Reader::Rtspsrc);
    }

    #[test]
    fn datagrams_are_remembered_while_they_work_and_notes_are_said_once() {
        let mut learned = Learned::default();
        assert!(learned.note("only UDP", true) && !learned.note("only UDP", true));
        after(&mut learned, &[(true, FailureKind::Transient)]);
        assert!(learned.only_udp() && !learned.was_away());
        after(&mut learned, &[(false, FailureKind::Transient)]);
        assert!(!learned.only_udp() && learned.was_away());
    }

    #[test]
    fn a_camera_that_closes_over_a_keep_alive_is_spared_that_request() {
        let mut learned = Learned::default();
        let (closed, broke) = ((true, FailureKind::KeepAlive), (true, FailureKind::Transient));
        assert_eq!(after(&mut learned, &[closed]), Reader::Own(KeepAliveBy::GetParameter));
        assert_eq!(after(&mut learned, &[broke]), Reader::Own(KeepAliveBy::GetParameter), "it stays so");
        assert_eq!(after(&mut learned, &[closed]), Reader::Own(KeepAliveBy::Nothing));
        assert_eq!(after(&mut learned, &[broke]), OWN, "the session may have run out");
    }
}
