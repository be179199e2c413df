"""Results of batches as JSON text: most of them are two fields that need no escaping, and are written as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable

from starlette.responses import Response

from xds.api import problem_document
from xds.model.problems import FairleadError

_FAILED = '"error":'


def refused(name: str | None, error: FairleadError) -> str:
    """Return why an item was refused; `name` is its id, None where nobody knows it."""
    named = {} if name is None else {"id": name}
    return json.dumps({**named, "error": problem_document.document(error)}, ensure_ascii=False, separators=(",", ":"))


def many(results: Iterable[str]) -> Response:
    """Return the answer to a batch."""
    found = [*results]
    failed = sum(_FAILED in result for result in found)
    content = f'{{"results":[{",".join(found)}],"failed":{failed}}}'
    return Response(content.encode("utf-8", "replace"), media_type="application/json")
