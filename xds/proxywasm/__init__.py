"""A host for Proxy-Wasm modules on wasmtime: loads a filter as a proxy would, without a proxy.

`admission` judges a module and its configuration before any Envoy is given them; `plugin` runs requests through one.
The other modules are the ABI (`abi`, `pairs`), the guest's memory, the host calls by topic, and what limits a guest.
"""
