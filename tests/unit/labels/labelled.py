"""Containers with labels, as tests write them."""

from __future__ import annotations

from collections.abc import Mapping

from xds.labels.describe import describe
from xds.labels.description import Container, Described, Description

WEB = Container(id="0123456789abcdef", name="shop-web-1", image="example/web:v1", ports=(8080,), networks=("front",))


def described(labels: Mapping[str, str], container: Container = WEB) -> Described:
    """What becomes of a container of `web`; keys are written without the prefix, those with a slash as they are."""
    said = {"service": "web", **labels}
    return describe({_label(key): value for key, value in said.items()}, container)


def understood(labels: Mapping[str, str] = {}, container: Container = WEB) -> Description:
    """The description of a container that is registered, without any problem."""
    found = described(labels, container)
    assert found.problems == ()
    assert found.description is not None
    return found.description


def words(found: Described) -> list[str]:
    """Each problem as `label: message`."""
    return [f"{problem.pointer.removeprefix('/labels/')}: {problem.message}" for problem in found.problems]


def _label(key: str) -> str:
    return key if key.startswith(("com.", "org.", "io.")) else f"fairlead.{key}"
