"""A host for Proxy-Wasm modules on wasmtime: loads a filter as a proxy would, without a proxy.

`plugin` is the library's door (docs/proxywasm.md): it runs streams and connections through a filter in virtual time.
`admission` judges a module and its configuration before any Envoy is given them; `image` packs one. Below them are what
a stream does (`stream`, `half`, `connection`), what a machine is (`machine`, `contexts`, `sharing`, `outbound`), the
host calls by topic (`*_calls`), the ABI as data (`abi`, `signatures`, `pairs`), and the border to wasmtime (`instance`,
`raw`).
"""
