"""Containers of one little program (`container-app`), by the Engine API: no time of a client's own is in any figure."""

from __future__ import annotations

import io
import json
import os
import select
import tarfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

IMAGE: Final = "fairlead-bench/app"
PORT: Final = 8080
NO_BODY: Final = httpx.Timeout(120.0)
PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class End:
    """When a container's end was asked for, and when its process died as the kernel tells it (monotonic seconds)."""

    asked: float
    died: float


class Containers:
    """The containers of one engine; all that are left go with the block."""

    def __init__(self, socket: Path, program: Path) -> None:
        transport = httpx.HTTPTransport(uds=str(socket))
        self._engine = httpx.Client(base_url="http://engine", transport=transport, timeout=NO_BODY, trust_env=False)
        self._names: set[str] = set()
        self._program = program

    def __enter__(self) -> Self:
        """Make the image, of the program alone."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(self._program, "app")
        query = {"fromSrc": "-", "repo": IMAGE, "changes": 'CMD ["/app"]'}
        self._engine.post("/images/create", params=query, content=archive.getvalue()).raise_for_status()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove(*self._names)
        self._engine.close()

    def run(self, name: str, labels: Mapping[str, str], **environment: str) -> float:
        """Create and start a container; the moment (monotonic seconds) at which the engine had started it."""
        said = {
            "Image": IMAGE,
            "Labels": dict(labels),
            "Env": [f"{key}={value}" for key, value in {"NAME": name, **environment}.items()],
        }
        self._ask("POST", "/containers/create", said, name=name)
        self._names.add(name)
        self._ask("POST", f"/containers/{name}/start")
        return time.monotonic()

    def kill(self, name: str) -> End:
        """SIGKILL, as `docker kill` does."""
        return self._end(name, "kill")

    def stop(self, name: str) -> End:
        """SIGTERM, and its end, as `docker stop` does."""
        return self._end(name, "stop")

    def remove(self, *names: str) -> None:
        """Remove containers, whatever they do."""
        for name in names:
            self._ask("DELETE", f"/containers/{name}", force="true")
            self._names.discard(name)

    def _end(self, name: str, how: str) -> End:
        process = os.pidfd_open(self._ask("GET", f"/containers/{name}/json")["State"]["Pid"])
        try:
            with ThreadPoolExecutor(1) as watching:
                died = watching.submit(_readable, process)
                asked = time.monotonic()
                self._ask("POST", f"/containers/{name}/{how}")
                return End(asked, died.result())
        finally:
            os.close(process)

    def _ask(self, method: str, path: str, said: Mapping[str, object] | None = None, **query: str) -> Any:  # noqa: ANN401 - it is what the engine says, as JSON
        body = None if said is None else json.dumps(said)
        answer = self._engine.request(
            method, path, params=query, content=body, headers={"content-type": "application/json"}
        )
        if answer.is_error:
            raise SystemExit(f"docker: {method} {path}: {answer.status_code} {answer.text.strip()}; nothing is written")
        return answer.json() if answer.content else None


def _readable(descriptor: int) -> float:
    """Return the moment at which a descriptor of a process becomes readable, which is its death."""
    if not select.select([descriptor], [], [], PATIENCE)[0]:
        raise SystemExit(f"docker: a process did not end in {PATIENCE:g} s; nothing is written")
    return time.monotonic()
