//! The plays: who is in each, and what has to hold in the end.

pub(crate) mod one_way;
