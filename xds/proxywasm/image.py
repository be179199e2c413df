"""A filter as an OCI image layout: a folder that registries' tools push, and that Envoy's control planes pull.

Source: the OCI image and image-layout specifications 1.0, and the Wasm image specification in its *compat* variant: one
ordinary layer whose archive holds `plugin.wasm`. Every registry takes that, and Istio and Envoy Gateway read it. The
same filter and annotations always give the same bytes, and so the same digest. Knows nothing of registries.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
FILE_NAME: Final = "plugin.wasm"
VARIANT: Final = {"module.wasm.image/variant": "compat"}
REFERENCE: Final = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Image:
    """What was written: digests as `sha256:` and 64 digits."""

    folder: Path
    digest: str
    layer: str
    annotations: Mapping[str, str]


def write_image(folder: Path, module: bytes, *, tag: str, annotations: Mapping[str, str]) -> Image:
    """Writes the layout into a folder that is new or empty. Raises FileExistsError for any other, OSError."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    archive = _archive(module)
    layer = _blob(blobs, LAYER, gzip.compress(archive, mtime=0))
    config = {
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [_digest(archive)]},
    }
    every = {**VARIANT, **annotations}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _blob(blobs, CONFIG, _json(config)),
        "layers": [layer],
        "annotations": every,
    }
    written = _blob(blobs, MANIFEST, _json(manifest))
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [written | {"annotations": {REFERENCE: tag}}]}
    (folder / "index.json").write_bytes(_json(index))
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    return Image(folder, str(written["digest"]), str(layer["digest"]), every)


def _archive(module: bytes) -> bytes:
    """A tar file of one file, with nothing of the machine or the hour in it."""
    entry = tarfile.TarInfo(FILE_NAME)
    entry.size, entry.mode = len(module), 0o644
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(entry, io.BytesIO(module))
    return content.getvalue()


def _blob(folder: Path, kind: str, content: bytes) -> dict[str, object]:
    digest = _digest(content)
    (folder / digest.removeprefix("sha256:")).write_bytes(content)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
