"""Access logs: one JSON object per line on standard output, the same fields for everybody who reads them.

Query strings are left out: they carry what should not lie in logs. Format operators: envoyproxy.io, "Access logging".
"""

from __future__ import annotations

import functools

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.config.core.v3 import SubstitutionFormatString
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.google.protobuf import Struct, Value

from xds.wire.filter_schema import BUCKET_HEADER, METADATA_NAMESPACE
from xds.wire.packing import pack_any

CONNECTION = {
    "time": "%START_TIME%",
    "listener": "%FILTER_CHAIN_NAME%",
    "service": f"%METADATA(CLUSTER:{METADATA_NAMESPACE}:service)%",
    "subset": f"%METADATA(CLUSTER:{METADATA_NAMESPACE}:subset)%",
    "instance": f"%METADATA(UPSTREAM_HOST:{METADATA_NAMESPACE}:instance)%",
    "upstream": "%UPSTREAM_HOST%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "duration": "%DURATION%",
}
REQUEST = {
    **CONNECTION,
    "route": "%ROUTE_NAME%",
    "bucket": f"%REQ({BUCKET_HEADER})%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "protocol": "%PROTOCOL%",
    "code": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


@functools.cache
def requests() -> AccessLog:
    """Return the log of requests."""
    return _log(REQUEST)


@functools.cache
def connections() -> AccessLog:
    """Return the log of TCP connections."""
    return _log(CONNECTION)


def _log(fields: dict[str, str]) -> AccessLog:
    shape = Struct(fields={name: Value(string_value=operator) for name, operator in fields.items()})
    sink = StdoutAccessLog(log_format=SubstitutionFormatString(json_format=shape))
    return AccessLog(name="envoy.access_loggers.stdout", typed_config=pack_any(sink))
