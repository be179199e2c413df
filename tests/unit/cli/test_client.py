"""HTTP from the command line: what is retried, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from xds.cli.client import Client, Refused
from xds.cli.exits import Exit, Failed

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, token: str = "") -> Client:
    return Client("http://127.0.0.1:15080", token, transport=httpx.MockTransport(handler))


def refusal(status: int, **problem: object) -> Refused:
    with pytest.raises(Refused) as caught:
        client(lambda _: httpx.Response(status, json=problem)).get("/v1/services/web")
    return caught.value


def test_a_refusal_is_the_servers_own_words_with_the_field() -> None:
    error = refusal(422, detail="105 is more than 100 percent", pointer="/weight", code="invalid_input")
    assert str(error) == "/weight: 105 is more than 100 percent"
    assert error.code is Exit.INVALID


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (401, 1), (403, 1), (404, 1), (409, 1), (412, 1), (413, 2), (415, 2), (503, 1)]
)
def test_only_input_that_can_never_work_exits_with_2(status: int, code: int) -> None:
    assert refusal(status, detail="no").code == code


def test_a_missing_token_says_how_to_give_one() -> None:
    assert "FAIRLEAD_TOKEN_FILE" in str(refusal(401, detail="this needs a token"))


def test_an_answer_that_is_no_document_is_named() -> None:
    with pytest.raises(Failed, match="is it a Fairlead control plane"):
        client(lambda _: httpx.Response(200, text="<html>")).get("/")
    with pytest.raises(Refused, match="answered 502 Bad Gateway"):
        client(lambda _: httpx.Response(502, text="<html>")).get("/")


def test_the_token_goes_along() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={})

    client(answer, "sesame").get("/")
    client(answer).get("/")
    assert seen == ["Bearer sesame", None]


def test_pages_are_one_list() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        after = request.url.params.get("after")
        return httpx.Response(200, json={"items": [{"id": after or "first"}], "next": None if after else "second"})

    assert [item["id"] for item in client(answer).items("/v1/instances")] == ["first", "second"]


@pytest.mark.parametrize(("method", "tries"), [("GET", 3), ("DELETE", 3), ("POST", 1)])
def test_only_what_may_be_said_twice_is_said_again(method: str, tries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.cli.client._PAUSE_S", 0.0)
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        if len(calls) < 3:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json={})

    try:
        client(answer).request(method, "/v1/instances/a")
    except Failed as error:
        assert "fairlead serve" in str(error)
        assert tries == 1
    assert len(calls) == tries


def test_a_lost_answer_to_a_write_is_reported_and_not_guessed_at() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        raise httpx.ReadError("connection reset", request=request)

    with pytest.raises(Failed, match="may or may not have been done"):
        client(answer).post("/v1/rollouts", {})
    assert calls == ["POST"]


@pytest.mark.parametrize("server", ["127.0.0.1:15080", "ftp://x", "http://[::1", "http://x:port"])
def test_a_server_that_is_no_url_is_refused(server: str) -> None:
    with pytest.raises(Failed) as caught:
        Client(server).get("/")
    assert caught.value.code is Exit.INVALID
