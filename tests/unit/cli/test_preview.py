"""Who sees a new version: as the command line takes it, and in words."""

from __future__ import annotations

import pytest

from xds.cli.exits import Exit, Failed
from xds.cli.preview import preview_of, preview_words


def test_matches_are_read_as_labels_write_them() -> None:
    found = preview_of(["header:x-canary=insider", "header:x-build=^7.", "cookie:beta=~a|b=c", "cookie:all=*"], 12.5)
    assert found == {
        "headers": {"x-canary": {"exact": "insider"}, "x-build": {"prefix": "7."}},
        "cookies": {"beta": {"regex": "a|b=c"}, "all": {"present": True}},
        "mirror": 12.5,
    }
    assert preview_of([], 0) is None


@pytest.mark.parametrize("match", ["x-canary=insider", "query:a=1", "header:=1", "header:a", "header"])
def test_what_is_no_match_says_how_one_is_written(match: str) -> None:
    with pytest.raises(Failed, match="as in header:x-canary=insider") as failed:
        preview_of([match], 0)
    assert failed.value.code is Exit.INVALID


def test_it_is_told_in_words_while_it_lasts() -> None:
    preview = {"headers": {"x": {"present": False}, "a": {"exact": "1"}}, "cookies": {"b": {"regex": "z"}}, "mirror": 5}
    rollout = {"version": "v2", "phase": "holding", "preview": preview}
    assert preview_words(rollout) == [
        "beside that v2 gets requests with header a = 1 or header x absent or cookie b of regex z",
        "beside that v2 gets copies of 5 % of all requests",
    ]
    assert preview_words({**rollout, "phase": "aborting"}) == []
    assert preview_words({**rollout, "preview": None}) == []
