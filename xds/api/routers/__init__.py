"""One file per kind of object: paths, verbs, words for the OpenAPI page. A router validates nothing by itself."""
