"""Regular expressions as Envoy will judge them: RE2 syntax, and a limit on the size of the compiled program.

Envoy refuses a whole resource for one bad expression; here it costs the object that carries it. The limit is Envoy's
default for the runtime key `re2.max_program_size.error_level`.
"""

from __future__ import annotations

import functools

import re2

from xds.model.problems import InvalidInput

MAX_PROGRAM_SIZE = 100

_META = frozenset("\\.+*?()|[]{}^$")


@functools.lru_cache(maxsize=4096)
def _verdict(pattern: str) -> str:
    """Return what is wrong with `pattern`, or nothing."""
    if not pattern:
        return "an empty regular expression"
    options = re2.Options()
    options.log_errors = False
    try:
        size = re2.compile(pattern, options).programsize
    except re2.error as error:
        return f"not a regular expression of RE2: {_words(error)}"
    if size > MAX_PROGRAM_SIZE:
        return f"compiles to {size} steps, Envoy allows {MAX_PROGRAM_SIZE}: simplify it"
    return ""


def _words(error: re2.error) -> str:
    first = error.args[0] if error.args else error
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def check_regex(pattern: str, *, pointer: str) -> str:
    """Return `pattern` if Envoy would accept it; InvalidInput at `pointer` with RE2's own words otherwise."""
    if wrong := _verdict(pattern):
        raise InvalidInput(f"{pattern[:80]!r}: {wrong}", pointer=pointer, code="regex")
    return pattern


def literal(text: str) -> str:
    """Return the expression that matches exactly `text`."""
    return "".join(f"\\{char}" if char in _META else char for char in text)
