//! Finds a smaller input that fails in the same way, by removing parts of the input.

/// The most attempts to shrink one input.
const TRIES: usize = 20_000;

pub(crate) fn shrink(input: &[u8], mut still_fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut best, mut tries) = (input.to_vec(), 0);
    let mut length = best.len() / 2;
    while length > 0 {
        let (mut at, mut helped) = (0, false);
        while at < best.len() && tries < TRIES {
            let end = (at + length).min(best.len());
            let without = [&best[..at], &best[end..]].concat();
            tries += 1;
            if still_fails(&without) {
                (best, helped) = (without, true);
            } else {
                at = end;
            }
        }
        if !helped || tries >= TRIES {
            length /= 2;
        }
    }
    best
}
