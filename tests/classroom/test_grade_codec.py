"""Answers as plain JSON: each kind of value by hand, and each limit from both of its sides."""

import json

import numpy as np
import pytest
import torch

from tinyml_helpers.classroom.grade import codec


def encode(value):
    return codec.encode(value, lambda function: 7)


def decode(content):
    return codec.decode(content, {7: len}.__getitem__)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        (1 + 2j, {"complex": [1.0, 2.0]}),
        ({"a": 1}, {"dict": [["a", 1]]}),
        ((1, "b"), {"tuple": [1, "b"]}),
        (range(3), [0, 1, 2]),
        (np.int8(3), {"array": ["|i1", None, "Aw=="]}),
        (np.array([[1, 2]], "<i2"), {"array": ["<i2", [1, 2], "AQACAA=="]}),
        (torch.tensor([1], dtype=torch.uint8), {"tensor": {"array": ["|u1", [1], "AQ=="]}}),
        (np.array(["a", "bc"]), {"texts": ["a", "bc"]}),
        (np.array([object()]), {"thing": "array of object"}),
        (np.array(["a"] * (codec.MOST_ITEMS + 1)), {"thing": "array of <U1"}),
        (b"bytes", {"thing": "bytes"}),
        (memoryview(b"bytes"), {"thing": "memoryview"}),
        (object(), {"thing": "object"}),
        (int, {"function": 7}),
        (len, {"function": 7}),
    ],
)
def test_each_kind_of_value_by_hand(value, said):
    assert encode(value) == said
    json.dumps(said)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ({"complex": [1, 2]}, 1 + 2j),
        ({"dict": [["a", {"tuple": [1]}]]}, {"a": (1,)}),
        ({"array": ["|i1", None, "Aw=="]}, 3),
        ({"function": 7}, len),
        ([1, [2]], [1, [2]]),
    ],
)
def test_each_description_by_hand(content, value):
    found = decode(content)
    assert found == value
    assert type(found) is type(value) or isinstance(found, np.generic)


def test_arrays_keep_their_form_and_things_say_what_they_were():
    found = decode({"array": ["<i2", [1, 2], "AQACAA=="]})
    assert (found.dtype, found.tolist()) == (np.int16, [[1, 2]])
    assert decode({"tensor": {"array": ["|u1", [1], "AQ=="]}}).tolist() == [1]
    assert decode({"texts": ["a", "bc"]}).tolist() == ["a", "bc"]
    assert repr(decode({"thing": "x" * 90})) == f"<a {'x' * 60}>"


def nested(depth, wrap):
    value = 0
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,)])
def test_an_answer_may_be_twelve_deep(wrap):
    encode(nested(12, wrap))
    with pytest.raises(ValueError, match="nested more than 12 deep"):
        encode(nested(13, wrap))


def test_a_dictionary_counts_for_three():
    encode(nested(4, lambda x: {"a": x}))
    with pytest.raises(ValueError, match="nested more than 12 deep"):
        encode(nested(5, lambda x: {"a": x}))


def test_what_comes_back_may_be_twice_as_deep():
    decode(nested(24, lambda x: [x]))
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(nested(25, lambda x: [x]))
    with pytest.raises(ValueError, match="nested too deeply"):
        decode(nested(25, lambda x: {"tuple": [x]}))


def test_each_limit_of_size_from_both_sides():
    most, keys = codec.MOST_ITEMS, codec.MOST_KEYS
    for value, content in (([0] * most, [0] * most), ({k: 0 for k in range(keys)}, None)):
        assert content is None or encode(value) == decode(content) == content
        assert decode(encode(value)) == value
    for call, value in (
        (encode, [0] * (most + 1)),
        (decode, [0] * (most + 1)),
        (encode, {k: 0 for k in range(keys + 1)}),
        (decode, {"dict": [[k, 0] for k in range(keys + 1)]}),
        (encode, np.zeros((4 << 20) + 1, np.int8)),
        (decode, {"texts": ["x" * 1024] + ["a"] * 2048}),
    ):
        with pytest.raises(ValueError, match=r"longer than|more than|too large|more memory"):
            call(value)
    assert len(encode(np.zeros(4 << 20, np.int8))["array"][2]) > 4 << 20
    assert decode({"texts": ["x" * 1024] + ["a"] * 2047}).shape == (2048,)


@pytest.mark.parametrize("key", [1 << 60, -(1 << 60), 1.0, "text"])
def test_a_key_may_be_large(key):
    assert decode({"dict": [[key, 0]]}) == {key: 0}


@pytest.mark.parametrize("key", [(1 << 60) + 1, -(1 << 60) - 1, 1e19])
def test_a_key_may_not_be_larger(key):
    with pytest.raises(ValueError, match="too large a number"):
        decode({"dict": [[key, 0]]})


@pytest.mark.parametrize(
    "content",
    [
        {}, {"a": 1, "b": 2}, {"nothing": 1},
        {"array": ["|O", [1], "Aw=="]}, {"array": ["|i1", [-1], "Aw=="]},
        {"array": ["|i1", [2], "Aw=="]}, {"array": ["|i1", [1], "!"]}, {"texts": 3}, {"texts": [1, 2]},
        {"function": 8}, {"complex": []},
    ],
)  # fmt: skip
def test_what_describes_no_value_is_refused(content):
    with pytest.raises(ValueError):
        decode(content)
