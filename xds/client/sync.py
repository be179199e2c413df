"""The client for programs with threads: one thread of its own keeps what was registered alive."""

from __future__ import annotations

import atexit
import logging
import random
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Final, Unpack

import httpx

from xds.client.document import Details, document
from xds.client.errors import ClientError, Refused, StaleEpoch, Unreachable, read
from xds.client.keeper import Ask, Keeper, Registration, State

TIMEOUT: Final = httpx.Timeout(5.0, connect=2.0)

log = logging.getLogger("fairlead.client")


class Fairlead:
    """One control plane, as an application sees it. Use it as a context manager, or call `close`.

    `url` is where its API is, `token` what it asks for. A control plane that is away is no error: what was registered
    is said again until it is heard. At the end everything is deregistered, also when the interpreter ends without
    `close`.
    """

    def __init__(self, url: str, *, token: str = "", transport: httpx.BaseTransport | None = None) -> None:
        """Open nothing yet; the first registration connects. ValueError for what is no URL."""
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=checked(self.url),
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,  # a proxy for the web is no way to a control plane
        )
        self._keeper = Keeper(random.random)
        self._lock = threading.RLock()  # one request at a time: answers come in the order of the messages' numbers
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        atexit.register(self.close)

    def __enter__(self) -> Fairlead:
        """Return the client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Deregister everything."""
        self.close()

    def register(self, service: str, port: int | None = None, **details: Unpack[Details]) -> Registration:
        """Register an instance and keep it registered; see `Details` for what can be said of it.

        Raises Refused when the control plane says no. When it cannot be reached now, the registration is PENDING and
        goes on being tried.
        """
        with self._lock:
            registration = self._keeper.add(document(service, port, details, self.url))
            try:
                self._begin(registration)
            except Refused:
                self._keeper.gone([registration])
                raise
        return registration

    def update(self, registration: Registration, **changes: Unpack[Details]) -> None:
        """Say something else of an instance, such as its weight or labels; raises as `register` does."""
        with self._lock:
            before = self._keeper.change(registration, changes)
            try:
                self._begin(registration)
            except Refused:
                self._keeper.restore(registration, before)
                raise

    def deregister(self, registration: Registration) -> None:
        """Take an instance out; raises Unreachable when the control plane cannot be told (its lease ends by itself)."""
        with self._lock:
            if registration.id and registration.state is not State.GONE:
                self._carry_out(self._keeper.deregistering(registration), raising=(Unreachable,))
            self._keeper.gone([registration])

    def wait(self, registration: Registration, timeout: float) -> None:
        """Return once it is registered; raises why it is not after so many seconds."""
        deadline = time.monotonic() + timeout
        while registration.state is State.PENDING and time.monotonic() < deadline:
            time.sleep(0.02)
        if registration.state is not State.REGISTERED:
            raise registration.error or Unreachable(f"{self.url} did not answer within {timeout:g} s")

    def close(self) -> None:
        """Deregister everything and end the thread; what cannot be told now ends with its lease. Idempotent."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        with self._lock:
            for ask in self._keeper.leaving():
                self._carry_out(ask)
            self._http.close()

    def _begin(self, registration: Registration) -> None:
        self._carry_out(self._keeper.registering(registration))
        if (refusal := refusal_of(registration)) is not None:
            raise refusal
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="fairlead-client", daemon=True)
            self._thread.start()
        self._wake.set()

    def _carry_out(self, ask: Ask, raising: tuple[type[ClientError], ...] = ()) -> None:
        try:
            answer = self._send(ask)
        except ClientError as error:
            self._keeper.failed(ask, error, time.monotonic())
            if isinstance(error, raising):
                raise
        else:
            self._keeper.answered(ask, answer, time.monotonic())

    def _send(self, ask: Ask) -> dict[str, object]:
        try:
            answer = self._http.request(ask.method, ask.path, json=ask.body)
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.url} does not answer ({str(error) or type(error).__name__})") from None
        return read(answer.status_code, answer.content)

    def _keep(self) -> None:
        while not self._closed:
            with self._lock:
                ask = self._keeper.due(time.monotonic())
                if ask is not None:
                    self._carry_out(ask)
                    report(ask)
                pause = self._keeper.pause(time.monotonic())
            self._wake.wait(min(pause, threading.TIMEOUT_MAX))
            self._wake.clear()


def report(ask: Ask) -> None:
    """Log what the keeping of registrations came to, where it did not come to what was wanted."""
    for registration in ask.about:
        if registration.state is State.LOST:
            log.error("%s is not registered any more: %s", registration.id, registration.error)
        elif registration.error is not None and registration.failures <= 1:
            log.warning("%s: %s", registration.id or registration.document["service"], registration.error)


def refusal_of(registration: Registration) -> Refused | None:
    """Return what the caller is to hear of a first attempt; a control plane that starts (503) is one that is away."""
    error = registration.error
    if not isinstance(error, Refused) or error.status >= 500:
        return None
    return None if isinstance(error, StaleEpoch) and registration.state is State.PENDING else error


def checked(url: str) -> str:
    """Return a URL that HTTP can use; ValueError for another."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        message = f"{url!r} is not a URL: {error}"
        raise ValueError(message) from None
    if found.scheme not in {"http", "https"} or not found.host:
        message = f"{url!r} is not a URL such as http://127.0.0.1:15080"
        raise ValueError(message)
    return url


def exit_on_sigterm() -> None:
    """Let SIGTERM end this program as `sys.exit(143)` does, so that `with` blocks are left and `atexit` runs."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
