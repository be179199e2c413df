"""The demo's last words: what broke and where to look, or what to try by hand."""

from __future__ import annotations

from pathlib import Path

from xds.cli.demo.stage import GATEWAY, NEW, OLD, SERVICE, Stage
from xds.cli.demo.story import Disappointed


def failure(error: BaseException, logs: Path, fallen: str = "") -> str:
    """Return which expectation broke, expected and seen, and where the logs are; `fallen` is a program that ended."""
    broken = error.broken if isinstance(error, Disappointed) else (error,)
    lines = [str(each) for each in broken]
    if fallen and fallen not in lines:
        lines.append(fallen)
    return "\n".join(["NOT everything held:", *(f"  {line}" for line in lines), f"Logs: {logs}"])


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

Gates wait for {OLD}'s sidecar for a minute after its end: it might come back.
{NEW} serves everybody; {version} runs beside it and gets nothing yet. Try:
  curl -H 'x-user: ada' {gateway}/
  curl {api}/v1/services/{SERVICE}:explain
  curl {api}/v1/nodes
  curl -X POST {api}/v1/rollouts -H 'content-type: application/json' -d '{canary}'
  curl -X POST {api}/v1/rollouts/ID:set-weight -H 'content-type: application/json' -d '{{"weight": 25}}'
  curl -X POST {api}/v1/rollouts/ID:promote
"""
