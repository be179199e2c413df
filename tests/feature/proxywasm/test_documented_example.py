"""The example of docs/proxywasm.md runs as it stands, and prints what the page says."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.harness.repo import ROOT

PAGE = (ROOT / "docs/proxywasm.md").read_text(encoding="utf-8")


def test_the_ten_lines_run_and_print_what_the_page_says() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 10
    ran = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert f"It prints `{ran.stdout.strip()}`" in PAGE


def test_every_limit_on_the_page_is_the_one_in_the_code() -> None:
    from xds.proxywasm import context_calls, foreign, machine, outbound_calls, pairs, runtime, sharing

    limits = runtime.Limits()
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", PAGE.partition("## Limits")[2], re.MULTILINE)
    said = dict(rows)
    assert said["a module"] == f"{limits.module_bytes >> 20} MiB"
    assert said["a guest's memory"] == f"{limits.memory_bytes >> 20} MiB"
    assert said["one call of a guest"] == f"{limits.call_seconds:g} s"
    assert machine.TURN_CALLS == 3
    assert said["what is held of a message, or sent in a call"].startswith(f"{limits.body_bytes >> 20} MiB")
    assert said["a map of headers"] == f"{pairs.MOST_PAIRS:,} pairs, {pairs.MOST_BYTES >> 20} MiB"
    assert said["shared keys, queues, messages in one, metrics"] == f"{sharing.MOST_ENTRIES:,} each"
    assert said["bytes of shared data and messages"] == f"{sharing.MOST_BYTES >> 20} MiB"
    assert said["calls under way"] == f"{outbound_calls.MOST_CALLS} a machine"
    assert said["properties that a guest sets"] == f"{context_calls.MOST_FILTER_STATE:,} a stream"
    assert said["what `uncompress` gives"] == f"{foreign.MOST_BYTES >> 20} MiB"
