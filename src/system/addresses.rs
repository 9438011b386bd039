//! This host's own private addresses, as the kernel's tables tell them.
//!
//! RFC 1918 and ULA (RFC 4193): what a home, a lab or an office is reached at. Loopback,
//! link-local and public addresses are none of them. It reads /proc (proc(5)) and knows
//! nothing of listeners; elsewhere than on Linux there are none to be told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Every private address of this host, IPv4 first.
pub fn private_addresses() -> Vec<IpAddr> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let mut found: Vec<IpAddr> = local_v4(&read("/proc/net/fib_trie"))
        .into_iter()
        .filter(Ipv4Addr::is_private)
        .map(IpAddr::V4)
        .collect();
    found.extend(
        local_v6(&read("/proc/net/if_inet6"))
            .into_iter()
            .filter(Ipv6Addr::is_unique_local)
            .map(IpAddr::V6),
    );
    found
}

/// The leaves of the routing tree that are this host's: an address, and under it
/// `/32 host LOCAL`.
fn local_v4(table: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    let mut leaf = None;
    for line in table.lines().map(str::trim) {
        if let Some(addr) = line.strip_prefix("|-- ") {
            leaf = addr.parse().ok();
        } else if line == "/32 host LOCAL"
            && let Some(addr) = leaf
            && !found.contains(&addr)
        {
            found.push(addr);
        }
    }
    found.sort_unstable();
    found
}

/// `address index prefix scope flags name`, hexadecimal; those that are tentative or
/// whose duplicate was found cannot be bound.
fn local_v6(table: &str) -> Vec<Ipv6Addr> {
    const TENTATIVE: u32 = 0x40;
    const DUPLICATE: u32 = 0x08;
    let row = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let addr = u128::from_str_radix(words.next()?, 16).ok()?;
        let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
        (flags & (TENTATIVE | DUPLICATE) == 0).then_some(Ipv6Addr::from_bits(addr))
    };
    let mut found: Vec<Ipv6Addr> = table.lines().filter_map(row).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                    \x20    |-- 192.168.1.0\n        /24 link UNICAST\n\
                    Local:\n     +-- 192.168.1.0/24 2 0 1\n        |-- 192.168.1.7\n\
                    \x20          /32 host LOCAL\n        |-- 192.168.1.255\n           /32 link BROADCAST\n\
                    \x20    |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.9.8.7\n        /32 host LOCAL\n\
                    \x20    |-- 8.8.4.4\n        /32 host LOCAL\n     |-- 192.168.1.7\n        /32 host LOCAL\n";
        let found = local_v4(trie);
        assert_eq!(
            found,
            [
                [8, 8, 4, 4],
                [10, 9, 8, 7],
                [127, 0, 0, 1],
                [192, 168, 1, 7]
            ]
            .map(Ipv4Addr::from)
        );
        let inet6 = "00000000000000000000000000000001 01 80 10 80       lo\n\
                     fe80000000000000021122fffe334455 02 40 20 80     eth0\n\
                     fd000001000200030000000000000001 02 40 00 80     eth0\n\
                     fd000001000200030000000000000002 02 40 00 c0     eth0\n\
                     not a row\n";
        let found: Vec<String> = local_v6(inet6)
            .iter()
            .filter(|addr| addr.is_unique_local())
            .map(Ipv6Addr::to_string)
            .collect();
        assert_eq!(found, ["fd00:1:2:3::1"]);
    }

    #[test]
    fn only_private_addresses_are_told() {
        for addr in private_addresses() {
            assert!(!addr.is_loopback() && !addr.is_unspecified(), "{addr}");
        }
    }
}
