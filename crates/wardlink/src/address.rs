//! Hosts of brokers. Pure; box and post ask it before they connect without TLS.

/// True for `localhost` or a loopback address, an IPv6 one with or without its brackets.
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn only_loopback_is_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["post.example", "192.168.1.5", "0.0.0.0", "[fe80::1]", "localhost.example", "127.0.0.1.example"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
