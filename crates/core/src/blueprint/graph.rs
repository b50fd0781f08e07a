//! Order, depth and cycles of a graph of dependencies.

use std::collections::{BTreeMap, BTreeSet};

/// The dependencies of each member. A dependency that is not a member is ignored.
pub(super) type Needs<T> = BTreeMap<T, BTreeSet<T>>;

/// The members in topological order, ties in the order of names. Members of a cycle, and those that depend on one, are
/// left out.
pub(super) fn order<T: Ord + Clone>(needs: &Needs<T>) -> Vec<T> {
    let mut left: BTreeMap<&T, usize> = BTreeMap::new();
    let mut expected_by: BTreeMap<&T, Vec<&T>> = BTreeMap::new();
    for (member, wants) in needs {
        let wants: Vec<&T> = wants.iter().filter(|want| needs.contains_key(want)).collect();
        left.insert(member, wants.len());
        for want in wants {
            expected_by.entry(want).or_default().push(member);
        }
    }
    let mut free: BTreeSet<&T> =
        left.iter().filter(|(_, count)| **count == 0).map(|(member, _)| *member).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(next) = free.pop_first() {
        order.push(next.clone());
        for waiting in expected_by.remove(next).unwrap_or_default() {
            if let Some(count) = left.get_mut(waiting) {
                *count -= 1;
                if *count == 0 {
                    free.insert(waiting);
                }
            }
        }
    }
    order
}

/// The number of members on the longest path of dependencies; 0 for an empty graph.
pub(super) fn depth<T: Ord + Clone>(needs: &Needs<T>) -> usize {
    let mut levels: BTreeMap<T, usize> = BTreeMap::new();
    for member in order(needs) {
        let below = needs.get(&member).into_iter().flatten().filter_map(|want| levels.get(want)).max();
        let level = below.copied().unwrap_or(0) + 1;
        levels.insert(member, level);
    }
    levels.into_values().max().unwrap_or(0)
}

/// The cycles, each as a path (`a`, `b`, `a`). Of cycles with common members only one is returned.
pub(super) fn circles<T: Ord + Clone>(needs: &Needs<T>) -> Vec<Vec<T>> {
    let mut left = needs.clone();
    let mut circles = Vec::new();
    loop {
        let done: BTreeSet<T> = order(&left).into_iter().collect();
        left.retain(|member, _| !done.contains(member));
        let Some(mut here) = left.keys().next().cloned() else { return circles };
        let mut way: Vec<T> = Vec::new();
        // Each remaining member needs another remaining one, so the walk returns to a member that it has visited.
        let begin = loop {
            if let Some(begin) = way.iter().position(|seen| *seen == here) {
                break begin;
            }
            let next = left.get(&here).into_iter().flatten().find(|want| left.contains_key(want)).cloned();
            way.push(here);
            match next {
                Some(next) => here = next,
                None => return circles,
            }
        };
        let mut circle = way.split_off(begin);
        for member in &circle {
            left.remove(member);
        }
        circle.push(here);
        circles.push(circle);
    }
}
