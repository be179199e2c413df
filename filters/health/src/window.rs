//! What became of the requests of the last ten seconds: an exact ring of ten buckets of one second.
//!
//! An average that decays depends on the rate of requests; buckets do not: the same failures, in a burst or spread
//! out, lead to the same counts. Ratios are compared by cross-multiplication, in whole numbers, so that every machine
//! decides alike.

/// Seconds that a window looks back.
pub const SECONDS: usize = 10;

/// Numbers of answers. A failed answer is not slow as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub total: u32,
    /// Those that failed.
    pub failed: u32,
    /// Those that were slow.
    pub slow: u32,
}

impl Counts {
    /// Sums, as far as 32 bits go.
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            total: self.total.saturating_add(other.total),
            failed: self.failed.saturating_add(other.failed),
            slow: self.slow.saturating_add(other.slow),
        }
    }

    fn minus(self, other: Counts) -> Counts {
        Counts {
            total: self.total.saturating_sub(other.total),
            failed: self.failed.saturating_sub(other.failed),
            slow: self.slow.saturating_sub(other.slow),
        }
    }

    /// Whether at least `percent` of all failed. Never with a percentage of 0, nor of nothing.
    pub fn failed_at_least(self, percent: u32) -> bool {
        reaches(self.failed, self.total, percent)
    }

    /// Whether at least `percent` of all were slow. Never with a percentage of 0, nor of nothing.
    pub fn slow_at_least(self, percent: u32) -> bool {
        reaches(self.slow, self.total, percent)
    }
}

fn reaches(part: u32, total: u32, percent: u32) -> bool {
    percent > 0 && total > 0 && u64::from(part) * 100 >= u64::from(percent) * u64::from(total)
}

/// The ring. Its sum is kept as it turns, so that reading it costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    cells: [Counts; SECONDS],
    newest: u64,
    sum: Counts,
}

impl Window {
    /// Adds answers of the second `second`.
    pub fn add(&mut self, second: u64, counts: Counts) {
        self.turn(second);
        if let Some(cell) = self.cells.get_mut(place(self.newest)) {
            *cell = cell.plus(counts);
            self.sum = self.sum.plus(counts);
        }
    }

    /// The answers of the ten seconds that end with `second`.
    pub fn sum(&mut self, second: u64) -> Counts {
        self.turn(second);
        self.sum
    }

    /// Drops what is too old. A clock that was set back by less than the window adds to the newest second; by more, it
    /// makes the window begin anew.
    fn turn(&mut self, second: u64) {
        if second < self.newest {
            if self.newest - second > SECONDS as u64 {
                *self = Window { newest: second, ..Window::default() };
            }
            return;
        }
        if second - self.newest >= SECONDS as u64 {
            *self = Window { newest: second, ..Window::default() };
            return;
        }
        while self.newest < second {
            self.newest += 1;
            if let Some(cell) = self.cells.get_mut(place(self.newest)) {
                self.sum = self.sum.minus(*cell);
                *cell = Counts::default();
            }
        }
    }
}

fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const FAILED: Counts = Counts { total: 1, failed: 1, slow: 0 };
    const GOOD: Counts = Counts { total: 1, failed: 0, slow: 0 };

    #[test]
    fn an_answer_counts_for_ten_seconds_and_not_for_eleven() {
        let mut window = Window::default();
        window.add(100, FAILED);
        assert_eq!(window.sum(109), FAILED);
        assert_eq!(window.sum(110), Counts::default());
    }

    #[test]
    fn a_burst_and_the_same_failures_spread_out_are_the_same_counts() {
        let (mut burst, mut spread) = (Window::default(), Window::default());
        for second in 0..10 {
            burst.add(59, if second % 2 == 0 { FAILED } else { GOOD });
            spread.add(50 + second, if second % 2 == 0 { FAILED } else { GOOD });
        }
        assert_eq!(burst.sum(59), spread.sum(59));
    }

    #[test]
    fn the_ring_equals_a_list_that_is_searched_whatever_the_clock_does() {
        let (mut state, mut window, mut second) = (88_172_645_463_325_252u64, Window::default(), 1_000u64);
        let mut list: Vec<(u64, Counts)> = Vec::new();
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            second += [0, 0, 0, 1, 1, 2, 9, 10, 25][(state % 9) as usize];
            let counts = Counts { total: 3, failed: (state >> 8) as u32 % 4, slow: (state >> 16) as u32 % 2 };
            list.push((second, counts));
            window.add(second, counts);
            let expected =
                list.iter().filter(|(then, _)| then + 10 > second).fold(Counts::default(), |a, b| a.plus(b.1));
            assert_eq!(window.sum(second), expected);
        }
    }

    #[test]
    fn a_clock_set_back_a_little_adds_and_set_back_far_begins_anew() {
        let mut window = Window::default();
        window.add(1_000, FAILED);
        window.add(995, FAILED);
        assert_eq!(window.sum(1_000).failed, 2);
        window.add(500, GOOD);
        assert_eq!(window.sum(500), GOOD);
    }

    #[test]
    fn a_ratio_is_compared_exactly_and_never_overflows() {
        assert!(Counts { total: 3, failed: 1, slow: 0 }.failed_at_least(33));
        assert!(!Counts { total: 3, failed: 1, slow: 0 }.failed_at_least(34));
        assert!(Counts { total: u32::MAX, failed: u32::MAX, slow: u32::MAX }.slow_at_least(100));
        assert!(!Counts::default().failed_at_least(0));
        assert!(!Counts::default().failed_at_least(1));
    }
}
