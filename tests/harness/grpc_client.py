"""A program: one gRPC channel that calls its target over and over, and says who answered.

`python grpc_client.py xds:///web 200` makes some 200 calls a second and writes a line for each: `answered` with the
version, or `failed` with gRPC's words; gRPC's own log lies between them. It runs until it is ended. A program of its
own, because gRPC reads its xDS bootstrap (GRPC_XDS_BOOTSTRAP_CONFIG) once, when the process first dials.
"""

from __future__ import annotations

import sys
import time

import grpc

METHOD = "/fairlead.test.Greeter/Who"


def main(target: str, rate: float) -> None:
    """Call `target` at `rate` calls a second."""
    with grpc.insecure_channel(target) as channel:
        who = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes.decode)
        while True:
            try:
                line = f"answered {who(b'', timeout=5.0)}"
            except grpc.RpcError as error:
                line = f"failed {error}".replace("\n", " ")
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            time.sleep(1 / rate)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
