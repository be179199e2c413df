"""The container engine: whether it is there, and whether this user may ask it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from xds.cli.doctor.finding import Finding, error, note, ok
from xds.model.problems import InvalidInput
from xds.sources.docker.endpoint import SOCKET, Endpoint
from xds.sources.docker.engine import Engine, EngineError

ABOUT = "engine"


def examine(text: str, certificates: str, *, inside: bool) -> Iterator[Finding]:
    """Look at the engine that DOCKER_HOST or --docker names ("" for the usual socket); `inside` a container."""
    asked = bool(text)
    try:
        endpoint = Endpoint.parse(text or SOCKET, certificates)
    except InvalidInput as problem:
        yield error(ABOUT, problem.message, "mend DOCKER_HOST or --docker, and --certificates for TLS: docs/docker.md")
        return
    if endpoint.path and (found := _socket(Path(endpoint.path), asked=asked, inside=inside)) is not None:
        yield found
        return
    yield asyncio.run(_ask(endpoint))


def _socket(path: Path, *, asked: bool, inside: bool) -> Finding | None:
    """Return what is wrong with a socket before anybody speaks through it."""
    mount = f"only an agent needs one: start its container with -v {path}:{path}" if inside else ""
    try:
        mode = path.stat()
    except PermissionError as problem:
        return error(ABOUT, f"{path} cannot be looked at: {problem.strerror}", _join(None))
    except OSError:
        says = f"there is no {path}"
        if not asked:
            return note(ABOUT, f"{says}: no engine here, or somewhere else", mount or "DOCKER_HOST names another place")
        return error(ABOUT, says, mount or "start the engine (systemctl start docker), or mend DOCKER_HOST or --docker")
    if not stat.S_ISSOCK(mode.st_mode):
        what = "a folder" if stat.S_ISDIR(mode.st_mode) else "a file"
        fix = "Docker makes a folder where the source of a -v does not exist: start the engine first, remove the folder"
        return error(ABOUT, f"{path} is {what}, not a socket", fix)
    if not os.access(path, os.R_OK | os.W_OK):
        return error(ABOUT, f"this user ({os.getuid()}) may not use {path}", _join(mode.st_gid, inside=inside))
    return None


def _join(group: int | None, *, inside: bool = False) -> str:
    if inside:
        return f"start the container with --group-add {group} (group_add in a compose file): the socket's group"
    return (
        f"join the socket's group ({'docker' if group is None else group}): sudo usermod -aG docker $USER, and log in "
        "again; who may use it is root on this host"
    )


async def _ask(endpoint: Endpoint) -> Finding:
    try:
        async with Engine(endpoint) as engine:
            await engine.negotiate()
            running = len(await engine.running())
    except InvalidInput as problem:
        return error(ABOUT, problem.message, "name a folder with ca.pem, cert.pem and key.pem of this engine")
    except EngineError as problem:
        return error(ABOUT, str(problem), _mend(str(problem)))
    return ok(ABOUT, f"{endpoint} answers: Docker Engine {engine.version}, {running} containers run")


def _mend(words: str) -> str:
    if "no Docker Engine" in words or "is not JSON" in words or " for /" in words:
        return "something else listens there: mend DOCKER_HOST or --docker"
    if "of the API" in words:
        return "update the engine"
    if "CERTIFICATE" in words or "certificate" in words:
        return "the engine's certificate is not of this ca.pem: copy ca.pem, cert.pem and key.pem from its host"
    return "start the engine (systemctl start docker), or mend DOCKER_HOST or --docker"
