//! Orders, depths and circles of a graph given as "what each one needs".

use std::collections::{BTreeMap, BTreeSet};

/// What each one needs. A need that is no member itself is ignored.
pub(super) type Needs<T> = BTreeMap<T, BTreeSet<T>>;

/// The members so that each stands behind what it needs, ties in the order of names; members of a circle are left out.
pub(super) fn order<T: Ord + Clone>(needs: &Needs<T>) -> Vec<T> {
    let mut left: BTreeMap<&T, usize> = BTreeMap::new();
    let mut wanted_by: BTreeMap<&T, Vec<&T>> = BTreeMap::new();
    for (member, wants) in needs {
        let wants: Vec<&T> = wants.iter().filter(|want| needs.contains_key(want)).collect();
        left.insert(member, wants.len());
        for want in wants {
            wanted_by.entry(want).or_default().push(member);
        }
    }
    let mut free: BTreeSet<&T> =
        left.iter().filter(|(_, count)| **count == 0).map(|(member, _)| *member).collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(next) = free.pop_first() {
        order.push(next.clone());
        for waiting in wanted_by.remove(next).unwrap_or_default() {
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

/// How many members stand on the longest path; 0 for an empty graph.
pub(super) fn depth<T: Ord + Clone>(needs: &Needs<T>) -> usize {
    let mut levels: BTreeMap<T, usize> = BTreeMap::new();
    for member in order(needs) {
        let below = needs.get(&member).into_iter().flatten().filter_map(|want| levels.get(want)).max();
        let level = below.copied().unwrap_or(0) + 1;
        levels.insert(member, level);
    }
    levels.into_values().max().unwrap_or(0)
}

/// Circles, each as the way round (`a`, `b`, `a`); one for each knot, so that every knot is told and none twice.
pub(super) fn circles<T: Ord + Clone>(needs: &Needs<T>) -> Vec<Vec<T>> {
    let mut left = needs.clone();
    let mut circles = Vec::new();
    loop {
        let done: BTreeSet<T> = order(&left).into_iter().collect();
        left.retain(|member, _| !done.contains(member));
        let Some(mut here) = left.keys().next().cloned() else { return circles };
        let mut way: Vec<T> = Vec::new();
        // Every member that is left needs another that is left, so the way leads back onto itself.
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
