"""Host calls on maps of headers.

A map that the current phase does not have answers BAD_ARGUMENT, save when one value is asked for while logging:
NOT_FOUND then, as in Envoy. Any change of request headers has the route chosen again (so it is up to ABI 0.2.1).
"""

from __future__ import annotations

from xds.proxywasm.abi import HeaderMap, Status
from xds.proxywasm.guest import Guest
from xds.proxywasm.memory import MASK
from xds.proxywasm.pairs import MOST_BYTES, MOST_PAIRS, BadPairs, Pairs, decode, encode


class HeaderCalls:
    """The calls on header maps. Names are compared and kept in lower case, as Envoy does."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def _map(self, number: int) -> Pairs | None:
        if not 0 <= number <= HeaderMap.CALL_TRAILERS:
            return None
        machine = self._guest.machine
        context = machine.root if number >= HeaderMap.GRPC_INITIAL else machine.context
        return context.maps.get(HeaderMap(number))

    def _change(self, number: int) -> Pairs | None:
        """The map to write to; what the guest may only read is absent."""
        context = self._guest.machine.context
        if context.logging or number >= HeaderMap.GRPC_INITIAL:
            return None
        pairs = self._map(number)
        if number == HeaderMap.REQUEST_HEADERS and pairs is not None:
            context.route_cleared = True
        return pairs

    def proxy_get_header_map_size(self, number: int, out: int) -> int:
        """Size in bytes of the serialised map."""
        pairs = self._map(number)
        if pairs is None:
            return Status.BAD_ARGUMENT
        self._guest.memory.write_u32(out, sum(len(name) + len(value) for name, value in pairs))
        return Status.OK

    def proxy_get_header_map_pairs(self, number: int, pointer: int, size: int) -> int:
        """The whole map."""
        pairs = self._map(number)
        if pairs is None:
            return Status.BAD_ARGUMENT
        try:
            return self._guest.give(encode(pairs), pointer, size)
        except BadPairs:
            return Status.SERIALIZATION_FAILURE

    def proxy_set_header_map_pairs(self, number: int, data: int, size: int) -> int:
        """Replaces the whole map."""
        pairs = self._change(number)
        if pairs is None:
            return Status.BAD_ARGUMENT
        try:
            pairs[:] = [(name.lower(), value) for name, value in decode(self._guest.read(data, size))]
        except BadPairs:
            return Status.BAD_ARGUMENT
        return Status.OK

    def proxy_get_header_map_value(self, number: int, key: int, key_size: int, pointer: int, size: int) -> int:
        """The first value of a name."""
        pairs = self._map(number)
        if pairs is None:
            return Status.NOT_FOUND if self._guest.machine.context.logging else Status.BAD_ARGUMENT
        name = self._guest.read(key, key_size).lower()
        found = next((value for this, value in pairs if this == name), None)
        return Status.NOT_FOUND if found is None else self._guest.give(found, pointer, size)

    def proxy_add_header_map_value(self, number: int, key: int, key_size: int, value: int, size: int) -> int:
        """Appends a value."""
        pairs = self._change(number)
        if pairs is None:
            return Status.BAD_ARGUMENT
        if not _fits(pairs, key_size, size):
            return Status.BAD_ARGUMENT
        pairs.append((self._guest.read(key, key_size).lower(), self._guest.read(value, size)))
        return Status.OK

    def proxy_replace_header_map_value(self, number: int, key: int, key_size: int, value: int, size: int) -> int:
        """Leaves one value of a name, in the place of the first."""
        pairs = self._change(number)
        if pairs is None:
            return Status.BAD_ARGUMENT
        if not _fits(pairs, key_size, size):
            return Status.BAD_ARGUMENT
        name, content = self._guest.read(key, key_size).lower(), self._guest.read(value, size)
        at = next((index for index, (this, _) in enumerate(pairs) if this == name), len(pairs))
        rest = [pair for pair in pairs[at:] if pair[0] != name]
        pairs[at:] = [(name, content), *rest]
        return Status.OK

    def proxy_remove_header_map_value(self, number: int, key: int, key_size: int) -> int:
        """Removes every value of a name; OK where there is none."""
        pairs = self._change(number)
        if pairs is None:
            return Status.BAD_ARGUMENT
        name = self._guest.read(key, key_size).lower()
        pairs[:] = [pair for pair in pairs if pair[0] != name]
        return Status.OK


def _fits(pairs: Pairs, key_size: int, size: int) -> bool:
    """Whether one more pair of that size is within what a map may hold."""
    more = (key_size & MASK) + (size & MASK)
    return len(pairs) < MOST_PAIRS and more + sum(len(name) + len(value) for name, value in pairs) <= MOST_BYTES
