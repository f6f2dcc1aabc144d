//! Shares of the page's connections: one address may not take all of them. Called by the listener alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

use super::limits::ADDRESS_CONNECTIONS_MAX;

/// Bits of an IPv6 address that name a network: one host has all addresses of its own.
const NETWORK: u128 = !0 << 64;

/// Open connections by address.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares(Arc<Mutex<HashMap<IpAddr, Taken>>>);

#[derive(Debug, Default)]
struct Taken {
    connections: usize,
    /// A refusal is logged already.
    is_told: bool,
}

/// Place of one connection in the share of its address, until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    /// `None` for an address without a share.
    address: Option<IpAddr>,
}

impl Shares {
    /// A place for a connection from this address; `None` where it has all of its share.
    ///
    /// The loopback has no share: a reverse proxy brings all officers from there, and nobody but this machine is there.
    pub fn take(&self, address: IpAddr) -> Option<Share> {
        let address = network(address);
        if address.is_loopback() {
            return Some(Share { shares: self.clone(), address: None });
        }
        let mut shares = self.0.lock();
        let taken = shares.entry(address).or_default();
        if taken.connections >= ADDRESS_CONNECTIONS_MAX {
            if !taken.is_told {
                taken.is_told = true;
                tracing::warn!(
                    "the page refuses connections from {address}, which has {ADDRESS_CONNECTIONS_MAX} already; look for a program there that opens them"
                );
            }
            return None;
        }
        taken.connections += 1;
        drop(shares);
        Some(Share { shares: self.clone(), address: Some(address) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        if let Entry::Occupied(mut taken) = self.shares.0.lock().entry(address) {
            taken.get_mut().connections -= 1;
            if taken.get().connections == 0 {
                taken.remove();
            }
        }
    }
}

/// The address that has a share: IPv4 also where it is written as IPv6, and the network of an IPv6 host.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() & NETWORK).into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_leaves_those_of_others() {
        let shares = Shares::default();
        let one = address("10.0.0.7");
        let mut taken: Vec<Share> = (0..ADDRESS_CONNECTIONS_MAX).map(|_| shares.take(one).unwrap()).collect();
        assert!(shares.take(one).is_none());
        assert!(shares.take(address("::ffff:10.0.0.7")).is_none(), "it is the same host");
        assert!(shares.take(address("10.0.0.8")).is_some());
        taken.pop();
        assert!(shares.take(one).is_some());
        drop(taken);
        assert!(shares.0.lock().is_empty(), "nothing is kept of addresses that have gone");
    }

    #[test]
    fn a_host_with_many_ipv6_addresses_has_one_share() {
        let shares = Shares::default();
        let taken: Vec<Share> = (0..ADDRESS_CONNECTIONS_MAX)
            .map(|number| shares.take(address(&format!("2001:db8::{number:x}"))).unwrap())
            .collect();
        assert!(shares.take(address("2001:db8::ffff:1")).is_none());
        assert!(shares.take(address("2001:db8:0:1::1")).is_some());
        drop(taken);
    }

    #[test]
    fn a_proxy_on_this_machine_brings_everybody() {
        let shares = Shares::default();
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let taken: Vec<Option<Share>> =
                (0..4 * ADDRESS_CONNECTIONS_MAX).map(|_| shares.take(address(local))).collect();
            assert!(taken.iter().all(Option::is_some), "{local}");
        }
    }
}
