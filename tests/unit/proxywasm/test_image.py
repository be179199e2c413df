"""The image layout, read back as its specification says, by nothing of ours."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any  # JSON

import pytest

from xds.proxywasm.image import write_image

MODULE = b"\0asm\1\0\0\0" + b"filter" * 1000


def blob(folder: Path, descriptor: dict[str, Any]) -> bytes:
    """A blob whose digest and size are what its descriptor says."""
    algorithm, _, digits = descriptor["digest"].partition(":")
    content: bytes = (folder / "blobs" / algorithm / digits).read_bytes()
    assert hashlib.new(algorithm, content).hexdigest() == digits
    assert len(content) == descriptor["size"]
    return content


def test_what_is_packed_is_found_again_by_the_layout_specification(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    image = write_image(folder, MODULE, tag="v1", annotations={"a": "b"})
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((folder / "index.json").read_text())
    (entry,) = index["manifests"]
    assert (index["schemaVersion"], index["mediaType"]) == (2, "application/vnd.oci.image.index.v1+json")
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "v1"}
    assert entry["digest"] == image.digest
    manifest = json.loads(blob(folder, entry))
    assert manifest["mediaType"] == entry["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["annotations"] == {"module.wasm.image/variant": "compat", "a": "b"}
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    archive = gzip.decompress(blob(folder, layer))
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        assert files.getnames() == ["plugin.wasm"]
        content = files.extractfile("plugin.wasm")
        assert content is not None
        assert content.read() == MODULE
    config = json.loads(blob(folder, manifest["config"]))
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert config["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(archive).hexdigest()}"]}
    every = {path.name for path in (folder / "blobs/sha256").iterdir()}
    assert every == {each["digest"].removeprefix("sha256:") for each in (entry, layer, manifest["config"])}


def test_the_same_filter_has_the_same_digest_everywhere(tmp_path: Path) -> None:
    made = [write_image(tmp_path / name, MODULE, tag=name, annotations={"a": "b"}).digest for name in ("one", "two")]
    assert made[0] == made[1]
    assert write_image(tmp_path / "three", MODULE, tag="", annotations={}).digest != made[0]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(FileExistsError):
        write_image(tmp_path, MODULE, tag="v1", annotations={})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
