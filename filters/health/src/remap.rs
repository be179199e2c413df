//! Where a user goes: stays in the bucket, or is moved to one of a healthy subset, always the same one.
//!
//! Chance here is a second hash of the user's key. Its first part says how soon in a ramp the user comes back, the rest
//! picks the substitute; as long as the same subsets are well, a user keeps the substitute, and afterwards is where the
//! bucket belongs.

use crate::facts::Segment;
use crate::hash::xxh64;

/// A user's second hash, made from the first: independent of the bucket.
pub fn second(first: u64) -> u64 {
    xxh64(&first.to_le_bytes())
}

/// Whether the user is among the `share` percent that a subset gets. Who is in stays in as the share grows.
pub fn is_admitted(share: u32, second: u64) -> bool {
    second % 100 < u64::from(share)
}

/// Where a request goes instead of its own bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Substitute {
    /// The bucket to write.
    pub bucket: u16,
    /// The segment that it belongs to, by its place.
    pub segment: usize,
}

/// A bucket of the segments that `is_target` by their place, chosen evenly; None when they have none.
pub fn substitute(split: &[Segment], is_target: impl Fn(usize) -> bool, second: u64) -> Option<Substitute> {
    let targets = || split.iter().enumerate().filter(|(at, _)| is_target(*at));
    let width: u64 = targets().map(|(_, segment)| u64::from(segment.weight)).sum();
    let mut place = (second / 100).checked_rem(width)?;
    for (at, segment) in targets() {
        let weight = u64::from(segment.weight);
        if place < weight {
            let start: u64 = split.iter().take(at).map(|before| u64::from(before.weight)).sum();
            let bucket = u16::try_from(start.saturating_add(place)).ok()?;
            return Some(Substitute { bucket, segment: at });
        }
        place -= weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn split(weights: &[u32]) -> Vec<Segment> {
        weights.iter().map(|weight| Segment { cluster: vec![], weight: *weight }).collect()
    }

    fn owner(split: &[Segment], bucket: u16) -> usize {
        let mut end = 0;
        split
            .iter()
            .position(|segment| {
                end += segment.weight;
                u32::from(bucket) < end
            })
            .expect("within the split")
    }

    #[test]
    fn a_substitute_lies_in_a_target_and_is_the_same_every_time() {
        let split = split(&[4_000, 0, 1_000, 3_000, 2_000]);
        for key in 0..20_000u64 {
            let hash = second(key);
            let found = substitute(&split, |at| at != 2, hash).expect("there are targets");
            assert_eq!(owner(&split, found.bucket), found.segment);
            assert!(found.segment != 2 && found.segment != 1);
            assert_eq!(substitute(&split, |at| at != 2, hash), Some(found));
        }
    }

    #[test]
    fn targets_get_users_by_their_weights() {
        let split = split(&[6_000, 2_000, 2_000]);
        let mut counts = [0u32; 3];
        for key in 0..40_000u64 {
            counts[substitute(&split, |at| at != 2, second(key)).expect("targets").segment] += 1;
        }
        assert_eq!(counts[2], 0);
        assert!((29_500..30_500).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn without_a_target_there_is_no_substitute() {
        assert_eq!(substitute(&split(&[10_000]), |_| false, 7), None);
        assert_eq!(substitute(&split(&[10_000, 0]), |at| at == 1, 7), None);
        assert_eq!(substitute(&[], |_| true, 7), None);
    }

    #[test]
    fn a_ramp_only_adds_users_and_ends_with_all() {
        for key in 0..5_000u64 {
            let hash = second(key);
            let admitted: Vec<bool> = [0, 10, 25, 50, 75, 100].map(|share| is_admitted(share, hash)).to_vec();
            assert!(admitted.windows(2).all(|pair| !pair[0] || pair[1]) && !admitted[0] && admitted[5]);
        }
        let tenth = (0..50_000u64).filter(|key| is_admitted(10, second(*key))).count();
        assert!((4_700..5_300).contains(&tenth), "{tenth}");
    }
}
