"""Every error has a status, a code and a pointer (RFC 9457)."""

from __future__ import annotations

import pytest

from xds.api.json_text import BrokenJson
from xds.api.problem_document import SeveralErrors, document, status_of
from xds.model import problems


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (problems.InvalidInput("x"), 422),
        (BrokenJson("x"), 400),
        (problems.NotFound("x"), 404),
        (problems.Forbidden("x"), 403),
        (problems.Conflict("x"), 409),
        (problems.PreconditionFailed("x"), 412),
        (problems.Unavailable("x"), 503),
        (problems.Inconsistent("x"), 500),
        (problems.PeerError("x"), 500),
        (problems.FairleadError("x"), 500),
    ],
)
def test_the_error_tree_maps_to_statuses(error: problems.FairleadError, status: int) -> None:
    assert status_of(error) == status


def test_a_document_says_what_where_and_under_which_code() -> None:
    found = document(problems.Conflict("too old", pointer="/epoch", code="stale_epoch"), request_id="r-1")
    assert found == {
        "type": "urn:fairlead:problem:stale_epoch",
        "title": "Conflict",
        "status": 409,
        "detail": "too old",
        "code": "stale_epoch",
        "pointer": "/epoch",
        "request": "r-1",
    }


def test_several_wrong_fields_are_all_listed_and_the_first_leads() -> None:
    found = document(SeveralErrors([("/a", "one"), ("/b", "two")]))
    assert (found["pointer"], found["detail"]) == ("/a", "one")
    assert found["errors"] == [{"pointer": "/a", "detail": "one"}, {"pointer": "/b", "detail": "two"}]


def test_what_went_wrong_inside_is_not_told_outside() -> None:
    found = document(problems.Inconsistent("cluster /secret/path is missing"), request_id="r-2")
    assert "secret" not in str(found)
    assert "r-2" in str(found["detail"])
