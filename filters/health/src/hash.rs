//! XXH64 and the bucket made from it.
//!
//! `hash64(salt, key)` is XXH64 with seed 0 over `salt || 0x00 || key`. The zero byte keeps `("ab", "c")` and
//! `("a", "bc")` apart, since a salt is text without NUL. The same definition lives in `xds/model/bucket.py`, and
//! `filters/vectors/buckets.json` holds both to it.

use alloc::vec::Vec;

/// Number of buckets a split divides: one is a hundredth of a percent.
pub const BUCKETS: u64 = 10_000;

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

/// The bucket, 0 to 9999, that `key` falls into under `salt`.
pub fn bucket(salt: &[u8], key: &[u8]) -> u16 {
    bucket_of(hash64(salt, key))
}

/// The bucket of a key whose `hash64` is `hash`.
pub fn bucket_of(hash: u64) -> u16 {
    (hash % BUCKETS) as u16
}

/// XXH64 of `salt || 0x00 || key`.
pub fn hash64(salt: &[u8], key: &[u8]) -> u64 {
    let mut bytes = Vec::with_capacity(salt.len().saturating_add(key.len()).saturating_add(1));
    bytes.extend_from_slice(salt);
    bytes.push(0);
    bytes.extend_from_slice(key);
    xxh64(&bytes)
}

/// XXH64 with seed 0.
pub fn xxh64(bytes: &[u8]) -> u64 {
    let mut stripes = bytes.chunks_exact(32);
    let mut hash = if bytes.len() >= 32 { long(&mut stripes) } else { P5 };
    hash = hash.wrapping_add(bytes.len() as u64);
    let mut words = stripes.remainder().chunks_exact(8);
    for word in words.by_ref() {
        hash ^= round(0, little(word));
        hash = hash.rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    let mut halves = words.remainder().chunks_exact(4);
    for half in halves.by_ref() {
        hash ^= little(half).wrapping_mul(P1);
        hash = hash.rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
    }
    for byte in halves.remainder() {
        hash ^= u64::from(*byte).wrapping_mul(P5);
        hash = hash.rotate_left(11).wrapping_mul(P1);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(P2);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(P3);
    hash ^ (hash >> 32)
}

fn long(stripes: &mut core::slice::ChunksExact<'_, u8>) -> u64 {
    let mut lanes = [P1.wrapping_add(P2), P2, 0, 0u64.wrapping_sub(P1)];
    for stripe in stripes.by_ref() {
        for (lane, word) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
            *lane = round(*lane, little(word));
        }
    }
    let [a, b, c, d] = lanes;
    let mut hash =
        a.rotate_left(1).wrapping_add(b.rotate_left(7)).wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
    for lane in lanes {
        hash = (hash ^ round(0, lane)).wrapping_mul(P1).wrapping_add(P4);
    }
    hash
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// The decimal digits of `bucket` in `room`, without leading zeros.
pub fn decimal(bucket: u16, room: &mut [u8; 5]) -> &[u8] {
    let mut rest = bucket;
    let mut digits = 0;
    for place in room.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
        digits += 1;
        if rest == 0 {
            break;
        }
    }
    room.get(room.len() - digits..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn published_xxh64_values_come_out() {
        assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
        assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
    }

    #[test]
    fn every_bucket_is_written_as_its_decimal() {
        for bucket in 0..=u16::MAX {
            assert_eq!(decimal(bucket, &mut [0; 5]), format!("{bucket}").as_bytes());
        }
    }

    fn chi_square(counts: &[u32], expected: f64) -> f64 {
        counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum()
    }

    /// 5 sigma around the mean of a chi-square with `freedom` degrees, on both sides: neither clumped nor too even.
    fn is_plausible(chi: f64, freedom: f64) -> bool {
        (chi - freedom).abs() < 5.0 * (2.0 * freedom).sqrt()
    }

    #[test]
    fn short_sequential_keys_fill_the_buckets_evenly() {
        for prefix in ["user-", "", "u", "10.0.0."] {
            let mut counts = [0u32; 10_000];
            for n in 1..200_000 {
                counts[usize::from(bucket(b"checkout", format!("{prefix}{n}").as_bytes()))] += 1;
            }
            let chi = chi_square(&counts, 199_999.0 / 10_000.0);
            assert!(is_plausible(chi, 9_999.0), "{prefix}: {chi}");
        }
    }

    #[test]
    fn two_salts_place_the_same_keys_independently() {
        for (one, other) in [("a", "b"), ("checkout", "checkout2"), ("", "x"), ("s1", "s2")] {
            let mut cells = [0u32; 100 * 100];
            for n in 1..200_000 {
                let key = format!("user-{n}");
                let row = usize::from(bucket(one.as_bytes(), key.as_bytes()) / 100);
                let column = usize::from(bucket(other.as_bytes(), key.as_bytes()) / 100);
                cells[row * 100 + column] += 1;
            }
            let chi = chi_square(&cells, 199_999.0 / 10_000.0);
            assert!(is_plausible(chi, 9_999.0), "{one} {other}: {chi}");
        }
    }
}
