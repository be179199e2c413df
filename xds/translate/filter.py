"""The health filter as Envoy takes it: the ECDS resource, and the slot that waits for it in every listener.

The slot must never cost a request: it has a default that does nothing to a request but take the bucket header off,
and waits for the filter two seconds at most. Without them a filter that is late or refused answers 500 to everything.
"""

from __future__ import annotations

import datetime
import hashlib

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import (
    AsyncDataSource,
    BackoffStrategy,
    DataSource,
    ExtensionConfigSource,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import Mutations
from envoy_data_plane.envoy.extensions.filters.http.wasm.v3 import Wasm
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.wasm.v3 import FailurePolicy, PluginConfig, ReloadConfig, VmConfig
from envoy_data_plane.google.protobuf import StringValue

from xds.wire.codec import encode
from xds.wire.filter_schema import BUCKET_HEADER
from xds.wire.packing import pack_any, type_url_of

from . import naming
from .clusters import ads
from .outputs import FilterSpec

RUNTIME = "envoy.wasm.runtime.v8"
FETCH_TIMEOUT = datetime.timedelta(seconds=2)
"""How long a listener waits for its filter before it serves without."""
RELOAD_AFTER = datetime.timedelta(milliseconds=10)
"""First pause before a VM that trapped is started again; with Envoy's second, one trap a second costs most requests."""


def extension(spec: FilterSpec) -> bytes:
    """Return the encoded TypedExtensionConfig of the filter: code inline, its sha256 as the VM's identity."""
    digest = hashlib.sha256(spec.module).hexdigest()
    vm = VmConfig(
        vm_id=f"{naming.HEALTH_FILTER}/{digest}",
        runtime=RUNTIME,
        code=AsyncDataSource(local=DataSource(inline_bytes=spec.module)),
    )
    plugin = PluginConfig(
        name=naming.HEALTH_FILTER,
        root_id=naming.HEALTH_FILTER,
        vm_config=vm,
        configuration=pack_any(StringValue(value=spec.defaults.to_configuration().decode())),
        failure_policy=FailurePolicy.FAIL_RELOAD,
        reload_config=ReloadConfig(backoff=BackoffStrategy(base_interval=RELOAD_AFTER)),
    )
    return encode(TypedExtensionConfig(name=naming.HEALTH_FILTER, typed_config=pack_any(Wasm(config=plugin))))


def slot() -> HttpFilter:
    """Return the place of the filter in a connection manager."""
    source = ads()
    source.initial_fetch_timeout = FETCH_TIMEOUT
    remove = Mutations(request_mutations=[HeaderMutation(remove=BUCKET_HEADER)])
    discovery = ExtensionConfigSource(
        config_source=source,
        default_config=pack_any(HeaderMutationFilter(mutations=remove)),
        type_urls=[type_url_of(HeaderMutationFilter), type_url_of(Wasm)],
    )
    return HttpFilter(name=naming.HEALTH_FILTER, config_discovery=discovery)
