//! The columns of the table of transfers: the file first, both rates named.

use super::columns::{Column, Side, Width};
use super::connections::column;
use super::fields::Field;
use super::format;

/// From left to right.
pub(super) const COLUMNS: &[Column<Field>] = &[
    column(Field::Transfer, "xfer", Width::Fixed(5), Side::Right, 5),
    column(Field::File, "file", Width::Room(16, 24, 90), Side::Left, 0),
    column(Field::Peer, "peer", Width::Fixed(21), Side::Left, 4),
    column(Field::Dialect, "dialect", Width::Fixed(8), Side::Left, 9),
    column(
        Field::Done,
        "done",
        Width::Fixed(format::SIZE),
        Side::Right,
        2,
    ),
    column(
        Field::Size,
        "size",
        Width::Fixed(format::SIZE),
        Side::Right,
        3,
    ),
    column(
        Field::Progress,
        "progress",
        Width::Room(11, 17, 30),
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
        6,
    ),
    column(
        Field::Eta,
        "eta",
        Width::Fixed(format::CLOCK),
        Side::Right,
        1,
    ),
    column(Field::Stall, "stall", Width::Fixed(5), Side::Right, 8),
    column(
        Field::Time,
        "time",
        Width::Fixed(format::CLOCK),
        Side::Right,
        7,
    ),
];
