//! How many bytes of a connection the peer's kernel has not acknowledged yet, and how
//! few of them are to lie here.
//!
//! "Complete" must not be said while our last bytes still lie here. Linux tells
//! the length of every send queue in /proc/net/tcp and tcp6 (proc(5)); the
//! table is read at most twice a second, whoever asks, and only where the
//! ordinary signs (a next request, the peer's close) do not settle the matter.
//! Elsewhere the answer is unknown.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

/// How old the table may be.
const FRESH: Duration = Duration::from_millis(500);

/// Bytes that may lie unsent in the kernel before it takes more.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 << 10;

type Ends = (SocketAddr, SocketAddr);

struct Table {
    read: Instant,
    queues: HashMap<Ends, u64>,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// Bounds what lies in the kernel and has not left (Linux, tcp(7)). With megabytes
/// there, a slow and steady reader drains them for longer than the stall limit
/// before the next write, and looks as if it stood still.
pub fn keep_little_unsent(socket: &TcpStream) {
    #[cfg(target_os = "linux")]
    // Where it cannot be had the transfer works all the same.
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Bytes written and not acknowledged; `None` if it cannot be told.
pub async fn unsent(socket: &TcpStream) -> Option<u64> {
    let ends = (
        plain(socket.local_addr().ok()?),
        plain(socket.peer_addr().ok()?),
    );
    // The table grows with every socket of the host: read it off the loop.
    spawn_blocking(move || look_up(ends)).await.ok()?
}

fn look_up(ends: Ends) -> Option<u64> {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let stale = table
        .as_ref()
        .is_none_or(|table| table.read.elapsed() >= FRESH);
    if stale {
        *table = Some(Table {
            read: Instant::now(),
            queues: read_all(),
        });
    }
    table.as_ref()?.queues.get(&ends).copied()
}

/// One address for one host: a listener on `::` sees IPv4 peers as mapped ones.
fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

fn read_all() -> HashMap<Ends, u64> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|text| text.lines().skip(1).filter_map(row).collect::<Vec<_>>())
        .collect()
}

/// `sl local remote st tx_queue:rx_queue …`, all hexadecimal.
fn row(line: &str) -> Option<(Ends, u64)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
    let (queue, _) = words.nth(1)?.split_once(':')?;
    Some(((local, remote), u64::from_str_radix(queue, 16).ok()?))
}

/// Words of 32 bits as the machine keeps them, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..host.len()).step_by(8) {
        let word = u32::from_str_radix(host.get(at..at + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_row_of_the_kernels_table_is_read() {
        let line =
            "   1: 0100007F:497E 0100007F:C350 01 0003F2A1:00000000 01:00000019 00000000  0 0 1";
        let ends = (
            ([127, 0, 0, 1], 0x497E).into(),
            ([127, 0, 0, 1], 50_000).into(),
        );
        assert_eq!(row(line), Some((ends, 0x3_F2A1)));
        let mapped = "0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000001000000:0051 01 00000000:00000000";
        let ends = (
            ([127, 0, 0, 1], 0x50).into(),
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0x51),
        );
        assert_eq!(row(mapped), Some((ends, 0)));
        assert_eq!(row("sl local rem"), None);
    }
}
