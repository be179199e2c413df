"""`completion`: the script by which a shell completes commands, options, kinds and names; typer answers it.

Names are asked of the control plane that the command line names, for half a second; without an answer there are none.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, MutableMapping
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final

import typer

PROGRAM: Final = "fairlead"
VARIABLE: Final = "_FAIRLEAD_COMPLETE"
MOST: Final = 200  # names to choose from
BASH: Final = f"""_{PROGRAM}_completion() {{
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_LINE="${{COMP_LINE:0:COMP_POINT}}" {VARIABLE}=complete_bash "$1" ) )
}}
complete -o default -F _{PROGRAM}_completion {PROGRAM}"""
"""It tells the line, for bash itself breaks words at `:` and `=`, as in a URL."""
AUTOLOADED: Final = f"""
# From a folder of $fpath this file is itself the function that zsh calls, so the first question is answered here.
if [[ $funcstack[1] == _{PROGRAM} ]]; then
  _{PROGRAM}_completion "$@"
fi"""


class Shell(StrEnum):
    """A shell that can be told how to complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Whose script to print.")]) -> None:
    """Print a shell's script that completes commands, options, kinds and the names of objects.

    bash: `source <(fairlead completion bash)` in ~/.bashrc. zsh: `fairlead completion zsh > "${fpath[1]}/_fairlead"`.
    fish: `fairlead completion fish > ~/.config/fish/completions/fairlead.fish`.
    """
    if shell is Shell.BASH:
        typer.echo(BASH)
        return

    from typer import completion as parts

    write = parts.get_completion_script  # type: ignore[attr-defined]  # as typer's own --show-completion calls it
    typer.echo(write(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value))
    if shell is Shell.ZSH:
        typer.echo(AUTOLOADED)


def prepare(env: MutableMapping[str, str]) -> None:
    """Let typer answer a shell, if it is one that asks: it does so by itself only for an option of its own."""
    if VARIABLE not in env:
        return

    from typer import completion as parts

    if (line := env.get("COMP_LINE")) is not None:  # bash; the word that is completed is the last one, or a new one
        env["COMP_WORDS"], env["COMP_CWORD"] = line, str(len(_words(line)) - (not line[-1:].isspace()))
    parts.completion_init()  # type: ignore[attr-defined]  # as typer calls it for its own option


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # in the middle of a quotation
        return line.split()


def kinds(incomplete: str) -> list[str]:
    """Return the kinds of objects that begin so."""
    from xds.cli.kinds import KINDS

    return [plural for plural in KINDS if plural.startswith(incomplete)]


def names_of_kind(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of objects of the kind that stands before."""
    return _names(ctx, str(ctx.params.get("kind") or ""), incomplete)


def services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of services that begin so."""
    return _names(ctx, "services", incomplete)


def overlays(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of overlays that begin so."""
    return _names(ctx, "overlays", incomplete)


def services_and_containers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of services and containers that begin so."""
    return [*_names(ctx, "services", incomplete), *_names(ctx, "containers", incomplete)]


def _names(ctx: typer.Context, kind: str, incomplete: str) -> list[str]:
    try:
        return list(islice(_asked(ctx, kind, incomplete), MOST))
    except Exception:  # noqa: BLE001 - nobody who presses the tabulator wants to read what went wrong
        return []


def _asked(ctx: typer.Context, kind: str, incomplete: str) -> Iterator[str]:
    import httpx

    from xds.cli.connection import DEFAULT_SERVER, Connection
    from xds.cli.kinds import KINDS, kind_of

    plural = kind_of(kind)
    root = ctx.find_root().params
    known = Connection(str(root.get("server") or DEFAULT_SERVER).rstrip("/"), str(root.get("token_file") or ""))
    headers = {"authorization": f"Bearer {known.token}"} if known.token else {}
    listed = KINDS[plural]
    query = {"env": str(ctx.params.get("env") or "default")} if listed.in_env else {}
    answer = httpx.get(f"{known.server}/v1/{plural}", params=query, headers=headers, timeout=0.5, trust_env=False)
    for row in answer.json()["items"]:
        name = str(row.get("name") or row.get("id") or row.get(listed.named))
        if name.startswith(incomplete):
            yield name


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(completion)
