"""Traffic through split and breaker in virtual time: what users would have seen, before anybody has.

The filter is the real one, run by `xds.proxywasm`; only time, users and upstreams are made up. `traffic` and
`request_log` say who comes and how each version answers, `proxy` is a proxy with several workers, `run` plays one
against the other, `report` and `drawing` tell what came of it. Nothing here reads a clock, or draws by chance that was
not given: the same seed gives the same run.
"""
