"""Settings of a file as the programs take them, and what they say against them, with the place in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from xds.agent.settings import AgentSettings
from xds.cli.config.file import Configuration, Finding, Place, place_of, read, read_agent
from xds.cli.config.keys import AGENT
from xds.cli.exits import Exit, Failed, complain
from xds.cli.lint.findings import Level
from xds.config import Settings
from xds.model.problems import InvalidInput


def problems(found: Configuration, env: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what a control plane would refuse; it stops at the first, as it would."""
    try:
        Settings.read(found.variables(env), {})
    except InvalidInput as error:
        place = next(place_of(found, error.pointer), _whole(found))
        yield Finding(place, Level.ERROR, error.message)
    yield from agent_problems(found, env, f"{AGENT}.")


def agent_problems(found: Configuration, env: Mapping[str, str], before: str = "") -> Iterator[Finding]:
    """Yield what an agent would refuse of its settings, one after the other; `before` stands before their names."""
    left = dict(found.agent)
    while True:
        try:
            AgentSettings.read(env, {}, left)
        except InvalidInput as error:
            name = error.pointer.strip("/")
            place = found.agent_places.get(name, _whole(found))
            yield Finding(place, Level.ERROR, f"{before}{name}: {error.message}")
            if name in left:
                del left[name]
                continue
        return


def _whole(found: Configuration) -> Place:
    return Place(str(found.files[-1]), 1, 1)


def configured(file: str, overlay: str, env: Mapping[str, str]) -> Configuration:
    """Return what `serve` is told by a file ("" for none); Failed where a key is wrong, outdated ones are said."""
    if not file:
        if overlay:
            raise Failed("--env lays an overlay over a file: name that with --config", Exit.INVALID)
        return Configuration()
    found = read(Path(file), env, overlay)
    wrong = [each for each in found.findings if each.level is Level.ERROR]
    if wrong:
        raise Failed("; ".join(f"{each.place}: {each.message}" for each in wrong), Exit.INVALID)
    for each in found.findings:
        complain(f"{each.place}: {each.message}")
    return found


def configured_agent(path: Path, overlay: str, env: Mapping[str, str]) -> Mapping[str, object]:
    """Return what an agent is told by its file; InvalidInput, with every place, where a key is wrong."""
    found = read_agent(path, env, overlay)
    if found.findings:
        message = "; ".join(f"{each.place}: {each.message}" for each in found.findings)
        raise InvalidInput(message, pointer="/config")
    return found.agent
