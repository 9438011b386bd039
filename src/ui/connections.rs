//! The columns of the table of connections, the widest screen's in full.
//!
//! The rank says which goes first where the room is short: who, what and how
//! fast stay to the last.

use super::columns::{Column, Side, Width};
use super::fields::Field;
use super::format;

/// From left to right.
pub(super) const COLUMNS: &[Column<Field>] = &[
    column(Field::Id, "id", Width::Fixed(5), Side::Right, 4),
    column(Field::Peer, "peer", Width::Fixed(21), Side::Left, 0),
    column(Field::Dialect, "dialect", Width::Fixed(8), Side::Left, 7),
    column(Field::Phase, "phase", Width::Fixed(11), Side::Left, 1),
    column(Field::File, "file", Width::Room(12, 25, 70), Side::Left, 0),
    column(
        Field::Done,
        "done",
        Width::Fixed(format::SIZE),
        Side::Right,
        10,
    ),
    column(
        Field::Size,
        "size",
        Width::Fixed(format::SIZE),
        Side::Right,
        9,
    ),
    column(
        Field::Progress,
        "progress",
        Width::Room(9, 14, 26),
        Side::Left,
        0,
    ),
    column(
        Field::Rate,
        "rate",
        Width::Fixed(format::RATE),
        Side::Right,
        0,
    ),
    column(
        Field::Average,
        "average",
        Width::Fixed(format::RATE),
        Side::Right,
        11,
    ),
    column(
        Field::Eta,
        "eta",
        Width::Fixed(format::CLOCK),
        Side::Right,
        3,
    ),
    column(Field::Stall, "stall", Width::Fixed(5), Side::Right, 6),
    column(
        Field::Age,
        "age",
        Width::Fixed(format::CLOCK),
        Side::Right,
        8,
    ),
];

pub(super) const fn column(
    field: Field,
    title: &'static str,
    width: Width,
    side: Side,
    rank: u8,
) -> Column<Field> {
    Column {
        field,
        title,
        width,
        side,
        rank,
    }
}
