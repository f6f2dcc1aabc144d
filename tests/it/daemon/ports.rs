//! Nothing of a box listens: neither the daemon nor its sessions.

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};

use super::{Daemon, PATIENCE, alerts_of, config, street_camera};
use crate::support::broker::{BrokerOptions, TestBroker};
use crate::support::wait_until;

/// A process and all that descend from it.
fn family(of: u32) -> Vec<u32> {
    let mut family = vec![of];
    let mut at = 0;
    while at < family.len() {
        for task in fs::read_dir(format!("/proc/{}/task", family[at])).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().map(|child| child.parse::<u32>().unwrap()));
        }
        at += 1;
    }
    family
}

/// Sockets of a process that take bytes from any sender, as the kernel has them: TCP that listens, UDP
/// without a peer. The second value is the number of its sockets of these kinds at all.
fn open_sockets(process: u32) -> (Vec<String>, usize) {
    let files = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    let names: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let inodes: HashSet<&str> =
        names.iter().filter_map(|name| name.strip_prefix("socket:[")?.strip_suffix(']')).collect();
    let (mut open, mut count) = (Vec::new(), 0);
    for table in ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6"] {
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
            let columns: Vec<&str> = line.split_whitespace().collect();
            if !inodes.contains(columns[9]) {
                continue;
            }
            count += 1;
            // State 0A of TCP listens. State 07 of the others has no peer.
            let takes_anything = if table.starts_with("tcp") { "0A" } else { "07" };
            if columns[3] == takes_anything {
                open.push(format!("process {process} has {table} {}", columns[1]));
            }
        }
    }
    (open, count)
}

#[test]
fn a_socket_that_listens_is_seen() {
    let here = std::process::id();
    let of = |port: u16| {
        let port = format!(":{port:04X}");
        open_sockets(here).0.into_iter().filter(|socket| socket.contains(&port)).collect::<Vec<_>>()
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("[::]:0").unwrap();
    let [tcp, udp] = [listener.local_addr(), datagrams.local_addr()].map(|at| at.unwrap().port());
    assert!(of(tcp)[0].contains(" tcp ") && of(udp)[0].contains(" udp6 "), "{:?} {:?}", of(tcp), of(udp));
    drop((listener, datagrams));
    assert_eq!((of(tcp), of(udp)), (Vec::new(), Vec::new()));
}

#[test]
fn no_socket_of_a_running_box_listens() {
    let broker = TestBroker::start(&BrokerOptions::default());
    let subscriber = broker.subscriber("wardwatch/v1/#");
    let camera = street_camera(0, 1);
    let daemon = Daemon::start(&config(broker.port, &[("cho", camera.port())]));
    // The sockets are read at every moment from the first one to an alert.
    let (mut sessions, mut connections) = (0, 0);
    wait_until("an alert", PATIENCE, || {
        let processes = family(daemon.process.id());
        for process in &processes {
            // A process that has ended has none.
            if fs::exists(format!("/proc/{process}/fd")).unwrap_or(false) {
                let (open, count) = open_sockets(*process);
                assert!(open.is_empty(), "{open:?}");
                connections = connections.max(count);
            }
        }
        sessions = sessions.max(processes.len() - 1);
        !alerts_of(&subscriber, "cho").is_empty()
    });
    assert!(sessions > 0 && connections > 0, "{sessions} sessions, {connections} connections");
}
