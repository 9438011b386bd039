//! The order of a folder: folders first, then by name, size or time.
//!
//! Names are compared as a person would, digits by their value and capitals
//! like small letters; what is equal by that is told apart by its bytes, so the
//! order never depends on the server's. Pure.

use std::cmp::Ordering;

use crate::entity::{Entry, Kind};

use super::fields::Order;
use super::rows::HEAD;

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
            Self::Time => "modified",
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

/// The first bytes of what [`compare`] compares: where these differ, they tell.
pub(super) fn head(entry: &Entry, (by, order): (FileSort, Order)) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let (kind, rest) = head.split_at_mut(1);
    kind[0] = match entry.kind {
        Kind::Dir => 0,
        Kind::File => 1,
    };
    let number = match by {
        FileSort::Name => {
            spell(&entry.name, rest);
            if order == Order::Falling {
                for byte in rest {
                    *byte = !*byte;
                }
            }
            return head;
        }
        FileSort::Size => entry.size,
        // The least is the most negative one.
        FileSort::Time => entry.mtime.cast_unsigned() ^ (1 << 63),
    };
    let number = match order {
        Order::Rising => number,
        Order::Falling => !number,
    };
    let (digits, name) = rest.split_at_mut(8);
    digits.copy_from_slice(&number.to_be_bytes());
    spell(&entry.name, name);
    head
}

/// Writes a name so that its bytes sort as [`natural`] does, as far as there is room.
///
/// Digits in a row begin with how many they are, in a byte among the digits' own;
/// from nine on a byte more has the count.
fn spell(name: &str, room: &mut [u8]) {
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        for byte in bytes {
            if let Some(place) = room.get_mut(at) {
                *place = *byte;
            }
            at += 1;
        }
        at < room.len()
    };
    let mut rest = name;
    loop {
        let count = digits(rest);
        let fits = if count > 0 {
            let run = rest[..count].trim_start_matches('0').as_bytes();
            rest = &rest[count..];
            let length = u8::try_from(run.len()).unwrap_or(u8::MAX);
            let fits = if length < 9 {
                put(&[b'0' + length])
            } else {
                put(&[b'9', length])
            };
            fits && put(run)
        } else {
            let mut letters = rest.chars();
            let Some(letter) = letters.next() else { return };
            rest = letters.as_str();
            put(fold(letter).encode_utf8(&mut [0; 4]).as_bytes())
        };
        if !fits {
            return;
        }
    }
}

/// Compares names as a person would: `part 2` before `part 10`, capitals like small letters.
///
/// It makes no copy of a name.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (a_digits, b_digits) = (digits(a), digits(b));
        if a_digits > 0 && b_digits > 0 {
            let (x, y) = (
                a[..a_digits].trim_start_matches('0'),
                b[..b_digits].trim_start_matches('0'),
            );
            let most = usize::from(u8::MAX);
            let lengths = x.len().min(most).cmp(&y.len().min(most));
            let order = lengths.then_with(|| x.cmp(y));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[a_digits..], &b[b_digits..]);
            continue;
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        let order = match (left.next(), right.next()) {
            (Some(x), Some(y)) => fold(x).cmp(&fold(y)),
            (None, None) => return Ordering::Equal,
            (x, y) => return x.cmp(&y),
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (left.as_str(), right.as_str());
    }
}

/// A letter's small form; one letter stays one letter.
fn fold(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    let mut small = letter.to_lowercase();
    match (small.next(), small.next()) {
        (Some(small), None) => small,
        _ => letter,
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> impl Strategy<Value = String> {
        let odd = "[aAzZİßÜü日\u{0} ._/0-9]{0,12}";
        let runs = "(img|IMG|)[0-9]{0,30}(_[0-9]{1,12})?";
        prop_oneof![odd.prop_map(String::from), runs, ".{0,40}"]
    }

    proptest! {
        #[test]
        fn a_head_never_contradicts_the_whole(
            a in names(),
            b in names(),
            sizes in (0_u64..3, 0_u64..3),
            times in (-2_i64..2, -2_i64..2),
        ) {
            let entry = |name: String, size, mtime| Entry {
                kind: if size == 2 { Kind::Dir } else { Kind::File },
                name: name.into(),
                size,
                mtime,
            };
            let both = [entry(a, sizes.0, times.0), entry(b, sizes.1, times.1)];
            for by in FileSort::ALL {
                for order in [Order::Rising, Order::Falling] {
                    let heads = head(&both[0], (by, order)).cmp(&head(&both[1], (by, order)));
                    let whole = compare(&both, (by, order), 0, 1);
                    prop_assert!(heads.is_eq() || heads == whole, "{both:?} {by:?} {order:?}");
                }
            }
        }
    }

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
