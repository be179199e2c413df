"""The client for asyncio: one task keeps what was registered alive, as long as the `async with` block runs."""

from __future__ import annotations

import asyncio
import random
import time
from math import inf
from types import TracebackType
from typing import Unpack

import httpx

from xds.client.document import Details, document
from xds.client.errors import ClientError, Refused, Unreachable, read
from xds.client.keeper import Ask, Keeper, Registration, State
from xds.client.sync import TIMEOUT, checked, refusal_of, report


class AsyncFairlead:
    """One control plane, as an asyncio application sees it: `async with AsyncFairlead(url) as fairlead: ...`.

    It does what `Fairlead` does, and raises the same.
    """

    def __init__(self, url: str, *, token: str = "", transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Open nothing yet. ValueError for what is no URL."""
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=checked(self.url),
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            transport=transport,
            trust_env=False,  # a proxy for the web is no way to a control plane
        )
        self._keeper = Keeper(random.random)
        self._lock = asyncio.Lock()  # one request at a time: answers come in the order of the messages' numbers
        self._wake = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncFairlead:
        """Start to keep what will be registered."""
        await self._tasks.__aenter__()
        self._task = self._tasks.create_task(self._keep(), name="fairlead-client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Deregister everything; what cannot be told now ends with its lease."""
        try:
            if self._task is not None:
                self._task.cancel()
            async with self._lock:
                for ask in self._keeper.leaving():
                    await self._carry_out(ask)
        finally:
            await self._http.aclose()
            ours = kind is not None and issubclass(kind, asyncio.CancelledError)
            await self._tasks.__aexit__(*((kind, error, at) if ours else (None, None, None)))

    async def register(self, service: str, port: int | None = None, **details: Unpack[Details]) -> Registration:
        """Register an instance and keep it registered, as `Fairlead.register` does."""
        said = document(service, port, details, self.url)
        async with self._lock:
            registration = self._keeper.add(said)
            try:
                await self._begin(registration)
            except Refused:
                self._keeper.gone([registration])
                raise
        return registration

    async def update(self, registration: Registration, **changes: Unpack[Details]) -> None:
        """Say something else of an instance, such as its weight or labels; raises as `register` does."""
        async with self._lock:
            before = self._keeper.change(registration, changes)
            try:
                await self._begin(registration)
            except Refused:
                self._keeper.restore(registration, before)
                raise

    async def deregister(self, registration: Registration) -> None:
        """Take an instance out; raises Unreachable when the control plane cannot be told (its lease ends by itself)."""
        async with self._lock:
            if registration.id and registration.state is not State.GONE:
                await self._carry_out(self._keeper.deregistering(registration), raising=(Unreachable,))
            self._keeper.gone([registration])

    async def wait(self, registration: Registration, timeout: float) -> None:  # noqa: ASYNC109 - as in `Fairlead`
        """Return once it is registered; raises why it is not after so many seconds."""
        deadline = time.monotonic() + timeout
        while registration.state is State.PENDING and time.monotonic() < deadline:  # noqa: ASYNC110 - whoever moves it
            await asyncio.sleep(0.02)
        if registration.state is not State.REGISTERED:
            raise registration.error or Unreachable(f"{self.url} did not answer within {timeout:g} s")

    async def _begin(self, registration: Registration) -> None:
        await self._carry_out(self._keeper.registering(registration))
        if (refusal := refusal_of(registration)) is not None:
            raise refusal
        self._wake.set()

    async def _carry_out(self, ask: Ask, raising: tuple[type[ClientError], ...] = ()) -> None:
        try:
            answer = await self._send(ask)
        except ClientError as error:
            self._keeper.failed(ask, error, time.monotonic())
            if isinstance(error, raising):
                raise
        else:
            self._keeper.answered(ask, answer, time.monotonic())

    async def _send(self, ask: Ask) -> dict[str, object]:
        try:
            answer = await self._http.request(ask.method, ask.path, json=ask.body)
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.url} does not answer ({str(error) or type(error).__name__})") from None
        return read(answer.status_code, answer.content)

    async def _keep(self) -> None:
        while True:
            async with self._lock:
                ask = self._keeper.due(time.monotonic())
                if ask is not None:
                    await self._carry_out(ask)
                    report(ask)
                pause = self._keeper.pause(time.monotonic())
            self._wake.clear()
            try:
                async with asyncio.timeout(None if pause == inf else pause):
                    await self._wake.wait()
            except TimeoutError:
                continue
