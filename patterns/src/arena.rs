//! Slots with stable ids, and queues that run through them. PURE.
//!
//! A value lives in a slot until it is removed; its id is never used again. A value may stand in up to `L` queues at a
//! time, one for each link of its slot, and leaves any of them at once, wherever it stands.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::fmt;
use std::marker::PhantomData;

/// Names a value of an [`Arena`], also after it is gone.
pub(super) struct Id<T> {
    /// Where it is, or was.
    pub(super) index: usize,
    /// Counts the values of an arena from its first, so that a slot that is used again is not taken for the old one.
    pub(super) serial: u64,
    value: PhantomData<fn() -> T>,
}

/// Values in slots, each with `L` links.
#[derive(Debug)]
pub(super) struct Arena<T, const L: usize> {
    slots: Vec<Slot<T, L>>,
    vacant: Vec<usize>,
    next_serial: u64,
}

/// The ends of a queue through link `LINK` of the slots of an [`Arena`].
///
/// A value must be in no other queue of the same link; `remove` must be told the queue it is in.
#[derive(Debug)]
pub(super) struct Queue<const LINK: usize> {
    first: usize,
    last: usize,
    len: usize,
}

#[derive(Debug)]
struct Slot<T, const L: usize> {
    serial: u64,
    value: Option<T>,
    links: [Link; L],
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: usize,
    after: usize,
}

/// No slot has this index: it would need more memory than there is.
const NONE: usize = usize::MAX;

const UNLINKED: Link = Link {
    before: NONE,
    after: NONE,
};

impl<T> Id<T> {
    /// The id of these parts, which need not exist.
    pub(super) const fn new(index: usize, serial: u64) -> Self {
        Self {
            index,
            serial,
            value: PhantomData,
        }
    }
}

impl<T, const L: usize> Arena<T, L> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            next_serial: 0,
        }
    }

    /// How many values there are.
    pub(super) const fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    pub(super) fn insert(&mut self, value: T) -> Id<T> {
        let serial = self.next_serial;
        self.next_serial += 1;
        let slot = Slot {
            serial,
            value: Some(value),
            links: [UNLINKED; L],
        };
        let index = match self.vacant.pop() {
            Some(index) => index,
            None => self.slots.len(),
        };
        match self.slots.get_mut(index) {
            Some(vacant) => *vacant = slot,
            None => self.slots.push(slot),
        }
        Id::new(index, serial)
    }

    pub(super) fn get(&self, id: Id<T>) -> Option<&T> {
        let slot = self.slots.get(id.index)?;
        slot.value.as_ref().filter(|_| slot.serial == id.serial)
    }

    pub(super) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index)?;
        slot.value.as_mut().filter(|_| slot.serial == id.serial)
    }

    /// Takes a value out; it must have left its queues.
    pub(super) fn remove(&mut self, id: Id<T>) -> Option<T> {
        let slot = self.slots.get_mut(id.index)?;
        let value = slot.value.take_if(|_| slot.serial == id.serial)?;
        self.vacant.push(id.index);
        Some(value)
    }

    /// The ids of all values, in no particular order.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id<T>> {
        let occupied = |(_, slot): &(usize, &Slot<T, L>)| slot.value.is_some();
        let slots = self.slots.iter().enumerate().filter(occupied);
        slots.map(|(index, slot)| Id::new(index, slot.serial))
    }

    fn id_at(&self, index: usize) -> Option<Id<T>> {
        Some(Id::new(index, self.slots.get(index)?.serial))
    }

    fn link<const LINK: usize>(&mut self, index: usize) -> Option<&mut Link> {
        self.slots.get_mut(index)?.links.get_mut(LINK)
    }
}

impl<const LINK: usize> Queue<LINK> {
    pub(super) const fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn first<T, const L: usize>(&self, arena: &Arena<T, L>) -> Option<Id<T>> {
        arena.id_at(self.first)
    }

    pub(super) fn last<T, const L: usize>(&self, arena: &Arena<T, L>) -> Option<Id<T>> {
        arena.id_at(self.last)
    }

    /// What stands before this value, which must be in this queue.
    pub(super) fn before<T, const L: usize>(
        &self,
        arena: &Arena<T, L>,
        id: Id<T>,
    ) -> Option<Id<T>> {
        arena.id_at(arena.slots.get(id.index)?.links.get(LINK)?.before)
    }

