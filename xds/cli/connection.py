"""Where the control plane is, and the token to show it: what the global options say, kept until somebody needs it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from xds.cli.client import Client

DEFAULT_SERVER: Final = "http://127.0.0.1:15080"


@dataclass(frozen=True, slots=True)
class Connection:
    """The control plane's URL and the file that holds its token ("" for none)."""

    server: str = DEFAULT_SERVER
    token_file: str = ""

    @property
    def token(self) -> str:
        """Return the token of the file, or of FAIRLEAD_TOKEN, or "" ; InvalidInput when it cannot be read."""
        from xds.config import read_token

        return read_token(os.environ, self.token_file)

    def client(self) -> Client:
        """Return an HTTP client; close it, or use it as a context manager."""
        from xds.cli.client import Client

        return Client(self.server, self.token)


def connection(ctx: typer.Context) -> Connection:
    """Return what the global options said."""
    found = ctx.find_object(Connection)
    return found if isinstance(found, Connection) else Connection()
