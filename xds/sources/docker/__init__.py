"""A Docker Engine as a source: what its containers come to as instances, each proven to answer before it is told.

`containers.py` decides, pure: events, listings, inspections, probes and deaths in, registrations out. `engine.py`,
`probing.py`, `deaths.py` and `follow.py` are its senses. It reads an engine and never writes to it.
"""