    /// Appends a value that is in no queue of this link.
    pub(super) fn push<T, const L: usize>(&mut self, arena: &mut Arena<T, L>, id: Id<T>) {
        let last = self.last;
        let Some(link) = arena.link::<LINK>(id.index) else {
            return;
        };
        *link = Link {
            before: last,
            after: NONE,
        };
        match arena.link::<LINK>(last) {
            Some(before) => before.after = id.index,
            None => self.first = id.index,
        }
        self.last = id.index;
        self.len += 1;
    }

    /// Puts a value that is in no queue of this link before all others.
    pub(super) fn push_first<T, const L: usize>(&mut self, arena: &mut Arena<T, L>, id: Id<T>) {
        let first = self.first;
        let Some(link) = arena.link::<LINK>(id.index) else {
            return;
        };
        *link = Link {
            before: NONE,
            after: first,
        };
        match arena.link::<LINK>(first) {
            Some(after) => after.before = id.index,
            None => self.last = id.index,
        }
        self.first = id.index;
        self.len += 1;
    }

    /// Takes a value out of this queue, in which it must be.
    pub(super) fn remove<T, const L: usize>(&mut self, arena: &mut Arena<T, L>, id: Id<T>) {
        let Some(link) = arena.link::<LINK>(id.index) else {
            return;
        };
        let Link { before, after } = std::mem::replace(link, UNLINKED);
        match arena.link::<LINK>(before) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match arena.link::<LINK>(after) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
        self.len = self.len.saturating_sub(1);
    }

    pub(super) fn pop<T, const L: usize>(&mut self, arena: &mut Arena<T, L>) -> Option<Id<T>> {
        let id = self.first(arena)?;
        self.remove(arena, id);
        Some(id)
    }
}

impl<const LINK: usize> Default for Queue<LINK> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.serial) == (other.index, other.serial)
    }
}

impl<T> Eq for Id<T> {}

impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.serial.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut Queue<0>, arena: &mut Arena<u32, 1>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop(arena).and_then(|id| arena.remove(id))).collect()
    }

    #[test]
    fn a_queue_keeps_its_order_when_any_value_leaves() {
        for left in 0..4 {
            let (mut arena, mut queue) = (Arena::<u32, 1>::new(), Queue::new());
            let ids: Vec<_> = (0..4).map(|value| arena.insert(value)).collect();
            ids.iter().for_each(|&id| queue.push(&mut arena, id));
            queue.remove(&mut arena, ids[left as usize]);
            assert_eq!(arena.remove(ids[left as usize]), Some(left));
            assert_eq!(queue.len(), 3);
            let rest: Vec<_> = (0..4).filter(|&value| value != left).collect();
            assert_eq!(drain(&mut queue, &mut arena), rest);
            assert!(queue.is_empty() && arena.len() == 0);
        }
    }

    #[test]
    fn what_is_put_first_comes_first() {
        let (mut arena, mut queue) = (Arena::<u32, 1>::new(), Queue::new());
        for value in 0..3 {
            let id = arena.insert(value);
            queue.push_first(&mut arena, id);
        }
        let last = arena.insert(9);
        queue.push(&mut arena, last);
        assert_eq!(arena.ids().count(), 4);
        assert_eq!(drain(&mut queue, &mut arena), [2, 1, 0, 9]);
    }

    #[test]
    fn an_id_of_a_slot_in_use_again_names_nothing() {
        let mut arena = Arena::<u32, 0>::new();
        let old = arena.insert(1);
        assert_eq!(arena.remove(old), Some(1));
        let new = arena.insert(2);
        assert_eq!(new.index, old.index);
        assert_eq!((arena.get(old), arena.get(new)), (None, Some(&2)));
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn a_value_stands_in_one_queue_for_each_link() {
        let mut arena = Arena::<u32, 2>::new();
        let (mut one, mut two) = (Queue::<0>::new(), Queue::<1>::new());
        let (a, b) = (arena.insert(1), arena.insert(2));
        one.push(&mut arena, a);
        one.push(&mut arena, b);
        two.push(&mut arena, b);
        two.push(&mut arena, a);
        one.remove(&mut arena, a);
        assert_eq!((one.first(&arena), one.last(&arena)), (Some(b), Some(b)));
        assert_eq!(
            (two.first(&arena), two.before(&arena, a)),
            (Some(b), Some(b))
        );
    }
}
