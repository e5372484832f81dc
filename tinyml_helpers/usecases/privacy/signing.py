"""A model file with a seal: it is verified before one byte of it reaches an interpreter.

The seal is HMAC-SHA256 (RFC 2104): whoever can check it can also make it, because both need the same
key. A fleet that must not share a secret signs with Ed25519 instead, where devices hold a public key.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING

from tinyml_helpers.deploy.model_file import ModelError, names_the_file, read_model

if TYPE_CHECKING:
    from tinyml_helpers.deploy.tflite.interpreter import Model

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


def sign(model: str | Path, key: bytes) -> Path:
    """Write the seal of a model file beside it, and return where: the same name and `.seal`.

    Raises:
        ValueError: a key that is too short.
    """
    path = Path(model)
    place = path.with_name(path.name + ".seal")
    place.write_bytes(seal(path.read_bytes(), key))
    return place


@names_the_file
def load_signed(model: str | Path, key: bytes) -> Model:
    """Verify a model file by its seal, and only then load it.

    Raises:
        ModelError: no seal, or a file that is not the one that was sealed.
        ValueError: a key that is too short.
    """
    from tinyml_helpers.deploy import litert

    path = Path(model)
    # Read once: a file that changes between the check and the use would slip through.
    content = read_model(path)
    place = path.with_name(path.name + ".seal")
    if not place.exists():
        raise ModelError(f"{path.name} has no seal: sign it with `signing.sign` where it is built")
    if not is_sound(content, place.read_bytes(), key):
        raise ModelError(f"{path.name} is not what was sealed: not loaded; fetch it again")
    return litert.load(content)
