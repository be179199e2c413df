"""How a command ends: one number for programs, one sentence on standard error for people.

0  done: the wanted state was reached
1  refused, not found, or the control plane could not be reached
2  invalid input or usage
3  a rollout is blocked or was aborted
4  not reached in time
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

import typer

from xds.model.problems import FairleadError, InvalidInput


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    REFUSED = 1
    INVALID = 2
    BLOCKED = 3
    LATE = 4


INVALID: Final = frozenset({400, 413, 415, 422})
"""HTTP statuses of input that can never be accepted as it is."""

EXITS_HELP: Final = "Exit codes: 0 done, 1 refused or unreachable, 2 invalid input, 3 blocked or aborted, 4 timed out."


class Failed(Exception):
    """A command cannot go on; the text is for a person, the code for a program."""

    def __init__(self, message: str, code: Exit = Exit.REFUSED) -> None:
        """Keep the words and the exit code."""
        super().__init__(message)
        self.code = code


@contextmanager
def reported() -> Iterator[None]:
    """Turn an error that is somebody's fault into its words on standard error and its exit code."""
    try:
        yield
    except Failed as error:
        complain(str(error))
        raise typer.Exit(error.code) from None
    except FairleadError as error:
        complain(words(error))
        raise typer.Exit(Exit.INVALID if isinstance(error, InvalidInput) else Exit.REFUSED) from None
    except BrokenPipeError:
        raise typer.Exit(Exit.REFUSED) from None


def words(error: FairleadError) -> str:
    """Return an error of ours as a sentence; a pointer to an option reads as the option."""
    name = error.pointer.strip("/").replace("_", "-")
    is_option = isinstance(error, InvalidInput) and name and "/" not in name
    return f"--{name}: {error.message}" if is_option else error.message


def complain(message: str) -> None:
    """Say what went wrong on standard error."""
    typer.echo(f"fairlead: {message}", err=True)
