//! How breakers are written down in shared data: fixed layouts, little endian, with a number of the layout in front.
//!
//! Bytes of another layout, length or value are read as nothing: another version of the filter wrote them, and the one
//! that reads them begins anew.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::breaker::{Record, State};
use crate::rule::Forced;
use crate::window::Counts;

const LAYOUT: u8 = 1;
/// Most machines that publish what they count; the thread of a further one decides by itself.
pub const MOST_SLOTS: usize = 64;
/// Bytes of a slot before its entries, and of each entry.
const HEAD: usize = 24;
const ENTRY: usize = 24;

/// The key of one breaker's record.
pub fn record_key(identity: u64) -> String {
    format!("fairlead.breaker/{identity:016x}")
}

/// The key of one machine's counts.
pub fn slot_key(number: usize) -> String {
    format!("fairlead.counts/{number}")
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_at_checked(N)?;
        self.0 = rest;
        taken.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// A record as bytes.
pub fn write_record(record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(36);
    let Record { state, forced, reopened, good, bad, .. } = *record;
    out.extend_from_slice(&[LAYOUT, state as u8, forced as u8, reopened, good, bad, 0, 0]);
    out.extend_from_slice(&record.epoch.to_le_bytes());
    for time in [record.since_ms, record.until_ms, record.lease_ms] {
        out.extend_from_slice(&time.to_le_bytes());
    }
    out
}

/// The record in `bytes`.
pub fn read_record(bytes: &[u8]) -> Option<Record> {
    let mut reader = Reader(bytes);
    let [LAYOUT, state, forced, reopened, good, bad, 0, 0] = reader.take::<8>()? else {
        return None;
    };
    let state = [State::Closed, State::Open, State::Probing, State::Ramp].into_iter().find(|s| *s as u8 == state)?;
    let forced = [Forced::No, Forced::Open, Forced::Closed].into_iter().find(|f| *f as u8 == forced)?;
    let epoch = reader.u32()?;
    let (since_ms, until_ms, lease_ms) = (reader.u64()?, reader.u64()?, reader.u64()?);
    reader.0.is_empty().then_some(Record { epoch, state, forced, reopened, good, bad, since_ms, until_ms, lease_ms })
}

/// What one machine counted of one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Identity of the breaker.
    pub identity: u64,
    /// The epoch that was counted in.
    pub epoch: u32,
    /// The counts of its window.
    pub counts: Counts,
}

/// What one machine published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whose it is: a number by chance.
    pub owner: u64,
    /// When, in milliseconds of wall time.
    pub at_ms: u64,
    /// What it counted.
    pub entries: Vec<Entry>,
}

/// A slot as bytes.
pub fn write_slot(slot: &Slot) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD.saturating_add(slot.entries.len().saturating_mul(ENTRY)));
    out.extend_from_slice(&[LAYOUT, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&slot.owner.to_le_bytes());
    out.extend_from_slice(&slot.at_ms.to_le_bytes());
    for entry in &slot.entries {
        out.extend_from_slice(&entry.identity.to_le_bytes());
        for number in [entry.epoch, entry.counts.total, entry.counts.failed, entry.counts.slow] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    out
}

/// The slot in `bytes`.
pub fn read_slot(bytes: &[u8]) -> Option<Slot> {
    let mut reader = Reader(bytes);
    if reader.u8()? != LAYOUT {
        return None;
    }
    reader.take::<7>()?;
    let (owner, at_ms) = (reader.u64()?, reader.u64()?);
    let mut entries = Vec::with_capacity(reader.0.len() / ENTRY);
    while !reader.0.is_empty() {
        let (identity, epoch) = (reader.u64()?, reader.u32()?);
        let counts = Counts { total: reader.u32()?, failed: reader.u32()?, slow: reader.u32()? };
        entries.push(Entry { identity, epoch, counts });
    }
    Some(Slot { owner, at_ms, entries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn record() -> Record {
        let (state, forced) = (State::Probing, Forced::Closed);
        Record { epoch: 7, state, forced, reopened: 3, good: 2, bad: 1, since_ms: 1, until_ms: u64::MAX, lease_ms: 5 }
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        assert_eq!(read_record(&write_record(&record())), Some(record()));
        assert_eq!(read_record(&write_record(&Record::default())), Some(Record::default()));
    }

    #[test]
    fn a_slot_comes_back_as_it_was_written() {
        let entry = Entry { identity: 9, epoch: 2, counts: Counts { total: 5, failed: 4, slow: 3 } };
        for entries in [vec![], vec![entry], vec![entry; 100]] {
            let slot = Slot { owner: 1, at_ms: 2, entries };
            assert_eq!(read_slot(&write_slot(&slot)), Some(slot));
        }
    }

    #[test]
    fn cut_longer_and_foreign_bytes_are_nothing() {
        let whole = write_record(&record());
        for length in 0..whole.len() {
            assert_eq!(read_record(&whole[..length]), None);
        }
        assert_eq!(read_record(&[&whole[..], b"x"].concat()), None);
        for (at, value) in [(0, 2), (1, 4), (2, 3), (6, 1)] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            assert_eq!(read_record(&bytes), None, "byte {at}");
        }
        let slot = write_slot(&Slot { owner: 1, at_ms: 2, entries: vec![] });
        assert_eq!(read_slot(&slot[..HEAD - 1]), None);
        assert_eq!(read_slot(&[&slot[..], b"x"].concat()), None);
    }
}
