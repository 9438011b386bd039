//! What the user looks at in one of the server's tables: sort, filter, cursor, order of rows.
//!
//! Rows are ids; the model holds the rest. The values sorted by are read once
//! a second and the order is made anew each frame, so new rows appear at once
//! and rows do not change places fifteen times a second. Draws nothing.

use std::collections::HashMap;
use std::time::Duration;

use crate::entity::ConnId;
use crate::model::{Connection, Model};

use super::fields::{Field, Order, Value};
use super::filter::Query;
use super::line_input::LineInput;
use super::select::{Cursor, Step};

/// The state of a table of connections.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub cursor: Cursor<ConnId>,
    pub sort: Field,
    pub order: Order,
    pub filter: Filter,
    /// The ids in view order, as of the last refresh.
    pub rows: Vec<ConnId>,
    /// Rows there would be without the filter.
    pub all: usize,
    values: HashMap<ConnId, Value>,
    ranked: Option<(u64, Field)>,
}

/// A filter as typed, and what it means.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub line: LineInput,
    pub typing: bool,
    query: Query,
    pub wrong: Option<String>,
}

impl Filter {
    /// Understands the line anew. A wrong query narrows nothing and says why.
    pub(super) fn read(&mut self) {
        match Query::parse(self.line.text()) {
            Ok(query) => (self.query, self.wrong) = (query, None),
            Err(why) => (self.query, self.wrong) = (Query::default(), Some(why)),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn narrows(&self) -> bool {
        !self.query.is_empty()
    }
}

impl Grid {
    pub(super) fn new(sort: Field) -> Self {
        Self {
            cursor: Cursor::default(),
            sort,
            order: sort.order(),
            filter: Filter::default(),
            rows: Vec::new(),
            all: 0,
            values: HashMap::new(),
            ranked: None,
        }
    }

    /// Sorts by a field; by the same field again: the other way round.
    pub(super) fn sort_by(&mut self, field: Field) {
        self.order = if field == self.sort {
            self.order.reversed()
        } else {
            field.order()
        };
        self.sort = field;
    }

    /// Puts the rows in order; `of` tells which connections this table shows.
    pub(super) fn refresh(&mut self, model: &Model, of: impl Fn(&Connection) -> bool) {
        self.rank(model);
        let (now, narrows) = (model.now, self.filter.narrows());
        let mut all = 0;
        let mut rows: Vec<(&Value, ConnId)> = Vec::with_capacity(model.connections.len());
        for (&id, row) in model.connections.iter().filter(|(_, row)| of(row)) {
            all += 1;
            if !narrows || self.filter.query.matches(row, now) {
                rows.push((self.values.get(&id).unwrap_or(&Value::Unknown), id));
            }
        }
        rows.sort_unstable_by(|a, b| self.order.compare(a.0, b.0).then(a.1.cmp(&b.1)));
        self.all = all;
        self.rows.clear();
        self.rows.extend(rows.into_iter().map(|(_, id)| id));
        self.settle();
    }

    /// Reads the values sorted by: all of them each second, new rows' at once.
    fn rank(&mut self, model: &Model) {
        let stamp = (model.now.as_secs(), self.sort);
        if self.ranked != Some(stamp) {
            self.values.clear();
            self.ranked = Some(stamp);
        }
        if self.values.len() >= model.connections.len().saturating_mul(2).max(64) {
            self.values.clear();
        }
        let (sort, now): (Field, Duration) = (self.sort, model.now);
        for (&id, row) in &model.connections {
            self.values
                .entry(id)
                .or_insert_with(|| sort.value(row, now));
        }
    }

    fn settle(&mut self) {
        let rows = &self.rows;
        self.cursor
            .settle(rows.len(), |row, id| rows[row] == *id, |row| rows[row]);
    }

    pub(super) fn step(&mut self, step: Step) {
        let rows = &self.rows;
        self.cursor.step(step, |row| rows[row]);
    }

    pub(super) fn go(&mut self, row: usize) {
        let rows = &self.rows;
        self.cursor.go(row, |row| rows[row]);
    }

    /// The chosen connection, if it is still there.
    pub(super) fn chosen<'m>(&self, model: &'m Model) -> Option<&'m Connection> {
        model.connections.get(self.cursor.current()?)
    }
}
