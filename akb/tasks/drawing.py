"""Randomness that comes from the item."""

from __future__ import annotations

import hashlib
from random import Random


def item_random(*parts: object) -> Random:
    """A random generator that depends on its arguments alone, so that filtering, sharding or reordering the
    questions never changes what is drawn for one of them."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return Random(int.from_bytes(digest, "big"))
