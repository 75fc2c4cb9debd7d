//! What was worked out from a segment and may be asked for again.

use parking_lot::Mutex;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// What was worked out before, up to a weight.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    most: usize,
    weigh: fn(&K, &V) -> usize,
    things: Mutex<(usize, HashMap<K, Arc<V>>)>,
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    pub(super) fn new(most: usize, weigh: fn(&K, &V) -> usize) -> Self {
        Self { most, weigh, things: Mutex::default() }
    }

    pub(crate) fn recall<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.things.lock().1.get(key).map(Arc::clone)
    }

    pub(crate) fn remember(&self, key: K, thing: V) -> Arc<V> {
        let weight = (self.weigh)(&key, &thing);
        let thing = Arc::new(thing);
        let mut things = self.things.lock();
        let (weights, things) = &mut *things;
        // Whichever goes: what is hot comes back at once, and keeping score of it would cost every reader.
        while *weights + weight > self.most
            && let Some((key, gone)) = things.extract_if(|_, _| true).next()
        {
            *weights -= (self.weigh)(&key, &gone);
        }
        if let Some((key, before)) = things.remove_entry(&key) {
            *weights -= (self.weigh)(&key, &before);
        }
        things.insert(key, Arc::clone(&thing));
        *weights += weight;
        thing
    }
}
