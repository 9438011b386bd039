//! The order of a folder: folders first, then by name, size or time.
//!
//! Names are compared as a person would, digits by their value and capitals
//! like small letters; what is equal by that is told apart by its bytes, so the
//! order never depends on the server's. Pure.

use crate::entity::{Entry, Kind};

use super::fields::Order;

/// What a folder can be sorted by; folders always stand first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileSort {
    Name,
    Size,
    Time,
}

impl FileSort {
    pub(super) const ALL: [Self; 3] = [Self::Name, Self::Size, Self::Time];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Time => "time",
        }
    }

    pub(super) const fn order(self) -> Order {
        match self {
            Self::Name => Order::Rising,
            Self::Size | Self::Time => Order::Falling,
        }
    }
}

/// Puts indices into the entries in order.
pub(super) fn sort(rows: &mut [usize], entries: &[Entry], by: FileSort, order: Order) {
    let mut keyed: Vec<(Kind, i128, String, usize)> = rows
        .iter()
        .map(|&at| {
            let entry = &entries[at];
            let number = match (by, entry.kind) {
                (FileSort::Name, _) | (FileSort::Size, Kind::Dir) => 0,
                (FileSort::Size, Kind::File) => i128::from(entry.size),
                (FileSort::Time, _) => i128::from(entry.mtime),
            };
            (entry.kind, number, entry.name.to_lowercase(), at)
        })
        .collect();
    // Not the unstable one: what is in order already, and only got a tail, it merges.
    keyed.sort_by(|a, b| {
        let numbers = match order {
            Order::Rising => a.1.cmp(&b.1),
            Order::Falling => b.1.cmp(&a.1),
        };
        let names = match (by, order) {
            (FileSort::Name, Order::Falling) => natural(&b.2, &a.2),
            _ => natural(&a.2, &b.2),
        };
        let exact = || entries[a.3].name.cmp(&entries[b.3].name);
        a.0.cmp(&b.0).then(numbers).then(names).then_with(exact)
    });
    for (row, (.., at)) in rows.iter_mut().zip(keyed) {
        *row = at;
    }
}

/// Compares names as a person would: `part 2` before `part 10`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (a_digits, b_digits) = (digits(a), digits(b));
        if a_digits > 0 && b_digits > 0 {
            let (x, y) = (
                a[..a_digits].trim_start_matches('0'),
                b[..b_digits].trim_start_matches('0'),
            );
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[a_digits..], &b[b_digits..]);
            continue;
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        match (left.next(), right.next()) {
            (Some(x), Some(y)) if x == y => (a, b) = (left.as_str(), right.as_str()),
            (x, y) => return x.cmp(&y),
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_people_do() {
        let mut names = ["part 10", "part 2", "part", "part 02", "Ünder", "a"];
        names.sort_by(|a, b| natural(a, b).then(a.cmp(b)));
        assert_eq!(
            names,
            ["a", "part", "part 02", "part 2", "part 10", "Ünder"]
        );
    }
}
