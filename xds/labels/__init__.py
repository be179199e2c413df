"""Labels become declarations: what a container says of itself, read once and by one table of keys (`table.py`).

Pure: labels and what an engine knows of a container in, values of the model and problems out. It asks no engine, opens
no connection and knows no clock. A label never grants identity or rights: who may claim which service is the caller's
to say (`describe.Claims`).
"""
