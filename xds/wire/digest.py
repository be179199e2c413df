"""Content hashes: what xDS calls a version is the digest of the content and nothing else.

So a restart, a second replica and a reconnect give the same version to the same content, and nothing is sent twice.
"""

from __future__ import annotations

import hashlib


def digest(content: bytes) -> str:
    """Return 16 hex digits (64 bits of BLAKE2b) that depend on `content` only, on every machine and in every release.

    64 bits, because a version distinguishes the successive contents of one resource: among 2**20 of them
    two agree with probability 2**-25. BLAKE2b, because it is in the standard library, as fast as non-cryptographic
    hashes for resources of a few hundred bytes, and because contents are partly chosen by whoever
    sets the labels: an accidental or wanted collision would hide a change from Envoy.
    """
    return hashlib.blake2b(content, digest_size=8).hexdigest()
