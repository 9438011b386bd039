//! The order of a folder: folders first, then by name, size or time.
//!
//! Names are compared as a person would, digits by their value and capitals
//! like small letters; what is equal by that is told apart by its bytes, so the
//! order never depends on the server's. Pure.

use std::cmp::Ordering;

use crate::entity::Entry;

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

/// Compares two entries of a folder by their numbers; only an entry with itself is equal.
pub(super) fn compare(
    entries: &[Entry],
    (by, order): (FileSort, Order),
    a: u32,
    b: u32,
) -> Ordering {
    let (Some(x), Some(y)) = (entries.get(a as usize), entries.get(b as usize)) else {
        return a.cmp(&b);
    };
    let numbers = match by {
        FileSort::Name => Ordering::Equal,
        FileSort::Size => x.size.cmp(&y.size),
        FileSort::Time => x.mtime.cmp(&y.mtime),
    };
    let names = || match by {
        FileSort::Name => turned(order, natural(&x.name, &y.name)),
        FileSort::Size | FileSort::Time => natural(&x.name, &y.name),
    };
    x.kind
        .cmp(&y.kind)
        .then(turned(order, numbers))
        .then_with(names)
        .then_with(|| x.name.cmp(&y.name))
        .then(a.cmp(&b))
}

const fn turned(order: Order, ordering: Ordering) -> Ordering {
    match order {
        Order::Rising => ordering,
        Order::Falling => ordering.reverse(),
    }
}

/// Compares names as a person would: `part 2` before `part 10`, capitals like small letters.
///
/// It makes no copy of a name: a million of them are compared twenty times each.
fn natural(a: &str, b: &str) -> Ordering {
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
        let order = match (left.next(), right.next()) {
            (Some(x), Some(y)) => letters(x, y),
            (None, None) => return Ordering::Equal,
            (x, y) => return x.cmp(&y),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (left.as_str(), right.as_str());
    }
}

fn letters(x: char, y: char) -> Ordering {
    if x.is_ascii() && y.is_ascii() {
        x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase())
    } else {
        x.to_lowercase().cmp(y.to_lowercase())
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
