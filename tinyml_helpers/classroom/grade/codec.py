"""Answers and arguments as plain JSON, both ways: data is copied, functions stay where they are.

What comes out of `decode` is built here from scratch: numbers, text, lists, arrays. No object of the
other side, and none of its methods, ever arrives; a pickle is never involved.
"""

from __future__ import annotations

import base64
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MESSAGE_BYTES = 8 << 20
"""Longest message between the grader and a submission."""
MOST_DEPTH, MOST_ITEMS, MOST_KEYS = 12, 200_000, 1000
_LARGEST_KEY = 1 << 60
"""Beyond it, numbers can be chosen that all have one hash, and a dictionary of them takes minutes."""
_DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16)")


class Thing:
    """Stands for an object that is no data: a check can say that it is of the wrong kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"<a {self._kind}>"


class Distant(Thing):
    """Stands for an object of a learner's own class: its methods run where it is.

    Args:
        kind: the name of its class.
        methods: name -> what calls it.
    """

    def __init__(self, kind: str, methods: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(kind)
        self.__dict__.update(methods)


def encode(value: Any, keep: Callable[[Any], int], depth: int = 0) -> Any:
    """Turn a value into plain JSON.

    Args:
        value: anything; what is neither data nor a function becomes the name of its type.
        keep: stores a function on this side and returns its number.
        depth: of nesting so far.

    Raises:
        ValueError: nested too deeply, or too long.
    """
    if depth > MOST_DEPTH:
        raise ValueError(f"nested more than {MOST_DEPTH} deep")
    if isinstance(value, np.ndarray | np.generic):
        return _array(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, Mapping):
        pairs = [[key, item] for key, item in _some(value.items(), MOST_KEYS)]
        return {"dict": encode(pairs, keep, depth + 1)}
    if _is_of("torch", "Tensor", value):
        return {"tensor": _array(value.detach().cpu().numpy())}
    if isinstance(value, tuple):
        return {"tuple": [encode(item, keep, depth + 1) for item in value]}
    if hasattr(value, "to_numpy"):  # pandas
        return _array(value.to_numpy())
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | memoryview | type):
        return [encode(item, keep, depth + 1) for item in _some(value)]
    if callable(value):
        return {"function": keep(value)}
    kind = type(value)
    if kind.__module__ != "__main__":
        return {"thing": kind.__name__}
    return {"object": [kind.__name__, keep(value), _methods(kind)]}


def decode(value: Any, fetch: Callable[..., Callable[..., Any]], depth: int = 0) -> Any:
    """Build the value that plain JSON describes, and believe nothing.

    Args:
        value: what `json.loads` gave.
        fetch: returns a function by its number, or a method of an object by number and name.
        depth: of nesting so far.

    Raises:
        ValueError: it describes no value.
    """
    if depth > 2 * MOST_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        if len(value) > MOST_ITEMS:
            raise ValueError(f"longer than {MOST_ITEMS:,} items")
        return [decode(item, fetch, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError("a value has one kind")
    [(kind, content)] = value.items()
    try:
        return _KINDS[kind](content, lambda item: decode(item, fetch, depth + 1), fetch)
    except ValueError:
        raise
    except Exception as error:  # whatever a library makes of such content
        raise ValueError(f"no value: {kind!r:.40}") from error


def _methods(kind: type) -> list[str]:
    """Names of the methods of a class that a check may call."""
    names = (name for name in dir(kind) if not name.startswith("_"))
    return [name for name in names if callable(getattr(kind, name))][:MOST_KEYS]


def _is_of(module: str, name: str, value: Any) -> bool:
    """Tell whether a value is of a heavy library's class, without importing the library."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _some(values: Iterable[Any], most: int = MOST_ITEMS) -> list[Any]:
    found = list(itertools.islice(values, most + 1))
    if len(found) > most:
        raise ValueError(f"longer than {most:,} items")
    return found


def _array(value: NDArray[Any] | np.generic) -> Any:
    if not _DTYPE.fullmatch(value.dtype.str):
        return _texts(np.asarray(value))
    if value.nbytes > MESSAGE_BYTES // 2:
        raise ValueError(f"an array of {value.nbytes:,} bytes is too large for an answer")
    packed = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    shape = list(value.shape) if isinstance(value, np.ndarray) else None
    return {"array": [value.dtype.str, shape, packed]}


def _texts(array: NDArray[Any]) -> Any:
    """Text and objects travel as a list, if they are plain."""
    if array.dtype.kind == "U" and array.size <= MOST_ITEMS:
        return {"texts": array.tolist()}
    return {"thing": f"array of {array.dtype}"}


def _to_array(content: Any, *_: Any) -> Any:
    dtype, shape, packed = content
    if not _DTYPE.fullmatch(dtype):
        raise ValueError(f"no number type: {dtype!r:.20}")
    values = np.frombuffer(base64.b64decode(packed, validate=True), dtype).copy()
    return _shaped(values, shape)


def _shaped(values: NDArray[Any], shape: list[int] | None) -> Any:
    if shape is None:
        return values.reshape(())[()]
    if any(size < 0 for size in shape):
        raise ValueError(f"no shape: {shape}")
    return values.reshape([int(size) for size in shape])


def _to_tensor(content: Any, inner: Callable[[Any], Any], _: Any) -> Any:
    import torch

    return torch.as_tensor(inner(content))


def _to_texts(content: Any, *_: Any) -> Any:
    if not isinstance(content, list | str):
        raise ValueError("no texts")
    longest = max((len(text) for text in content if isinstance(text, str)), default=0)
    # numpy gives each text the room of the longest.
    if isinstance(content, list) and 4 * longest * len(content) > MESSAGE_BYTES:
        raise ValueError("texts that would take more memory than an answer may")
    texts = np.array(content)
    if texts.dtype.kind != "U":
        raise ValueError("no texts")
    return texts


def _to_object(content: Any, _: Any, fetch: Callable[..., Any]) -> Distant:
    kind, number, names = content
    if not isinstance(names, list) or len(names) > MOST_KEYS:
        raise ValueError("an object of too many methods")
    number = int(number)
    methods = {
        name: fetch(number, name)
        for name in names
        if isinstance(name, str) and name.isidentifier() and not name.startswith("_")
    }
    return Distant(str(kind)[:60], methods)


def _to_dict(content: Any, inner: Callable[[Any], Any], _: Any) -> dict[Any, Any]:
    if len(content) > MOST_KEYS:
        raise ValueError(f"a dictionary of more than {MOST_KEYS:,} keys")
    pairs = inner(content)
    for key, _item in pairs:
        if isinstance(key, int | float) and abs(key) > _LARGEST_KEY:
            raise ValueError("a dictionary's key is too large a number")
    return {key: item for key, item in pairs}


_KINDS: dict[str, Callable[..., Any]] = {
    "complex": lambda content, *_: complex(float(content[0]), float(content[1])),
    "dict": _to_dict,
    "tuple": lambda content, inner, _: tuple(inner(content)),
    "array": _to_array,
    "texts": _to_texts,
    "tensor": _to_tensor,
    "function": lambda content, _, fetch: fetch(int(content)),
    "object": _to_object,
    "thing": lambda content, *_: Thing(str(content)[:60]),
}
