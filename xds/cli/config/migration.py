"""A file of settings in another version of its format: keys move, values and comments stay."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from xds.cli.config.file import load, version_of
from xds.cli.config.keys import VERSION, keys
from xds.cli.exits import Exit, Failed


def migrated(path: Path, to: int | None = None) -> tuple[str, Mapping[str, str]]:
    """Return the text of a file in format `to` (None: the present one), and which key is called what now."""
    wanted = VERSION if to is None else to
    if not 0 <= wanted <= VERSION:
        raise Failed(f"--to {wanted}: there are the formats 0 to {VERSION}", Exit.INVALID)
    said = load(path)
    if version_of(said) is None:
        raise Failed(f"{path}: version {said['version']!r} is newer than this Fairlead", Exit.INVALID)
    moved = _upwards(said) if wanted else _downwards(said)
    if wanted:
        if "version" in said:
            said["version"] = wanted
        else:
            said.insert(0, "version", wanted)
    else:
        said.pop("version", None)
    text = io.StringIO()
    writer = YAML(typ="rt", pure=True)
    writer.dump(said, text)
    return text.getvalue(), moved


def _upwards(said: CommentedMap) -> dict[str, str]:
    moved = {}
    for key in keys().values():
        if key.old != key.path and key.old in said:
            section, _, name = key.path.partition(".")
            if not isinstance(said.get(section), CommentedMap):
                said.insert(list(said).index(key.old), section, CommentedMap())
            _move(said, key.old, said[section], name)
            moved[key.old] = key.path
    return moved


def _downwards(said: CommentedMap) -> dict[str, str]:
    moved = {}
    for key in keys().values():
        section, dot, name = key.path.partition(".")
        inner = said.get(section)
        if dot and isinstance(inner, CommentedMap) and name in inner:
            _move(inner, name, said, key.old)
            moved[key.path] = key.old
            if not inner:
                del said[section]
    return moved


def _move(source: CommentedMap, name: str, target: CommentedMap, called: str) -> None:
    """Move a value, and the comment at the end of its line."""
    comment = source.ca.items.pop(name, None)
    target[called] = source.pop(name)
    if comment is not None:
        target.ca.items[called] = comment
