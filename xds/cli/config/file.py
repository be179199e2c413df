"""A file of settings read: overlays over it, variables put in, each value with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from xds.agent.settings import AgentSettings
from xds.cli.config.keys import AGENT, VERSION, Key, keys, nearest
from xds.cli.lint.findings import Level
from xds.model.names import is_id
from xds.model.problems import InvalidInput

MAX_BYTES: Final = 1 << 20
_VARIABLE: Final = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-?])([^}]*))?\}|\$\{[^}]*\}?")
_TOKENS: Final = frozenset({"FAIRLEAD_TOKEN", "FAIRLEAD_TOKEN_FILE"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, both numbers from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return it as compilers write it."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong or outdated at a place."""

    place: Place
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class Value:
    """The text of a setting and where it was said."""

    text: str
    place: Place


@dataclass(slots=True)
class Configuration:
    """What a file and its overlay say. `values` are by path; `agent` is the agent's section, as it was read."""

    values: dict[str, Value] = field(default_factory=dict)
    agent: dict[str, object] = field(default_factory=dict)
    agent_places: dict[str, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return everything as variables, those of `env` over the file's; either way to say a token hides the other."""
        hidden = _TOKENS if _TOKENS & {name for name in env if env[name]} else frozenset()
        known = keys()
        told = {known[path].variable: value.text for path, value in self.values.items()}
        return {name: text for name, text in told.items() if name not in hidden} | dict(env)


def read(path: Path, env: Mapping[str, str], overlay: str = "") -> Configuration:
    """Read `fairlead.yaml`, and `fairlead.OVERLAY.yaml` over it; InvalidInput where one of them cannot be read.

    What is wrong with single keys is among the findings, and those keys are left out.
    """
    found = Configuration()
    for file in [path, *([overlay_of(path, overlay)] if overlay else [])]:
        found.files.append(file)
        _Reading(file, env, found).read(load(file))
    return found


def read_agent(path: Path, env: Mapping[str, str], overlay: str = "") -> Configuration:
    """Read the file of an agent, whose settings stand at the top, and its overlay; InvalidInput as `read` has it."""
    found = Configuration()
    for file in [path, *([overlay_of(path, overlay)] if overlay else [])]:
        found.files.append(file)
        _Reading(file, env, found).agent(load(file), "")
    return found


def overlay_of(path: Path, name: str) -> Path:
    """Return the file of an overlay; InvalidInput for a name that is none."""
    if not is_id(name):
        raise InvalidInput(f"{name!r} is no name of an overlay", pointer="/env")
    return path.with_name(f"{path.stem}.{name}{path.suffix}")


def load(path: Path) -> CommentedMap:
    """Return a file's mapping with its places and comments; InvalidInput, with its line, for what is none."""
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"{path} has more than {MAX_BYTES} bytes", pointer="/config")
        said = YAML(typ="rt", pure=True).load(data.decode("utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {(error.strerror or str(error)).lower()}", pointer="/config"
        ) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not text", pointer="/config") from None
    except YAMLError as error:
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        at = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        words = error.problem if isinstance(error, MarkedYAMLError) else str(error)
        raise InvalidInput(f"{at}: {words}", pointer="/config") from None
    if said is None:
        return CommentedMap()
    if not isinstance(said, CommentedMap):
        raise InvalidInput(f"{path} holds no settings: it is a mapping of names to values", pointer="/config")
    return said


def version_of(said: CommentedMap) -> int | None:
    """Return the version of a file's format, 0 where it says none; None for what is no version that there is."""
    version = said.get("version", 0)
    return version if isinstance(version, int) and not isinstance(version, bool) and 0 <= version <= VERSION else None


@dataclass(slots=True)
class _Reading:
    """One file on its way into a configuration."""

    file: Path
    env: Mapping[str, str]
    into: Configuration

    def read(self, said: CommentedMap) -> None:
        version = version_of(said)
        if version is None:
            words = f"version {said['version']!r} is not one of 0 to {VERSION}: this Fairlead is older than the file"
            self.note(said, "version", Level.ERROR, words)
            return
        old = {key.old: key for key in keys().values() if key.old != key.path}
        sections = {path.partition(".")[0] for path in keys() if "." in path}
        for name, value in said.items():
            if name == "version":
                continue
            if name == AGENT and isinstance(value, CommentedMap):
                self.agent(value, f"{AGENT}.")
            elif name in sections and isinstance(value, CommentedMap):
                for inner, number in value.items():
                    self.take(value, inner, number, f"{name}.{inner}")
            elif name in old:
                self.outdated(said, str(name), old[name], version)
                self.take(said, name, value, old[name].path)
            else:
                self.take(said, name, value, str(name))

    def agent(self, section: CommentedMap, before: str) -> None:
        known = [each.name for each in fields(AgentSettings)]
        for name, value in section.items():
            if name in known:
                self.into.agent[name] = self.filled(section, name, value)
                self.into.agent_places[name] = self.place(section, name)
            else:
                words = f"{before}{name} is no setting{nearest(str(name), known)}"
                self.note(section, name, Level.ERROR, words)

    def outdated(self, said: CommentedMap, name: str, key: Key, version: int) -> None:
        words = f"{name} is called {key.path} since version {VERSION}: `fairlead config migrate` rewrites it"
        self.note(said, name, Level.WARNING if version == 0 else Level.ERROR, words)

    def take(self, where: CommentedMap, name: object, value: object, path: str) -> None:
        if path not in keys():
            section = path.partition(".")[0] + "." if "." in path else ""
            known = [each.removeprefix(section) for each in (*keys(), AGENT, "version") if each.startswith(section)]
            known += [] if section else [each.partition(".")[0] for each in keys()]
            hint = nearest(str(name), known)
            self.note(where, name, Level.ERROR, f"{path} is no setting{hint}")
            return
        filled = self.filled(where, name, value)
        if isinstance(filled, dict):
            self.note(where, name, Level.ERROR, f"{path} is one value, not a section")
        elif filled is not None:
            self.into.values[path] = Value(_text(filled), self.place(where, name))

    def filled(self, where: CommentedMap, name: object, value: object) -> object:
        """Return a value with its variables put in; None, and a finding, where one has neither value nor default."""
        if isinstance(value, list):
            return [self.filled(where, name, each) for each in value]
        if not isinstance(value, str):
            return value
        missing: list[str] = []

        def put(match: re.Match[str]) -> str:
            variable, sign, words = match[1], match[2], match[3]
            if match[0] == "$$":
                return "$"
            if variable is None:
                missing.append(f"{match[0]} is no variable: write ${{NAME}}, ${{NAME:-default}}, or $$ for a dollar")
                return ""
            if self.env.get(variable):
                return self.env[variable]
            if sign == "-":
                return words
            missing.append(f"{variable} is not set" + (f": {words}" if words else ", and has no default"))
            return ""

        text = _VARIABLE.sub(put, value)
        for each in missing:
            self.note(where, name, Level.ERROR, each)
        return None if missing else text

    def note(self, where: CommentedMap, name: object, level: Level, message: str) -> None:
        self.into.findings.append(Finding(self.place(where, name), level, message))

    def place(self, where: CommentedMap, name: object) -> Place:
        line, column = where.lc.key(name)
        return Place(str(self.file), line + 1, column + 1)


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return ",".join(map(_text, value)) or "none"
        case _:
            return str(value)


def place_of(found: Configuration, pointer: str) -> Iterator[Place]:
    """Yield where the setting stands that an error points to, if a file says it."""
    name = pointer.strip("/").replace("-", "_")
    for path, key in keys().items():
        if name in {path, key.old} and path in found.values:
            yield found.values[path].place
