"""Selectors: text -> requirements -> does this set of labels match?

The grammar (white space is free between tokens):

    selector    = [ requirement { "," requirement } ]      an empty selector matches everything
    requirement = key                                      the label exists
                | "!" key                                  the label does not exist
                | key ( "=" | "==" ) value
                | key "!=" value                           also matches when the label is absent
                | key "in" "(" value { "," value } ")"
                | key "notin" "(" value { "," value } ")"  also matches when the label is absent
    key, value  = a run of letters, digits and . _ / - : + @   ("in" and "notin" are words only after a key)

A comma means AND. The same text is accepted in the API, in YAML, in labels and on the command line. This module
knows nothing of indexes; `index.py` answers the same question for many instances at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

from xds.model.problems import InvalidInput

MAX_SELECTOR = 1024  # characters; longer ones are refused before they are read

_TOKEN = re.compile(r"\s*(?:(?P<op>==|!=|=|!|,|\(|\))|(?P<word>[A-Za-z0-9._/:+@-]+))")


class Operator(StrEnum):
    """How a requirement compares. `NOT_IN` and `ABSENT` hold for a missing label, as in `env!=dev`."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One comparison of one label; `values` is empty for EXISTS and ABSENT, sorted otherwise."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether `labels` satisfy this requirement."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.ABSENT:
                return self.key not in labels

    def __str__(self) -> str:
        """Return the canonical spelling, which parses back to an equal requirement."""
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.ABSENT:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN if len(self.values) == 1:
                return f"{self.key}{'=' if self.operator is Operator.IN else '!='}{self.values[0]}"
            case _:
                return f"{self.key} {self.operator.value} ({','.join(self.values)})"


@dataclass(frozen=True, slots=True)
class Selector:
    """A conjunction of requirements; no requirement at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str, *, pointer: str = "") -> Selector:
        """Read the grammar above; InvalidInput draws a caret under the character where reading stopped."""
        if len(text) > MAX_SELECTOR:
            raise InvalidInput(
                f"selector has {len(text)} characters, at most {MAX_SELECTOR} are allowed", pointer=pointer
            )
        return cls(tuple(_Parser(text, pointer).requirements()))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether `labels` satisfy every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __and__(self, other: Selector) -> Selector:
        """Return the selector that matches where both do."""
        return Selector(self.requirements + other.requirements)

    def __str__(self) -> str:
        """Return the canonical spelling."""
        return ",".join(map(str, self.requirements))


EVERYTHING: Final = Selector()
"""Requires nothing."""


class _Parser:
    """One reading of one text; tokens are looked at before they are taken."""

    def __init__(self, text: str, pointer: str) -> None:
        self._text = text
        self._pointer = pointer
        self._at = 0

    def requirements(self) -> Iterator[Requirement]:
        """requirement { "," requirement }."""
        if not self._text.strip():
            return
        while True:
            yield self._requirement()
            token = self._take()
            if not token:
                return
            if token != ",":
                self._fail(self._at - len(token), "expected ',' or the end")

    def _requirement(self) -> Requirement:
        """[!] key [ op value | in/notin "(" values ")" ]."""
        if self._peek() == "!":
            self._take()
            return Requirement(self._word("a label key"), Operator.ABSENT)
        key = self._word("a label key")
        match self._peek():
            case "=" | "==":
                self._take()
                return Requirement(key, Operator.IN, (self._word("a value"),))
            case "!=":
                self._take()
                return Requirement(key, Operator.NOT_IN, (self._word("a value"),))
            case "in" | "notin" as word:
                self._take()
                return Requirement(key, Operator(word), self._values())
        return Requirement(key, Operator.EXISTS)

    def _values(self) -> tuple[str, ...]:
        """ "(" value { "," value } ")"."""
        if self._peek() != "(":
            self._fail(self._start(), "expected '('")
        self._take()
        values = {self._word("a value")}
        while True:
            token = self._peek()
            if token not in {",", ")"}:
                self._fail(self._start(), "expected ',' or ')'")
            self._take()
            if token == ")":
                return tuple(sorted(values))
            values.add(self._word("a value"))

    def _word(self, what: str) -> str:
        token = self._peek()
        if not token or token in {"==", "!=", "=", "!", ",", "(", ")"}:
            self._fail(self._start(), f"expected {what}")
        return self._take()

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match:
            return match["op"] or match["word"]
        if self._text[self._at :].strip():
            self._fail(self._start(), "this character cannot stand in a selector")
        return ""

    def _take(self) -> str:
        token = self._peek()
        if token:
            self._at = self._start() + len(token)
        return token

    def _start(self) -> int:
        """Return where the next token begins, white space skipped."""
        rest = self._text[self._at :]
        return self._at + len(rest) - len(rest.lstrip())

    def _fail(self, at: int, message: str) -> NoReturn:
        line = "".join(" " if char.isspace() else char for char in self._text)  # a line break would move the caret
        caret = f"{line}\n{' ' * at}^ {message}"
        raise InvalidInput(caret, pointer=self._pointer, code="selector_syntax")
