"""The filter outside of Envoy: an External Processing server for Envoys that cannot run WebAssembly themselves.

Envoy asks over gRPC (envoy/service/ext_proc/v3/external_processor.proto) what its Wasm filter would have been asked, a
stream for each request. `messages` and `text_format` read that, `exchange` has the filter decide, `server` listens,
lets in and bounds, `health` answers probes, `serving` puts it together. What this way cannot see is in docs/extproc.md.
"""
