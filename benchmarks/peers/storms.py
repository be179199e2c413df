"""What happens beside the plain flip: a reader that stops, refusals and reconnects by the thousand, streams that do not
care, many groups of nodes, and a cold start. Fairlead only: the question is what it costs, not who is faster.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from .processes import SERVER_CORE, Program
from .programs import Programs
from .sides import FAIRLEAD, Load, command, expect, flip, in_turn, markers, now, serving, streaming

ROUNDS = 2
Figures = Mapping[str, float]


def stopped_reader(programs: Programs, load: Load, flips: int) -> Figures:
    """The p99 of the streams that read, in ms, before and after one more stream stopped reading in its first answer."""
    with serving(programs, FAIRLEAD, load) as (server, port), streaming(programs, load, port) as (client, _):
        before = flip(server, client, load, flips)
        client.tell("stop 1")
        expect(client, "stopped")
        after = flip(server, client, load, flips)
    return {"all_reading_p99_ms": before.p99_ms, "one_stopped_p99_ms": after.p99_ms}


def bystanders(programs: Programs, subscribers: int, streams: int, flips: int) -> Figures:
    """Server CPU per push to the same subscribers, in us, when there are no others and when they are a few of many."""
    loads = Load(streams=subscribers), Load(streams=streams, subscribers=subscribers)
    alone, among = in_turn(programs, [(FAIRLEAD, load) for load in loads], flips)
    return {"subscribers_alone_us": alone.flips.push_us, "subscribers_among_many_us": among.flips.push_us}


def groups(programs: Programs, count: int, flips: int) -> Figures:
    """Server CPU per push in us when all nodes are in one group, and when they are spread over many."""
    loads = Load(names=100), Load(names=100, groups=count)
    one, many = in_turn(programs, [(FAIRLEAD, load) for load in loads], flips)
    return {"one_group_us": one.flips.push_us, "many_groups_us": many.flips.push_us}


def nack_storm(programs: Programs, load: Load) -> Figures:
    """A change that every stream refuses, then one that all take, twice.

    `nack_storm_ms`: from the good change to the last stream that has it. `nack_storm_us`: server CPU per refused push.
    Ends the program, in words, if anything is sent again to a client that refused it.
    """
    times, costs = [], []
    with serving(programs, FAIRLEAD, load) as (server, port), streaming(programs, load, port) as (client, _):
        for _ in range(ROUNDS):
            server.settle()
            before, answers = server.cpu, _responses(client)
            client.tell("nack")
            server.tell(str(marker := next(markers)))
            expect(client, "flip", marker)
            server.settle()
            costs.append((server.cpu - before) * 1e6 / load.streams)
            again = _responses(client) - answers - load.streams
            if again:
                raise SystemExit(f"fanout: {again} responses came again after they were refused; nothing is written")
            client.tell("ack")
            start = now()
            server.tell(str(marker := next(markers)))
            times.append((expect(client, "flip", marker)["last"] - start) / 1e6)
        peak = server.peak_rss
    return {
        "nack_storm_ms": statistics.fmean(times),
        "nack_storm_us": statistics.fmean(costs),
        "nack_storm_peak_mib": peak / 1024,
    }


def reconnect_storm(programs: Programs, load: Load) -> Figures:
    """The server dies and comes back, twice, and all streams with it, who know nothing any more.

    `reconnect_storm_ms`: from the moment it serves again to the last stream's full answer.
    """
    times, peaks = [], []
    server = Program(command(programs, FAIRLEAD, load), SERVER_CORE)
    try:
        port = int(server.hear()["port"])
        with streaming(programs, load, port) as (client, _):
            for _ in range(ROUNDS):
                server.settle()
                server.kill()
                server = Program(command(programs, FAIRLEAD, load, port), SERVER_CORE)
                server.hear()
                start = now()
                times.append((expect(client, "ready")["last"] - start) / 1e6)
                server.settle()
                peaks.append(server.peak_rss)
    finally:
        server.end()
    return {"reconnect_storm_ms": statistics.fmean(times), "reconnect_storm_peak_mib": max(peaks) / 1024}


def cold_start(programs: Programs, flips: int) -> Figures:
    """1,000 services of 100 endpoints: from the start of the process to one client's full answer; then flips to it."""
    load = Load(streams=1, names=1000, endpoints=100)
    start = now()
    with serving(programs, FAIRLEAD, load) as (server, port):
        asked = ["-streams", "1", "-names", str(load.names), "-address", f"127.0.0.1:{port}"]
        with Program([str(programs.client), *asked], 1) as client:
            full = expect(client, "ready")["last"]
            flipped = flip(server, client, load, flips)
    return {"cold_start_s": (full - start) / 1e9, "cold_flip_ms": flipped.last_ms}


def _responses(client: Program) -> int:
    client.tell("count")
    return int(expect(client, "count")["responses"])
