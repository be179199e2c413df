"""The shelf: the last filter module that was accepted, so that a bad one never takes the good one's place.

Two files beside the database, each replaced atomically; the configuration is written last and names the module's digest, so
a pair that does not belong together is not read back.
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
        self._module = folder / "last-good.wasm"
        self._configuration = folder / "last-good.json"

    def load(self) -> tuple[bytes, bytes] | None:
        """Return module and configuration, or None when there is no whole pair."""
        try:
            module = self._module.read_bytes()
            kept = json.loads(self._configuration.read_text())
        except (OSError, ValueError):
            return None
        if kept.get("sha256") != hashlib.sha256(module).hexdigest():
            return None
        return module, str(kept["configuration"]).encode()

    def save(self, module: bytes, configuration: bytes) -> None:
        """Keep this pair in place of the one before; raises OSError when the disk refuses."""
        if self.load() == (module, configuration):
            return
        self._module.parent.mkdir(parents=True, exist_ok=True)
        _replace(self._module, module)
        text = json.dumps({"sha256": hashlib.sha256(module).hexdigest(), "configuration": configuration.decode()})
        _replace(self._configuration, text.encode())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(path.suffix + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
