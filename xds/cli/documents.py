"""YAML files read as documents that remember their lines, so that an error points into the file and not into memory.

YAML 1.2: `no` is a word, `010` is ten, `1:30` is text. Refused, each with its line: a key given twice, a tag and a
merge key (except in compose files, which live by them), NaN and infinity, keys that are not text, and anything that
nests or expands beyond reason (an alias is counted each time it is used, so that a small file cannot become a large
one).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from xds.model.labels import escape
from xds.model.problems import InvalidInput

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 200_000
STDIN: Final = "-"

_TAG: Final = "tag:yaml.org,2002:"


class Spot(NamedTuple):
    """A place in a file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its value, and where each of its fields begins, by JSON pointer."""

    file: str
    value: dict[str, object]
    spots: dict[str, Spot] = field(default_factory=dict)

    def spot(self, pointer: str) -> Spot:
        """Return line and column of the field at `pointer`, or of the nearest field around it that was written."""
        while pointer not in self.spots and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.spots.get(pointer, Spot(1, 1))

    def place(self, pointer: str) -> str:
        """Return `file:line` of the same."""
        return f"{self.file}:{self.spot(pointer).line}"


class BadDocument(InvalidInput):
    """A file that cannot be read as documents; the words begin with its name and line."""

    slug = "bad_document"


def read_files(paths: Iterable[str], stdin: Iterable[bytes], *, compose: bool = False) -> list[Document]:
    """Return the documents of all files in order; `-` is standard input. BadDocument with file and line.

    With `compose` a file that looks like Compose's is read as such.
    """
    found: list[Document] = []
    for name, text in read_texts(paths, stdin):
        foreign = looks_like_compose(text)
        if foreign and not compose:
            raise BadDocument(f"{name}: a compose file; `fairlead lint` and `fairlead plan` read its labels")
        found += read_text(text, name, compose=foreign)
    return found


def looks_like_compose(text: str) -> bool:
    """Say whether a text may be a compose file, before it is read."""
    return any(line.startswith(("services:", '"services"', "'services'")) for line in text.splitlines())


def read_texts(paths: Iterable[str], stdin: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield name and text of all files in order, those of a folder one by one; BadDocument for what is no text."""
    for path in paths:
        if path == STDIN:
            yield "standard input", _text(b"".join(stdin), "standard input")
            continue
        for file in _files(Path(path)):
            try:
                data = file.read_bytes() if file.stat().st_size <= MAX_BYTES else b" " * (MAX_BYTES + 1)
            except OSError as error:
                raise BadDocument(f"{file}: {error.strerror}") from None
            yield str(file), _text(data, str(file))


def read_text(text: str, file: str, *, compose: bool = False) -> list[Document]:
    """Return the documents of one text; empty ones are left out. `compose` reads merge keys and Compose's own tags."""
    try:
        return [_document(node, file, compose=compose) for node in _nodes(text) if not _is_empty(node)]
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadDocument(f"{file}:{line}: {error.problem or error.context}") from None
    except RecursionError:
        raise BadDocument(f"{file}: nested deeper than {MAX_DEPTH} levels") from None
    except (YAMLError, ValueError) as error:
        raise BadDocument(f"{file}: {str(error).splitlines()[0]}") from None


def to_yaml(value: Mapping[str, object]) -> str:
    """Return a document as block style YAML with its keys in order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel annotates its default, None
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda *_: True
    out = io.StringIO()
    yaml.dump(dict(value), out)
    return out.getvalue()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml", ".json"})
    if not found:
        raise BadDocument(f"{path} holds no .yaml, .yml or .json file")
    return found


def _text(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise BadDocument(f"{file}: larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDocument(f"{file}: not UTF-8 at byte {error.start}") from None


def _nodes(text: str) -> Iterator[Node]:
    constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(text)
    while constructor.composer.check_node():
        yield constructor.composer.get_node()


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == _TAG + "null"


def _document(node: Node, file: str, *, compose: bool) -> Document:
    reader = _Reader(file, compose=compose)
    value = reader.read(node, "", 0)
    if not isinstance(value, dict):
        raise BadDocument(f"{file}:{_line(node)}: a document is a mapping that begins with `kind:`")
    return Document(file, value, reader.spots)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _spot(node: Node) -> Spot:
    return Spot(_line(node), int(node.start_mark.column) + 1)


class _Reader:
    """Turns the nodes of one document into plain values, noting the place of each."""

    def __init__(self, file: str, *, compose: bool) -> None:
        self.file = file
        self.spots: dict[str, Spot] = {}
        self._compose = compose
        self._seen = 0

    def read(self, node: Node, pointer: str, depth: int) -> object:
        self._seen += 1
        if depth > MAX_DEPTH:
            raise self._bad(node, f"nested deeper than {MAX_DEPTH} levels")
        if self._seen > MAX_NODES:
            raise self._bad(node, f"more than {MAX_NODES} values, aliases counted each time")
        self.spots.setdefault(pointer, _spot(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, pointer, depth)
        if isinstance(node, SequenceNode):
            self._check_tag(node, "seq")
            return [self.read(item, f"{pointer}/{at}", depth + 1) for at, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, pointer: str, depth: int) -> dict[str, object]:
        self._check_tag(node, "map")
        found: dict[str, object] = {}
        first: dict[str, int] = {}
        merged: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self._bad(key, "a key is not text")
            if key.tag == _TAG + "merge":
                merged |= self._merge(key, value, pointer, depth)
                continue
            name = str(key.value)
            if name in found:
                raise self._bad(key, f"{name!r} is given twice, first on line {first[name]}")
            first[name] = _line(key)
            place = f"{pointer}/{escape(name)}"
            self.spots[place] = _spot(key)
            found[name] = self.read(value, place, depth + 1)
        return {**merged, **found}

    def _merge(self, key: Node, node: Node, pointer: str, depth: int) -> dict[str, object]:
        """Return what a merge key brings in; of several mappings the earlier one wins, and what was written itself."""
        if not self._compose:
            raise self._bad(key, "merge keys are not read")
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        found: dict[str, object] = {}
        for each in nodes:
            if not isinstance(each, MappingNode):
                raise self._bad(key, "only mappings can be merged")
            found = {**self._mapping(each, pointer, depth + 1), **found}
        return found

    def _scalar(self, node: Node) -> object:
        text = str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "str" | "timestamp":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return self._int(node, text)
            case "float":
                number = float(text.replace("_", "")) if text.lstrip("+-.").lower() not in {"inf", "nan"} else math.nan
                if not math.isfinite(number):
                    raise self._bad(node, f"{text} is not a number to configure anything with")
                return number
            case _ if self._compose:
                return text
            case tag:
                raise self._bad(node, f"the tag {tag} is not read")

    def _int(self, node: Node, text: str) -> int:
        if len(text) > 32:
            raise self._bad(node, f"a number of {len(text)} digits")
        digits = text.replace("_", "").lower()
        base = {"0x": 16, "0o": 8, "0b": 2}.get(digits.lstrip("+-")[:2], 10)
        return int(digits, base)

    def _check_tag(self, node: Node, plain: str) -> None:
        if node.tag != _TAG + plain and not self._compose:
            raise self._bad(node, f"the tag {node.tag} is not read")

    def _bad(self, node: Node, message: str) -> BadDocument:
        return BadDocument(f"{self.file}:{_line(node)}: {message}")
