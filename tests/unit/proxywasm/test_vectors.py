"""The breaker's vectors in the Python host: the same decisions as natively, in Envoy and through ext_proc."""

from __future__ import annotations

import pytest

from tests.harness.vectors import NS_PER_MS, VECTORS, Json, Player
from xds.proxywasm.stream import Stream

BUCKET = b"x-fairlead-bucket"


class HostPlayer(Player):
    """Streams of the plugin."""

    def ask(self, key: str) -> tuple[int | None, object]:
        stream = self.plugin.stream({"xds.route_metadata": bytes.fromhex(self.vector["metadata_hex"])})
        left = dict(stream.request_headers([(b":path", b"/"), (b"x-user", key.encode())], end=True).headers)
        return (int(left[BUCKET]) if BUCKET in left else None), stream

    def end(self, request: object, answer: Json, subset: str) -> None:
        assert isinstance(request, Stream)
        if request.local_reply is None:
            headers = [(b":status", b"%d" % answer["code"])]
            if "retry_after" in answer:
                headers.append((b"retry-after", b"%d" % answer["retry_after"]))
            request.response_headers(headers, end="grpc" not in answer)
            if "grpc" in answer:
                request.response_trailers([(b"grpc-status", b"%d" % answer["grpc"])])
        request.finish(
            {
                "response.code": answer["code"],
                "response.flags": answer.get("flags", 0),
                "response.backend_latency": answer.get("latency_ms", 0) * NS_PER_MS,
                "upstream.request_attempt_count": answer.get("attempts", 1),
                "xds.cluster_name": answer.get("cluster", subset),
            }
        )


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_the_host_decides_as_the_vector_says(vector: Json) -> None:
    HostPlayer(vector).play()
