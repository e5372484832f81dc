"""A model file with a seal: it is verified before one byte of it reaches an interpreter.

The seal is HMAC-SHA256 (RFC 2104): whoever can check it can also make it, because both need the same
key. A fleet that must not share a secret signs with Ed25519 instead, where devices hold a public key.
"""

from __future__ import annotations

import hashlib
import hmac

KEY_BYTES = 32


def seal(content: bytes, key: bytes) -> bytes:
    """Return the 32 bytes that only a holder of the key can make for this content.

    Raises:
        ValueError: a key that is too short.
    """
    if len(key) < KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes: draw {KEY_BYTES} with `secrets.token_bytes`")
    return hmac.new(key, content, hashlib.sha256).digest()


def is_sound(content: bytes, mark: bytes, key: bytes) -> bool:
    """Tell whether a seal was made for this very content, with this key."""
    # compare_digest takes the same time wherever the bytes differ, so timing tells nothing.
    return hmac.compare_digest(mark, seal(content, key))
