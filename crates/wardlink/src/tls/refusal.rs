//! Codes with which a broker refuses a connection (CONNACK): box and post report them in the same words.
//!
//! Pure. Brokers that speak MQTT 5 alone, and devices between, answer with codes that MQTT 3.1.1 does not know.

use super::handshake::{Attempt, HandshakeError};

/// Reason for which a broker refuses a connection.
#[derive(Debug)]
pub enum Refusal {
    /// User, password or certificate are wrong.
    Credentials,
    /// The client id is refused.
    ClientId,
    /// Any other reason, with its remedy.
    Other(HandshakeError),
}

impl Refusal {
    /// The reason of a code of MQTT 3.1.1 (section 3.2.2.3) or MQTT 5 (section 3.2.2.2).
    pub fn of(code: u8, attempt: &Attempt<'_>) -> Self {
        let (broker, party) = (attempt.broker.to_owned(), attempt.party);
        match code {
            4 | 5 | 134 | 135 => Self::Credentials,
            2 | 133 => Self::ClientId,
            1 | 132 => Self::Other(HandshakeError::Version { party, broker, code }),
            3 | 136 | 137 | 151 | 159 => Self::Other(HandshakeError::Unavailable { broker, code }),
            _ => Self::Other(HandshakeError::UnknownCode { broker, code }),
        }
    }
}
