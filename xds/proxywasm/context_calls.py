"""Host calls on a context: log, time, properties, buffers, and what a filter may do to a stream.

Methods are named as the imports of the module `env`, take their integers and return a status.
"""

from __future__ import annotations

from typing import Final

from xds.proxywasm.abi import Buffer, LogLevel, Status, StreamType
from xds.proxywasm.contexts import LocalReply
from xds.proxywasm.foreign import BUILT_IN
from xds.proxywasm.guest import Guest
from xds.proxywasm.machine import LONGEST_LOG_LINE
from xds.proxywasm.memory import MASK
from xds.proxywasm.pairs import BadPairs, decode

MOST_FILTER_STATE: Final = 1_024
"""Names that a context may set by `proxy_set_property`."""

NO_GRPC_STATUS: Final = MASK
_NS_PER_MS: Final = 1_000_000
_SERVED_BY_ROOT: Final = Buffer.HTTP_CALL_BODY
"""From this buffer on, content is the root's, whichever context is current."""


class ContextCalls:
    """The calls that act on the current context."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._machine = guest.machine

    def proxy_log(self, level: int, text: int, size: int) -> int:
        """Keeps a line of the log; what is too long is checked whole and kept in part."""
        if not 0 <= level <= LogLevel.CRITICAL:
            return Status.BAD_ARGUMENT
        self._guest.memory.check(text, size)
        self._machine.say(LogLevel(level), self._guest.read(text, min(size & MASK, LONGEST_LOG_LINE)))
        return Status.OK

    def proxy_get_log_level(self, out: int) -> int:
        """The least level that is worth logging."""
        self._guest.memory.write_u32(out, self._machine.host.level)
        return Status.OK

    def proxy_get_current_time_nanoseconds(self, out: int) -> int:
        """Wall time."""
        self._guest.memory.write_u64(out, self._machine.host.now_ns())
        return Status.OK

    def proxy_set_tick_period_milliseconds(self, period: int) -> int:
        """Sets the one timer of the current root; 0 ends it."""
        root = self._machine.root
        root.tick_ms = period & MASK
        root.tick_due_ns = self._machine.host.now_ns() + root.tick_ms * _NS_PER_MS
        return Status.OK

    def proxy_get_property(self, path: int, path_size: int, pointer: int, size: int) -> int:
        """A property of the stream, or else what the guest itself has set."""
        context, name = self._machine.context, self._guest.read(path, path_size)
        found = context.find_property(name)
        if found is None:
            found = context.filter_state.get(name)
        return Status.NOT_FOUND if found is None else self._guest.give(found, pointer, size)

    def proxy_set_property(self, path: int, path_size: int, value: int, size: int) -> int:
        """Filter state of the stream; what the proxy itself says cannot be changed by it."""
        state, name = self._machine.context.filter_state, self._guest.read(path, path_size)
        if size & MASK > self._machine.limits.body_bytes:
            return Status.BAD_ARGUMENT
        if name not in state and len(state) >= MOST_FILTER_STATE:
            return Status.INTERNAL_FAILURE
        state[name] = self._guest.read(value, size)
        return Status.OK

    def proxy_get_buffer_bytes(self, buffer: int, start: int, most: int, pointer: int, size: int) -> int:
        """A part of a buffer; starting past its end gives nothing, and that is OK."""
        start, most = start & MASK, most & MASK
        if start + most > MASK:
            return Status.BAD_ARGUMENT
        content = self._buffer(buffer)
        if content is None:
            return Status.NOT_FOUND
        return self._guest.give(bytes(content[start : start + most]), pointer, size)

    def proxy_get_buffer_status(self, buffer: int, size_out: int, flags_out: int) -> int:
        """Length of a buffer."""
        content = self._buffer(buffer)
        if content is None:
            return Status.NOT_FOUND
        self._guest.memory.write_u32(size_out, len(content))
        self._guest.memory.write_u32(flags_out, 0)
        return Status.OK

    def proxy_set_buffer_bytes(self, buffer: int, start: int, size: int, data: int, data_size: int) -> int:
        """Writes into a buffer: size 0 at 0 prepends, a start at or past the end appends, all else replaces."""
        content = self._buffer(buffer)
        if content is None:
            return Status.NOT_FOUND
        start, size = start & MASK, size & MASK
        if isinstance(content, bytes) or len(content) + (data_size & MASK) > self._most_of(content):
            return Status.BAD_ARGUMENT
        if start < len(content) and start + size > len(content):
            size = len(content) - start
        content[start : start + size] = self._guest.read(data, data_size)
        return Status.OK

    def _most_of(self, content: bytearray) -> int:
        """A guest may replace a body by one as long, and make a short one as long as the limit."""
        return self._machine.limits.body_bytes + len(content)

    def proxy_get_configuration(self, pointer: int, size: int) -> int:
        """0.1.0's way to the configuration of the plugin, or of the VM before that."""
        content = self._buffer(Buffer.PLUGIN_CONFIGURATION)
        if content is None:
            content = self._buffer(Buffer.VM_CONFIGURATION) or b""
        return self._guest.give(bytes(content), pointer, size)

    def _buffer(self, number: int) -> bytes | bytearray | None:
        if not 0 <= number <= Buffer.FOREIGN_ARGUMENTS:
            return None
        context = self._machine.root if number >= _SERVED_BY_ROOT else self._machine.context
        return context.buffers.get(Buffer(number))

    def proxy_send_local_response(  # noqa: PLR0913, PLR0917 - as in the ABI
        self, status: int, details: int, details_size: int, body: int, body_size: int,
        headers: int, size: int, grpc: int,
    ) -> int:  # fmt: skip
        """Keeps the answer; it takes effect after the callback has returned, whose result then counts no more."""
        context = self._machine.context
        if body_size & MASK > self._machine.limits.body_bytes:
            return Status.BAD_ARGUMENT
        try:
            pairs = decode(self._guest.read(headers, size))
        except BadPairs:
            return Status.BAD_ARGUMENT
        words = self._guest.read(details, details_size)[:LONGEST_LOG_LINE].decode("utf-8", "replace")
        answer = LocalReply(
            status & MASK,
            self._guest.read(body, body_size),
            tuple(pairs),
            words,
            None if grpc & MASK == NO_GRPC_STATUS else grpc & MASK,
        )
        flow = context.flow
        if flow is None:
            return Status.BAD_ARGUMENT
        context.stopping = True
        self._machine.defer(lambda: flow.reply(answer))
        return Status.OK

    def proxy_set_effective_context(self, context: int) -> int:
        """Host calls act on another context until the callback returns."""
        if context & MASK not in self._machine.contexts:
            return Status.BAD_ARGUMENT
        self._machine.current = context & MASK
        return Status.OK

    def proxy_done(self) -> int:
        """A root that asked for time at its end needs no more."""
        done = self._machine.root.on_done
        if done is None:
            return Status.NOT_FOUND
        self._machine.defer(done)
        return Status.OK

    def proxy_get_status(self, code_out: int, pointer: int, size: int) -> int:
        """Status and words of the call whose callback this is."""
        code, words = self._machine.root.status
        self._guest.memory.write_u32(code_out, code)
        return self._guest.give(words, pointer, size)

    def proxy_call_foreign_function(  # noqa: PLR0913 - as in the ABI
        self, name: int, name_size: int, data: int, size: int, pointer: int, size_out: int
    ) -> int:
        """A function of the proxy by name: one that the host was given, or else a built-in one."""
        wanted, arguments = self._guest.read(name, name_size).decode("utf-8", "replace"), self._guest.read(data, size)
        if wanted == "clear_route_cache":
            self._machine.context.route_cleared = True
            return self._guest.give(b"", pointer, size_out) if pointer and size_out else Status.OK
        function = self._machine.host.foreign.get(wanted) or BUILT_IN.get(wanted)
        if function is None:
            return Status.NOT_FOUND
        result = function(arguments)
        if result is None:
            return Status.BAD_ARGUMENT
        return self._guest.give(result, pointer, size_out) if pointer and size_out else Status.OK

    def proxy_continue_stream(self, stream: int) -> int:
        """Goes on where the guest paused, after the callback has returned."""
        if not 0 <= stream <= StreamType.UPSTREAM:
            return Status.BAD_ARGUMENT
        flow = self._machine.context.flow
        if flow is None:
            return Status.BAD_ARGUMENT
        self._machine.defer(lambda: flow.resume(StreamType(stream)))
        return Status.OK

    def proxy_close_stream(self, stream: int) -> int:
        """Resets the stream, after the callback has returned."""
        context = self._machine.context
        flow = context.flow
        if not 0 <= stream <= StreamType.UPSTREAM or flow is None:
            return Status.BAD_ARGUMENT
        context.stopping = True
        self._machine.defer(lambda: flow.reset(StreamType(stream)))
        return Status.OK

    def proxy_continue_request(self) -> int:
        """0.1.0's form of `proxy_continue_stream`."""
        return self.proxy_continue_stream(StreamType.REQUEST)

    def proxy_continue_response(self) -> int:
        """The same for the response."""
        return self.proxy_continue_stream(StreamType.RESPONSE)

    def proxy_clear_route_cache(self) -> int:
        """0.1.0's way to have the route chosen again."""
        self._machine.context.route_cleared = True
        return Status.OK

    def pthread_equal(self, one: int, other: int) -> int:
        """Emscripten's comparison of thread ids."""
        return int(one == other)

    def emscripten_notify_memory_growth(self, _memory: int) -> None:
        """The base is asked for at each access, so nothing is to be done."""
