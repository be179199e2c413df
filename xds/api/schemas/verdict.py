"""Why an instance is as healthy as it is: every source's word with its numbers, and whose decided."""

from __future__ import annotations

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from xds.api.schemas.base import Output

_SIGNAL: JsonDict = {
    "source": "check",
    "health": "unstable",
    "why": "4 of the last 20 answers were bad",
    "numbers": {"answers": 20, "success_rate": 0.8, "p99_ms": 12.5},
}


class SignalOut(Output):
    """One source's word: `lease`, `check`, `traffic`, `breaker` or `runtime`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SIGNAL]})

    source: str
    health: str
    why: str
    numbers: dict[str, float] = Field(description="what the word rests on")


class VerdictOut(Output):
    """What the words come to. The health that Envoys see may follow a second later, when it keeps changing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "health": "unstable",
                    "decided_by": "check",
                    "why": "4 of the last 20 answers were bad",
                    "overruled": [],
                    "signals": [_SIGNAL],
                }
            ]
        }
    )

    health: str
    decided_by: str = Field(description="the source whose word counts, or `nobody`")
    why: str
    overruled: list[str] = Field(description="sources that another one knew better than")
    signals: list[SignalOut]
