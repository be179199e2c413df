"""The host agent: what runs on a host, told to a control plane and kept told.

Sources know containers (`xds.sources.docker`); the ledger knows the last word on each instance and what of it the
control plane has heard; the rest carries it there, over HTTP like anybody. It starts nothing and stops nothing.
"""
