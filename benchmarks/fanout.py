"""Pushes to many streams, side by side with go-control-plane: server CPU, time to the last stream, memory per stream.

One endpoint flips, and a flip is over when the last of 1,000 streams has it; each stream is a TCP connection, server
and client have a core each. Ratios are Fairlead's cost over that of go-control-plane's LinearCache in the same run
(below 1 is cheaper): `delta_1000`, `sotw_1000`, `sotw_100`, `delta_10` server CPU per push with its ACK at so many
names per stream, `rss_*` memory per stream, `first_answers` the time to the first full answers. `delta_10_snapshot` is
over the SnapshotCache. All are medians of three runs, in turn with the peer's. The rest is Fairlead with itself:
`slow_reader`, `bystanders`, `groups_200` and `under_registrations` say how much dearer or slower a push is with them
than without.

`--only NAME` measures one load or burden, and writes nothing. `benchmarks.peers.sweep` makes the plots.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from benchmarks.peers import storms
from benchmarks.peers.programs import Programs
from benchmarks.peers.registrations import push_under_registrations
from benchmarks.peers.sides import FAIRLEAD, LINEAR, PEERS, SNAPSHOT, Load, Measured, in_turn, prepare
from benchmarks.record import record


@dataclass(frozen=True, slots=True)
class Case:
    """One load, the peers it is measured on, and how many flips."""

    load: Load
    peers: tuple[str, ...] = (FAIRLEAD, LINEAR)
    flips: int = 20


CASES: Mapping[str, Case] = {
    "delta_1000": Case(Load("delta", names=1000), flips=10),
    "sotw_1000": Case(Load("sotw", names=1000), flips=10),
    "sotw_100": Case(Load("sotw", names=100)),
    "delta_10": Case(Load("delta", names=10), PEERS),
}
OTHERS: Mapping[str, Callable[[Programs], Mapping[str, float]]] = {
    "stopped_reader": lambda programs: storms.stopped_reader(programs, Load(names=1000), 30),
    "bystanders": lambda programs: storms.bystanders(programs, 100, 2000, 40),
    "groups": lambda programs: storms.groups(programs, 200, 10),
    "nack_storm": lambda programs: storms.nack_storm(programs, Load(names=100)),
    "reconnect_storm": lambda programs: storms.reconnect_storm(programs, Load(names=100)),
    "cold_start": lambda programs: storms.cold_start(programs, 20),
    "registrations": lambda programs: push_under_registrations(programs, 50),
}
Sides = Mapping[str, Mapping[str, Measured]]


def figures(sides: Sides) -> dict[str, float]:
    """Name what was measured: `<case>_<peer>_us`, `_ms` to the last stream, `_kib` a stream, `_first_ms`."""
    named = {}
    for case, peers in sides.items():
        for peer, measured in peers.items():
            named[f"{case}_{peer}_us"] = measured.flips.push_us
            named[f"{case}_{peer}_ms"] = measured.flips.last_ms
            named[f"{case}_{peer}_kib"] = measured.stream_kib
            named[f"{case}_{peer}_first_ms"] = measured.first_ms
    return named


def ratios(sides: Sides, others: Mapping[str, float]) -> dict[str, float]:
    """Return Fairlead's cost over its peers', and over its own without the burden."""
    found = {case: peers[FAIRLEAD].flips.push_us / peers[LINEAR].flips.push_us for case, peers in sides.items()}
    small, large = sides["delta_10"], sides["delta_1000"]
    return found | {
        "delta_10_snapshot": small[FAIRLEAD].flips.push_us / small[SNAPSHOT].flips.push_us,
        "rss_1000": large[FAIRLEAD].stream_kib / large[LINEAR].stream_kib,
        "rss_10": small[FAIRLEAD].stream_kib / small[LINEAR].stream_kib,
        "first_answers": large[FAIRLEAD].first_ms / large[LINEAR].first_ms,
        "slow_reader": others["one_stopped_p99_ms"] / others["all_reading_p99_ms"],
        "bystanders": others["subscribers_among_many_us"] / others["subscribers_alone_us"],
        "groups_200": others["many_groups_us"] / others["one_group_us"],
        "under_registrations": others["push_p99_under_registrations_ms"] / others["push_p99_ms"],
    }


def compare(programs: Programs, name: str, case: Case) -> dict[str, Measured]:
    """Measure one case on its peers, in turn, and print it."""
    found = dict(
        zip(case.peers, in_turn(programs, [(peer, case.load) for peer in case.peers], case.flips), strict=True)
    )
    for peer, one in found.items():
        print(
            f"{name:12} {peer:9} {one.flips.push_us:8.1f} us/push {one.flips.last_ms:8.1f} ms to the last stream "
            f"{one.flips.p99_ms:8.1f} ms p99 {one.stream_kib:7.1f} KiB/stream {one.first_ms:7.0f} ms first answers",
            flush=True,
        )
    return found


def tell(measured: Mapping[str, float]) -> Mapping[str, float]:
    """Print figures as soon as they exist, and return them."""
    print("   ".join(f"{name} {value:.4g}" for name, value in measured.items()), flush=True)
    return measured


def measure_all(programs: Programs) -> None:
    """Measure everything, and write the result."""
    sides = {name: compare(programs, name, case) for name, case in CASES.items()}
    others: dict[str, float] = {}
    for run in OTHERS.values():
        others |= tell(run(programs))
    record("fanout", {**figures(sides), **others}, ratios(sides, others))


def main() -> None:
    """Measure everything, or what was asked for."""
    parser = argparse.ArgumentParser(prog="fanout")
    parser.add_argument("--only", choices=[*CASES, *OTHERS], help="one case, without writing the result")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="with --only: these peers")
    parser.add_argument("--streams", type=int, help="with --only: so many streams")
    parser.add_argument("--flips", type=int, help="with --only: so many flips")
    given = parser.parse_args()
    programs = prepare()
    if given.only in OTHERS:
        tell(OTHERS[given.only](programs))
    elif given.only:
        case = CASES[given.only]
        load = replace(case.load, streams=given.streams or case.load.streams)
        peers = tuple(given.peers or PEERS)
        compare(programs, given.only, Case(load, peers, given.flips or case.flips))
    else:
        measure_all(programs)


if __name__ == "__main__":
    main()
