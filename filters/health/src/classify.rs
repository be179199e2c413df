//! What an answer says about the subset that gave it.
//!
//! One result per request, made when it is over. What the client, an operator or this filter ended says nothing about
//! the subset and is neutral. Flags are Envoy's (`response.flags`), in the order of `CoreResponseFlag`.

/// What is known of a request at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `response.flags`: a set of bits.
    pub flags: u64,
    /// `response.code`; 0 when there was no answer.
    pub code: u64,
    /// `grpc-status`, where the answer had one.
    pub grpc: Option<u32>,
    /// Whether the answer took as long as the rule calls slow.
    pub slow: bool,
}

/// What the evidence amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Says nothing.
    Neutral,
    /// A good answer.
    Good,
    /// A good answer that took too long.
    Slow,
    /// 429 or RESOURCE_EXHAUSTED: a failure in the ratio, not in the run of consecutive ones.
    Limited,
    /// No healthy endpoint to send it to: a failure, but not the answer of a probe.
    Unreachable,
    /// A failure.
    Failed,
}

const fn bits(list: &[u32]) -> u64 {
    let (mut set, mut at) = (0, 0);
    while at < list.len() {
        set |= 1 << list[at];
        at += 1;
    }
    set
}

/// The client went away: DC, DownstreamRemoteReset.
pub const CLIENT_LEFT: u64 = bits(&[14, 28]);
/// UT, UR, UF, UC, URX, SI, UMSDR, UPE.
pub const HARD: u64 = bits(&[2, 4, 5, 6, 15, 16, 19, 23]);
/// UH.
pub const NO_HEALTHY_UPSTREAM: u64 = bits(&[1]);
/// LR, UO, NR, DI, FI, RL, UAEX, RLSE, IH, DPE, DT, NC, OM, DropOverload: the proxy's own doing.
pub const OWN_DOING: u64 = bits(&[3, 7, 8, 9, 10, 11, 12, 13, 17, 18, 22, 24, 25, 27]);

/// gRPC: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. Other codes are the caller's fault.
const GRPC_FAILED: [u32; 5] = [2, 4, 13, 14, 15];
const GRPC_RESOURCE_EXHAUSTED: u32 = 8;

/// The class of one request.
pub fn classify(evidence: Evidence) -> Class {
    let has = |set: u64| evidence.flags & set != 0;
    match evidence {
        _ if has(CLIENT_LEFT) => Class::Neutral,
        _ if has(HARD) => Class::Failed,
        _ if has(NO_HEALTHY_UPSTREAM) => Class::Unreachable,
        _ if has(OWN_DOING) => Class::Neutral,
        Evidence { grpc: Some(GRPC_RESOURCE_EXHAUSTED), .. } | Evidence { code: 429, .. } => Class::Limited,
        Evidence { grpc: Some(status), .. } if GRPC_FAILED.contains(&status) => Class::Failed,
        Evidence { code: 500..=599, .. } => Class::Failed,
        Evidence { code: 0, .. } => Class::Neutral,
        Evidence { slow: true, .. } => Class::Slow,
        _ => Class::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(flags: u64, code: u64, grpc: Option<u32>) -> Class {
        classify(Evidence { flags, code, grpc, slow: false })
    }

    #[test]
    fn every_server_error_and_no_client_error_is_a_failure() {
        for code in 100..600 {
            let class = match code {
                500.. => Class::Failed,
                429 => Class::Limited,
                _ => Class::Good,
            };
            assert_eq!(of(0, code, None), class, "{code}");
        }
    }

    #[test]
    fn failures_of_the_way_to_the_upstream_are_failures_whatever_the_code_says() {
        for flag in [2, 4, 5, 6, 15, 16, 19, 23] {
            assert_eq!(of(1 << flag, 200, None), Class::Failed, "{flag}");
        }
        assert_eq!(of(1 << 1, 503, None), Class::Unreachable);
    }

    #[test]
    fn what_client_and_proxy_ended_themselves_is_neutral() {
        for flag in [3, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 22, 24, 25, 27, 28] {
            assert_eq!(of(1 << flag, 503, None), Class::Neutral, "{flag}");
        }
        assert_eq!(of(1 << 14 | 1 << 6, 503, None), Class::Neutral);
        assert_eq!(of(0, 0, None), Class::Neutral);
    }

    #[test]
    fn a_grpc_status_decides_over_the_200_around_it() {
        for status in 0..20 {
            let class = match status {
                2 | 4 | 13 | 14 | 15 => Class::Failed,
                8 => Class::Limited,
                _ => Class::Good,
            };
            assert_eq!(of(0, 200, Some(status)), class, "{status}");
        }
    }

    #[test]
    fn only_a_good_answer_can_be_slow() {
        let slow = |code| classify(Evidence { code, slow: true, ..Evidence::default() });
        assert_eq!((slow(200), slow(503), slow(429)), (Class::Slow, Class::Failed, Class::Limited));
    }
}
