"""What the value of a label may be: one reader for each type, and the type's name for people.

A reader takes text of any length and content, and returns a value or raises InvalidInput that says what is wrong and at
which character. Characters that cannot be seen are refused before any reader looks: they are line breaks, NUL, marks
that reverse text, and what else makes a value look like another one.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from xds.model.analysis import LONGEST_ANSWER
from xds.model.duration import read_duration
from xds.model.instance import Address, check_host
from xds.model.labels import MAX_VALUE
from xds.model.names import check_id
from xds.model.problems import InvalidInput
from xds.model.route import MatchKind
from xds.model.split import KeySource, SplitKey, weight_from_percent
from xds.net.targets import never_called

T = TypeVar("T")
_Word = TypeVar("_Word", bound=StrEnum)
_FLAGS: Final = {"true": True, "on": True, "false": False, "off": False}
_TEMPLATE: Final = re.compile(r"\$\{|\{\{")
_NOT_IN_BOUNDS: Final = re.compile(r"[^0-9.a-z]")
_HUNDREDTHS: Final = re.compile(r"\d{1,3}(\.\d{1,2})?\Z")
_SECONDS: Final = re.compile(r"\d{1,9}(\.\d{1,6})?\Z")
_MATCHES: Final = {"~": MatchKind.REGEX, "^": MatchKind.PREFIX}
ADDRESSES: Final = ("auto", "container", "published", "host")


@dataclass(frozen=True, slots=True)
class Type(Generic[T]):
    """A type of values: its name for people, and how text becomes one."""

    name: str
    read: Callable[[str], T]


def check_text(text: str) -> str:
    """Return text that can be shown as it is; InvalidInput for what is too long, invisible or a template left over."""
    if len(text) > MAX_VALUE:
        raise InvalidInput(f"{len(text)} characters, at most {MAX_VALUE} are allowed")
    for at, char in enumerate(text):
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}:
            raise InvalidInput(f"the character U+{ord(char):04X} at position {at + 1} is not allowed")
    if found := _TEMPLATE.search(text):
        raise InvalidInput(f"a template that nobody filled in, at position {found.start() + 1}")
    return text


def shown(text: str) -> str:
    """Return the beginning of a value in quotes, with everything that cannot be seen escaped."""
    return ascii(text[:64])


def _flag(text: str) -> bool:
    if text not in _FLAGS:
        raise InvalidInput(f"{shown(text)} is neither true nor false")
    return _FLAGS[text]


def _id(text: str) -> str:
    return check_id(text, pointer="", what="name")


def _seconds(text: str) -> float:
    if _SECONDS.match(text):
        return float(text)
    try:
        return read_duration(text)
    except ValueError:
        raise InvalidInput(f"{shown(text)} is not a duration, as in 500ms, 5s or 2m") from None


def _items(text: str) -> tuple[str, ...]:
    """Return what stands between commas; InvalidInput where nothing does."""
    found = tuple(item for part in text.split(",") if (item := part.strip()))
    if not found:
        raise InvalidInput("nothing stands between the commas" if text else "it is empty")
    return found


def _steps(text: str) -> tuple[int, ...]:
    steps = tuple(weight_from_percent(item, pointer="") for item in _items(text))
    if any(later <= before for before, later in itertools.pairwise(steps)):
        raise InvalidInput("steps grow from one to the next, as in 1,5,25,50,100")
    return steps


def _path(text: str) -> str:
    if "://" in text:
        raise InvalidInput(f"{shown(text)} is a URL; only a path can be said here, the address is the container's own")
    if not text.startswith("/"):
        raise InvalidInput(f"{shown(text)} does not begin with '/', at position 1")
    return text


def _key(text: str) -> SplitKey:
    kind, _, name = text.partition(":")
    if text in {"source-ip", "source"}:
        return SplitKey()
    if kind not in {"header", "cookie"}:
        raise InvalidInput(f"{shown(text)} is not header:NAME, cookie:NAME or source-ip")
    return SplitKey(KeySource(kind), name.strip())


def _address(text: str) -> str:
    return text if text in ADDRESSES else _reachable(check_host(text, pointer=""))


def _ingress(text: str) -> Address:
    """Return where a sidecar listens; without a host it is the address of whoever says so."""
    if ":" not in text:
        return Address("", PORT.read(text))
    place = Address.parse(text, pointer="")
    return Address(_reachable(place.host), place.port)


def _reachable(host: str) -> str:
    """Return an address that users may be sent to; whoever writes a label does not open a metadata service to them."""
    if reason := never_called(host):
        raise InvalidInput(f"{host} is not called: {reason}")
    return host


def _match(text: str) -> tuple[MatchKind, str]:
    """Return how a header, cookie or parameter is compared: `acme`, `~re`, `^prefix`, `*` present, `!` absent."""
    if text in {"*", "!"}:
        return (MatchKind.PRESENT if text == "*" else MatchKind.ABSENT), ""
    kind = _MATCHES.get(text[:1])
    return (MatchKind.EXACT, text) if kind is None else (kind, text[1:])


def _bound(sign: str, unit: str, example: str, read: Callable[[str], T]) -> Callable[[str], T]:
    """Return the reader of a bound: a value with or without its sign before it and its unit behind it."""

    def bound(text: str) -> T:
        start = len(sign) if text.startswith(sign) else 0
        rest = text[start:]
        number = rest.strip().removesuffix(unit).rstrip()
        at = start + len(rest) - len(rest.lstrip())
        if number[:1] in {"<", ">", "="}:
            raise InvalidInput(f"{shown(text)} begins with another sign than {sign}, at position {at + 1}")
        if found := _NOT_IN_BOUNDS.search(number):
            where = f"{shown(found[0])} at position {at + found.start() + 1}"
            raise InvalidInput(f"{shown(text)} is no bound such as {example}: {where} is not allowed")
        try:
            return read(number)
        except InvalidInput as error:
            raise InvalidInput(f"{error.message}, at position {at + 1}, as in {example}") from None

    return bound


def _percent(text: str) -> int:
    if not _HUNDREDTHS.match(text):
        raise InvalidInput(f"{shown(text)} is no number with two decimals at most")
    return weight_from_percent(float(text), pointer="")


def _answer_time(text: str) -> float:
    seconds = _seconds(text)
    if not 0 < seconds <= LONGEST_ANSWER:
        raise InvalidInput(f"{shown(text)} is no time that an answer may take")
    return seconds


def whole(least: int, most: int) -> Type[int]:
    """Return the type of whole numbers within bounds."""
    return Type(f"whole number, {least} to {most}", lambda text: _whole(text, least, most))


def whole_percent(least: int) -> Type[int]:
    """Return the type of whole percent; the sign may be left out."""
    return Type(f"whole percent, {least} to 100", lambda text: _whole(text.removesuffix("%"), least, 100))


def _whole(text: str, least: int, most: int) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(text) <= 18):
        raise InvalidInput(f"{shown(text)} is not a whole number")
    if not least <= int(text) <= most:
        raise InvalidInput(f"{shown(text)} is not between {least} and {most}")
    return int(text)


def one_of(words: type[_Word]) -> Type[_Word]:
    """Return the type of one of several words."""
    allowed = [word.value for word in words]

    def read(text: str) -> _Word:
        if text not in allowed:
            raise InvalidInput(f"{shown(text)} is none of {', '.join(allowed)}")
        return words(text)

    return Type(" or ".join(f"`{word}`" for word in allowed), read)


FLAG: Final = Type("`true` or `false`", _flag)
ID: Final = Type("name", _id)
TEXT: Final = Type("text", str)
PORT: Final = whole(1, 65_535)
SECONDS: Final = Type("duration", _seconds)
PERCENT: Final = Type("percent, two decimals at most", lambda text: weight_from_percent(text, pointer=""))
ITEMS: Final = Type("list", _items)
STEPS: Final = Type("list of percent", _steps)
PATH: Final = Type("path", _path)
KEY: Final = Type("`header:NAME`, `cookie:NAME` or `source-ip`", _key)
ADDRESS: Final = Type("`auto`, `container`, `published`, `host` or an IP address", _address)
INGRESS: Final = Type("port, or IP address with a port", _ingress)
MATCH: Final = Type("`value`, `~regex`, `^prefix`, `*` (present) or `!` (absent)", _match)
LEAST_RATE: Final = Type("`>=` percent", _bound(">=", "%", ">=99", _percent))
MOST_DELTA: Final = Type("`<=` percentage points", _bound("<=", "pp", "<=0.5pp", _percent))
MOST_TIME: Final = Type("`<=` duration", _bound("<=", "", "<=500ms", _answer_time))
