"""A program: gRPC servers, as many as are named, each of which answers every call with its version.

`python grpc_server.py v1:9001 v2:9002`. It serves until it is ended.
"""

from __future__ import annotations

import sys
from concurrent import futures

import grpc


class Greeter(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """Any method, any request: the version."""

    def __init__(self, version: str) -> None:
        self._version = version.encode()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self._version)


def main(words: list[str]) -> None:
    """Serve each `version:port` of `words`."""
    servers = []
    for word in words:
        version, _, port = word.rpartition(":")
        server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((Greeter(version),))
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        servers.append(server)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    for server in servers:
        server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1:])
