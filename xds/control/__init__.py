"""The control loop: the single owner of the intent, and what it needs from the outside.

Changes come in through the inbox, are committed by the store, translated, and published to the cache. What the loop
needs from the edges (a store, a clock, an admission check) it names in `ports.py`; `xds.app` plugs the real ones in.
"""
