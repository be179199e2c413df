"""Pushes to many streams, side by side with go-control-plane: server CPU, time to the last stream, memory per stream."""

from __future__ import annotations

import argparse
import resource

from benchmarks.peers.programs import build
from benchmarks.peers.sides import PEERS, Load, measure

LOADS = {
    "delta_1000": Load("delta", names=1000),
    "sotw_1000": Load("sotw", names=1000),
    "sotw_100": Load("sotw", names=100),
    "delta_10": Load("delta", names=10),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=LOADS)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--flips", type=int, default=20)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    programs = build()
    load = LOADS[given.only]
    load = Load(load.protocol, given.streams, load.names)
    for peer in given.peers:
        m = measure(programs, peer, load, given.flips)
        print(
            f"{peer:10} {given.only:12} first answers {m.first_ms:8.0f} ms   push {m.flips.push_us:7.1f} us   "
            f"last stream {m.flips.last_ms:7.1f} ms   p99 {m.flips.p99_ms:7.1f} ms   {m.stream_kib:7.1f} KiB/stream"
        )


if __name__ == "__main__":
    main()
