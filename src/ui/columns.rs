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
    /// As many as are left between two bounds.
    Between(u16, u16),
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
            Self::Fixed(width) | Self::Between(width, _) => width,
        }
    }

    const fn most(self) -> u16 {
        match self {
            Self::Fixed(width) | Self::Between(_, width) => width,
        }
    }
}

/// Lays the columns out in `room` cells; those of the highest rank are left out until the rest fits.
pub(super) fn fit<F: Copy>(columns: &[Column<F>], room: u16, gap: u16) -> Vec<Slot<F>> {
    let mut kept: Vec<&Column<F>> = columns.iter().collect();
    while kept.len() > 1 && least(&kept, gap) > room {
        let highest = kept.iter().map(|column| column.rank).max().unwrap_or(0);
        let Some(at) = kept.iter().rposition(|column| column.rank == highest) else {
            break;
        };
        kept.remove(at);
    }
    let mut slack = room.saturating_sub(least(&kept, gap));
    let mut widths: Vec<u16> = kept.iter().map(|column| column.width.least()).collect();
    share(&kept, &mut widths, &mut slack);
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

fn least<F>(columns: &[&Column<F>], gap: u16) -> u16 {
    let gaps = u16::try_from(columns.len().saturating_sub(1)).unwrap_or(0) * gap;
    columns
        .iter()
        .fold(gaps, |sum, column| sum + column.width.least())
}

/// Gives the cells left to the columns that can grow, evenly.
fn share<F>(columns: &[&Column<F>], widths: &mut [u16], slack: &mut u16) {
    while *slack > 0 {
        let mut grew = false;
        for (column, width) in columns.iter().zip(widths.iter_mut()) {
            if *slack > 0 && *width < column.width.most() {
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

    fn laid(room: u16) -> String {
        let columns = [
            column('a', Width::Fixed(4), 0),
            column('b', Width::Between(5, 9), 1),
            column('c', Width::Fixed(3), 2),
        ];
        fit(&columns, room, 1)
            .iter()
            .map(|slot| format!("{}{}+{} ", slot.field, slot.x, slot.width))
            .collect()
    }

    #[test]
    fn columns_go_by_rank_and_grow_to_their_bound() {
        assert_eq!(laid(40), "a0+4 b5+9 c15+3 ");
        assert_eq!(laid(16), "a0+4 b5+7 c13+3 ");
        assert_eq!(laid(13), "a0+4 b5+8 ");
        assert_eq!(laid(9), "a0+4 ");
        assert_eq!(laid(2), "a0+2 ");
        assert_eq!(laid(0), "a0+0 ");
    }
}
