//! Which columns fit, and where: one rule for every table on both screens.
//!
//! A column has a width, or a least and a most one; and a rank: where the room
//! is short the highest rank goes first. Nothing here looks at the rows, so a
//! column keeps its place whatever its values do. Pure arithmetic.

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    /// Always so many cells.
    Fixed(u16),
    /// From the least, over the one that reads well, to the most there is use for.
    Room(u16, u16, u16),
}

/// On which side the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// At the left.
    Left,
    /// At the right.
    Right,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<F> {
    pub field: F,
    pub title: &'static str,
    pub width: Width,
    pub side: Side,
    /// 0 stays; the highest goes first.
    pub rank: u8,
}

/// A column that found its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<F> {
    pub field: F,
    pub title: &'static str,
    pub side: Side,
    pub x: u16,
    pub width: u16,
}

impl Width {
    const fn least(self) -> u16 {
        match self {
            Self::Fixed(width) | Self::Room(width, ..) => width,
        }
    }

    const fn good(self) -> u16 {
        match self {
            Self::Fixed(width) | Self::Room(_, width, _) => width,
        }
    }

    const fn most(self) -> u16 {
        match self {
            Self::Fixed(width) | Self::Room(.., width) => width,
        }
    }
}

/// Columns of a higher rank than this give way so that the others read well.
const DISPENSABLE: u8 = 5;

/// Lays the columns out in `room` cells; those of the highest rank are left out until the rest fits.
pub(super) fn fit<F: Copy>(columns: &[Column<F>], room: u16, gap: u16) -> Vec<Slot<F>> {
    let mut kept: Vec<&Column<F>> = columns.iter().collect();
    drop_until(&mut kept, room, gap, DISPENSABLE, Width::good);
    drop_until(&mut kept, room, gap, 0, Width::least);
    let mut widths: Vec<u16> = kept.iter().map(|column| column.width.least()).collect();
    let mut slack = room.saturating_sub(sum(&kept, gap, Width::least));
    share(&kept, &mut widths, &mut slack, Width::good);
    share(&kept, &mut widths, &mut slack, Width::most);
    let mut x = 0;
    kept.iter()
        .zip(widths)
        .map(|(column, width)| {
            let slot = Slot {
                field: column.field,
                title: column.title,
                side: column.side,
                x,
                width: width.min(room.saturating_sub(x)),
            };
            x += width + gap;
            slot
        })
        .collect()
}

fn drop_until<F>(
    kept: &mut Vec<&Column<F>>,
    room: u16,
    gap: u16,
    above: u8,
    width: fn(Width) -> u16,
) {
    while kept.len() > 1 && sum(kept, gap, width) > room {
        let highest = kept.iter().map(|column| column.rank).max().unwrap_or(0);
        let at = kept.iter().rposition(|column| column.rank == highest);
        match at {
            Some(at) if highest > above || above == 0 => kept.remove(at),
            _ => break,
        };
    }
}

fn sum<F>(columns: &[&Column<F>], gap: u16, width: fn(Width) -> u16) -> u16 {
    let gaps = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(0) * gap;
    columns
        .iter()
        .fold(gaps, |sum, column| sum + width(column.width))
}

/// Gives the cells left to the columns that can grow up to `bound`, evenly.
fn share<F>(columns: &[&Column<F>], widths: &mut [u16], slack: &mut u16, bound: fn(Width) -> u16) {
    while *slack > 0 {
        let mut grew = false;
        for (column, width) in columns.iter().zip(widths.iter_mut()) {
            if *slack > 0 && *width < bound(column.width) {
                *width += 1;
                *slack -= 1;
                grew = true;
            }
        }
        if !grew {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(field: char, width: Width, rank: u8) -> Column<char> {
        Column {
            field,
            title: "",
            width,
            side: Side::Left,
            rank,
        }
    }

    fn laid(room: u16) -> Vec<(char, u16, u16)> {
        let columns = [
            column('a', Width::Fixed(4), 0),
            column('b', Width::Room(5, 7, 9), 1),
            column('c', Width::Fixed(3), 6),
        ];
        let slots = fit(&columns, room, 1);
        slots
            .iter()
            .map(|slot| (slot.field, slot.x, slot.width))
            .collect()
    }

    #[test]
    fn columns_go_by_rank_and_grow_to_their_bound() {
        assert_eq!(laid(40), [('a', 0, 4), ('b', 5, 9), ('c', 15, 3)]);
        assert_eq!(laid(16), [('a', 0, 4), ('b', 5, 7), ('c', 13, 3)]);
        assert_eq!(laid(15), [('a', 0, 4), ('b', 5, 9)]);
        assert_eq!(laid(13), [('a', 0, 4), ('b', 5, 8)]);
        assert_eq!(laid(9), [('a', 0, 4)]);
        assert_eq!(laid(2), [('a', 0, 2)]);
        assert_eq!(laid(0), [('a', 0, 0)]);
    }
}
