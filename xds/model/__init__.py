"""The domain: frozen values, standard library only.

No IO, no clock, no chance, no protobuf: what a value means is decided here, where it comes from and where it
goes is decided elsewhere. Every import of this package costs the standard library and nothing more.
"""
