//! Suggestions for misspelt names.

/// The hint "did you mean `x`?" with the candidate that is nearest to `name`; empty if none is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let mut candidates: Vec<&str> = candidates.into_iter().collect();
    // Of equally near candidates the first in the alphabet is named, whatever the order of the candidates is.
    candidates.sort_unstable();
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?")).unwrap_or_default()
}

/// The candidate with the smallest edit distance to `name`, the first of several; `None` if none is near. Case is
/// ignored.
///
/// ```
/// use tenantry_core::spelling::nearest;
///
/// assert_eq!(nearest("storageAcount", ["vault", "storageAccount"]), Some("storageAccount"));
/// assert_eq!(nearest("zone", ["vault", "storageAccount"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let length = name.chars().count();
    let reach = (length / 3).clamp(1, 3);
    candidates
        .into_iter()
        // The distance is at least the difference of the lengths, which is cheaper to compute.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= reach)
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(far, _)| *far <= reach)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// The edit distance of two texts, in which a swap of two neighbouring characters is one change. What both texts begin
/// or end with is skipped, which changes no distance; of the rest the first 64 characters count, so that long input
/// costs little.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(start..).unwrap_or_default(), b.get(start..).unwrap_or_default());
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b): (Vec<char>, Vec<char>) = (
        a.iter().take(a.len() - end).take(64).copied().collect(),
        b.iter().take(b.len() - end).take(64).copied().collect(),
    );
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// The bytes of a name with its ASCII letters in lower case, to compare names without case and without a copy.
pub(crate) fn lowered(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, nearest};

    #[test]
    fn long_names_that_differ_at_their_ends_are_distinguished() {
        let start = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/of-a-long-name/";
        let (one, other) = (format!("{start}deployments"), format!("{start}schedules"));
        let written = format!("{start}scheduels");
        assert_eq!(nearest(&written, [one.as_str(), other.as_str()]), Some(other.as_str()));
    }

    #[test]
    fn of_equally_near_candidates_the_first_is_named() {
        assert_eq!(nearest("2023-05-03", ["2023-05-02", "2023-05-01"]), Some("2023-05-02"));
        assert_eq!(did_you_mean("bat", ["cat", "bad"]), "did you mean `bad`?");
    }
}
