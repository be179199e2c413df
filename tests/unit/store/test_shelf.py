"""The shelf gives back a whole pair of module and configuration, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.store.shelf import FilterShelf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "filter"


def test_an_empty_shelf_has_nothing(folder: Path) -> None:
    assert FilterShelf(folder).load() is None


def test_the_last_pair_is_given_back(folder: Path) -> None:
    shelf = FilterShelf(folder)
    shelf.save(b"\0asm one", b'{"a": 1}')
    shelf.save(b"\0asm two", '{"a": "ü"}'.encode())
    assert FilterShelf(folder).load() == (b"\0asm two", '{"a": "ü"}'.encode())
    assert len(list(folder.iterdir())) == 2


def test_a_crash_between_module_and_label_leaves_the_pair_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = FilterShelf(folder)
    shelf.save(b"good", b"{}")
    replace, done = Path.replace, list[Path]()

    def crash(self: Path, target: Path) -> Path:
        if done:
            raise OSError("the disk is gone")
        done.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="the disk is gone"):
        shelf.save(b"newer", b"{}")
    assert FilterShelf(folder).load() == (b"good", b"{}")


@pytest.mark.parametrize(
    "label", [b"", b"{", b"[]", b"7", b"{}", b'{"sha256": "../../x", "configuration": ""}', b"\xff"]
)
def test_a_damaged_label_is_no_pair(folder: Path, label: bytes) -> None:
    shelf = FilterShelf(folder)
    shelf.save(b"good", b"{}")
    (folder / "last-good.json").write_bytes(label)
    assert shelf.load() is None
    shelf.save(b"good", b"{}")
    assert shelf.load() == (b"good", b"{}")


def test_a_damaged_module_is_no_pair(folder: Path) -> None:
    shelf = FilterShelf(folder)
    shelf.save(b"good", b"{}")
    (module,) = folder.glob("*.wasm")
    module.write_bytes(b"goof")
    assert shelf.load() is None
