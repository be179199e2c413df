"""Host calls on a context: log, time, properties, buffers, and what a filter may do to a stream.

Methods are named as the imports of the module `env`, take their integers and return a status. What the ABI names and
this host does not serve yet (calls to other services) answers UNIMPLEMENTED, so that such modules link.
"""

from __future__ import annotations

from xds.proxywasm.abi import Buffer, LogLevel, Status
from xds.proxywasm.contexts import LocalResponse
from xds.proxywasm.guest import Guest
from xds.proxywasm.memory import MASK
from xds.proxywasm.pairs import BadPairs, decode


class ContextCalls:
    """The calls that act on the current context."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._machine = guest.machine

    def proxy_log(self, level: int, text: int, size: int) -> int:
        """Keeps a line of the log."""
        if not 0 <= level <= LogLevel.CRITICAL:
            return Status.BAD_ARGUMENT
        self._machine.say(LogLevel(level), self._guest.read(text, size))
        return Status.OK

    def proxy_get_log_level(self, out: int) -> int:
        """Everything is worth logging here."""
        self._guest.memory.write_u32(out, LogLevel.TRACE)
        return Status.OK

    def proxy_get_current_time_nanoseconds(self, out: int) -> int:
        """Wall time."""
        self._guest.memory.write_u64(out, self._machine.now_ns())
        return Status.OK

    def proxy_set_tick_period_milliseconds(self, period: int) -> int:
        """Remembers the period; ticks are the caller's to give."""
        self._machine.context.tick_ms = period & MASK
        return Status.OK

    def proxy_get_property(self, path: int, path_size: int, pointer: int, size: int) -> int:
        """A property of the stream, or one that every context has."""
        name = self._guest.read(path, path_size)
        found = self._machine.context.properties.get(name, self._machine.properties.get(name))
        return Status.NOT_FOUND if found is None else self._guest.give(found, pointer, size)

    def proxy_set_property(self, path: int, path_size: int, value: int, size: int) -> int:
        """Filter state of the stream."""
        name = self._guest.read(path, path_size)
        self._machine.context.properties[name] = self._guest.read(value, size)
        return Status.OK

    def proxy_get_buffer_bytes(self, buffer: int, start: int, most: int, pointer: int, size: int) -> int:
        """A part of a buffer; starting past its end gives nothing, and that is OK."""
        start, most = start & MASK, most & MASK
        if start + most > MASK:
            return Status.BAD_ARGUMENT
        content = self._buffer(buffer)
        if content is None:
            return Status.NOT_FOUND
        return self._guest.give(content[start : start + most], pointer, size)

    def proxy_get_buffer_status(self, buffer: int, size_out: int, flags_out: int) -> int:
        """Length of a buffer."""
        content = self._buffer(buffer)
        if content is None:
            return Status.NOT_FOUND
        self._guest.memory.write_u32(size_out, len(content))
        self._guest.memory.write_u32(flags_out, 0)
        return Status.OK

    def proxy_get_configuration(self, pointer: int, size: int) -> int:
        """0.1.0's way to the plugin's configuration."""
        content = self._buffer(Buffer.PLUGIN_CONFIGURATION) or self._buffer(Buffer.VM_CONFIGURATION)
        return self._guest.give(content or b"", pointer, size)

    def _buffer(self, number: int) -> bytes | None:
        buffers = self._machine.context.buffers
        return buffers.get(Buffer(number)) if 0 <= number <= Buffer.FOREIGN_ARGUMENTS else None

    def proxy_send_local_response(
        self,
        status: int,
        _details: int,
        _details_size: int,
        body: int,
        body_size: int,
        headers: int,
        size: int,
        _grpc: int,
    ) -> int:
        """Keeps the answer; it takes effect after the callback has returned."""
        try:
            pairs = decode(self._guest.read(headers, size))
        except BadPairs:
            return Status.BAD_ARGUMENT
        answer = LocalResponse(status & MASK, self._guest.read(body, body_size), tuple(pairs))
        self._machine.context.local_response = answer
        return Status.OK

    def proxy_set_effective_context(self, context: int) -> int:
        """Host calls act on another context until the callback returns."""
        if context & MASK not in self._machine.contexts:
            return Status.BAD_ARGUMENT
        self._machine.current = context & MASK
        return Status.OK

    def proxy_get_status(self, code_out: int, pointer: int, size: int) -> int:
        """No call of another service has answered here, so there is no status but zero."""
        self._guest.memory.write_u32(code_out, 0)
        return self._guest.give(b"", pointer, size)

    def proxy_call_foreign_function(self, *_: int) -> int:
        """Foreign functions are the proxy's own; this host has none."""
        return Status.NOT_FOUND

    def proxy_continue_stream(self, stream: int) -> int:
        """Streams are never held here."""
        return Status.OK if 0 <= stream <= 3 else Status.BAD_ARGUMENT

    proxy_close_stream = proxy_continue_stream

    def proxy_continue_request(self) -> int:
        """0.1.0's form of `proxy_continue_stream`."""
        return Status.OK

    proxy_continue_response = proxy_clear_route_cache = proxy_done = proxy_continue_request

    def pthread_equal(self, one: int, other: int) -> int:
        """Emscripten's comparison of thread ids."""
        return int(one == other)

    def emscripten_notify_memory_growth(self, _memory: int) -> None:
        """The base is asked for at each access, so nothing is to be done."""
