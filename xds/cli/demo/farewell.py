"""The demo's last words: what broke and where to look, or what to try by hand."""

from __future__ import annotations

from pathlib import Path

from xds.cli.demo.stage import GATEWAY, NEW, SERVICE, Stage
from xds.cli.demo.story import Disappointed


def failure(error: BaseException, logs: Path) -> str:
    """Return which expectation broke, expected and seen, and where the logs are."""
    if isinstance(error, Disappointed):
        what = "\n".join(f"  {broken}" for broken in error.broken)
        return f"NOT everything held:\n{what}\nLogs: {logs}"
    return f"NOT everything held:\n  {error}\nLogs: {logs}"


def things_to_try(stage: Stage, version: str) -> str:
    """Return the addresses of what keeps running, and a canary to `version` by hand."""
    api, gateway = stage.calls.url, f"http://127.0.0.1:{stage.gateway_port}"
    canary = f'{{"service": "{SERVICE}", "version": "{version}"}}'
    sidecars = "\n".join(
        f"  admin of {name}'s sidecar  http://127.0.0.1:{place.admin_port}"
        for name, place in stage.places.items()
        if place.sidecar.is_wanted
    )
    return f"""
Everything keeps running until Ctrl-C.
  API                    {api}
  API, documented        {api}/docs
  gateway "{GATEWAY}"         {gateway}
  admin of the gateway   http://127.0.0.1:{stage.admin_port}
{sidecars}

{NEW} serves everybody; {version} runs beside it and gets nothing yet. Try:
  curl -H 'x-user: ada' {gateway}/
  curl {api}/v1/services/{SERVICE}:explain
  curl {api}/v1/nodes
  curl -X POST {api}/v1/rollouts -H 'content-type: application/json' -d '{canary}'
  curl -X POST {api}/v1/rollouts/ID:set-weight -H 'content-type: application/json' -d '{{"weight": 25}}'
  curl -X POST {api}/v1/rollouts/ID:promote
"""
