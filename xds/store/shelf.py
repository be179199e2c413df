"""The shelf: the last filter module that was accepted, so that a bad one never takes the good one's place.

A module lies under its digest, and one small file names the module that counts and holds its configuration. That file
is replaced atomically, after the module is on disk: a crash at any moment leaves the pair before or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


class FilterShelf:
    """Keeps one module with its configuration in a folder."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when something is first kept."""
        self._folder = folder
        self._label = folder / "last-good.json"

    def load(self) -> tuple[bytes, bytes] | None:
        """Return module and configuration, or None when there is no whole pair."""
        try:
            label = json.loads(self._label.read_bytes())
            digest, configuration = str(label["sha256"]), str(label["configuration"])
            module = self._module(digest).read_bytes()
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if hashlib.sha256(module).hexdigest() != digest:
            return None
        return module, configuration.encode()

    def save(self, module: bytes, configuration: bytes) -> None:
        """Keep this pair in place of the one before; raises OSError when the disk refuses.

        `configuration` is text in UTF-8.
        """
        if self.load() == (module, configuration):
            return
        digest = hashlib.sha256(module).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        _replace(self._module(digest), module)
        _replace(self._label, json.dumps({"sha256": digest, "configuration": configuration.decode()}).encode())
        for other in self._folder.glob("*.wasm"):
            if other != self._module(digest):
                other.unlink()

    def _module(self, digest: str) -> Path:
        return self._folder / f"{Path(digest).name}.wasm"  # a damaged label reaches no other folder


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(path.suffix + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
