import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tinyml_helpers.system import compat
from tinyml_helpers.usecases.vision import boxes


def some_boxes(count, seed=0):
    draw = np.random.default_rng(seed)
    corner, size = draw.uniform(0, 0.7, (count, 2)), draw.uniform(0.05, 0.5, (count, 2))
    return np.hstack([corner, corner + size]).astype(np.float32)


def runtime_nms(candidates, scores, overlap):
    """ONNX Runtime's NonMaxSuppression: indices, best first."""
    names = ("boxes", "scores", "most", "overlap")
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, 1)
    inputs = [
        onnx.helper.make_tensor_value_info(name, kind, None)
        for name, kind in zip(names, kinds, strict=True)
    ]
    output = onnx.helper.make_tensor_value_info("kept", onnx.TensorProto.INT64, None)
    node = onnx.helper.make_node("NonMaxSuppression", list(names), ["kept"])
    graph = onnx.helper.make_graph([node], "nms", inputs, [output])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=10
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    fed = {
        "boxes": candidates[None],
        "scores": scores[None, None],
        "most": np.array([len(scores)]),
        "overlap": np.array([overlap], np.float32),
    }
    return session.run(None, fed)[0][:, 2]


def test_overlap_by_hand():
    first = [[0, 0, 2, 2]]
    second = [[1, 1, 3, 3], [0, 0, 2, 2], [2, 0, 4, 2], [5, 5, 6, 6], [0, 0, 1, 2]]
    np.testing.assert_allclose(boxes.iou(first, second), [[1 / 7, 1, 0, 0, 1 / 2]], rtol=1e-6)


def test_overlap_agrees_with_torchvision():
    compat.import_torchvision()
    from torchvision.ops import box_iou

    first, second = some_boxes(60), some_boxes(40, seed=1)
    expected = box_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(boxes.iou(first, second), expected, atol=1e-6)


def test_boxes_without_area_overlap_nothing():
    assert boxes.iou([[1, 1, 1, 1]], [[1, 1, 1, 1], [0, 0, 2, 2]]).tolist() == [[0, 0]]


def test_no_boxes_are_no_problem():
    assert boxes.iou([], some_boxes(3)).shape == (0, 3)
    assert boxes.nms([], []).tolist() == []


@pytest.mark.parametrize("overlap", [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("seed", range(5))
def test_suppression_agrees_with_onnx_runtime(overlap, seed):
    candidates = some_boxes(200, seed)
    # Two decimals, so that many scores are equal.
    scores = np.random.default_rng(seed).random(200).round(2).astype(np.float32)
    expected = runtime_nms(candidates, scores, overlap)
    assert boxes.nms(candidates, scores, overlap).tolist() == expected.tolist()


def test_classes_leave_each_other_alone():
    candidates = [[0, 0, 2, 2], [0, 0, 2, 2.1], [0, 0, 2.1, 2]]
    scores, classes = [0.5, 0.9, 0.7], [0, 1, 1]
    assert boxes.nms(candidates, scores).tolist() == [1]
    assert boxes.nms(candidates, scores, classes=classes).tolist() == [1, 0]


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (12, 4), elements=st.integers(0, 8).map(float)),
    arrays(np.float32, 12, elements=st.integers(0, 9).map(float)),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_suppression_keeps_the_promise_of_its_name(corners, scores, overlap):
    candidates = np.hstack([np.minimum(*np.split(corners, 2, 1)), np.maximum(*np.split(corners, 2, 1))])
    kept = boxes.nms(candidates, scores, overlap)
    among = boxes.iou(candidates[kept], candidates[kept])
    assert (among[~np.eye(len(kept), dtype=bool)] <= overlap).all()
    assert (np.diff(scores[kept]) <= 0).all()
    assert scores[kept[0]] == scores.max()
    # Whatever went was beaten by something that stayed and overlaps it.
    for gone in set(range(12)) - set(kept.tolist()):
        rivals = boxes.iou(candidates[gone : gone + 1], candidates[kept])[0] > overlap
        assert (scores[kept][rivals] >= scores[gone]).any()


@settings(deadline=None)
@given(arrays(np.float32, (2, 4), elements=st.floats(0, 100, width=32)))
def test_overlap_is_symmetric_and_a_share(corners):
    candidates = np.hstack([np.minimum(*np.split(corners, 2, 1)), np.maximum(*np.split(corners, 2, 1))])
    overlaps = boxes.iou(candidates, candidates)
    np.testing.assert_array_equal(overlaps, overlaps.T)
    assert ((overlaps >= 0) & (overlaps <= 1 + 1e-5)).all()


def test_anchors_of_the_300_pixel_network():
    anchors = boxes.ssd_anchors()
    assert anchors.shape == (1917, 4)
    # The finest map by hand: 19 cells, sizes 0.1, 0.2 as 2:1, 0.2 as 1:2.
    half, root = 0.5 / 19, 2**0.5
    expected = [[half, half, 0.1, 0.1], [half, half, 0.2 * root, 0.2 / root]]
    np.testing.assert_allclose(anchors[:2], expected, rtol=1e-6)
    # The coarsest: one cell, scale 0.95, and one square between 0.95 and 1.
    np.testing.assert_allclose(anchors[-6], [0.5, 0.5, 0.95, 0.95], rtol=1e-6)
    np.testing.assert_allclose(anchors[-1, 2:], [0.95**0.5] * 2, rtol=1e-6)


def test_anchors_of_a_face_detector():
    anchors = boxes.grid_anchors([(16, [(1, 1)] * 2), (8, [(1, 1)] * 6)])
    assert anchors.shape == (896, 4)
    np.testing.assert_allclose(
        anchors[[0, 1, 2, 32]][:, :2] * 16, [[0.5] * 2] * 2 + [[1.5, 0.5], [0.5, 1.5]]
    )
    np.testing.assert_allclose(anchors[512], [0.5 / 8, 0.5 / 8, 1, 1])


def test_codes_of_zero_are_the_anchors():
    anchors = boxes.ssd_anchors()
    expected = np.hstack([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2])
    np.testing.assert_allclose(boxes.decode(np.zeros_like(anchors), anchors), expected, atol=1e-6)


def test_decoding_by_hand():
    anchor = np.array([[0.5, 0.4, 0.2, 0.1]], np.float32)
    # Moved right by half its width and up by its height, twice as wide, half as high.
    codes = np.array([[10 * -1, 10 * 0.5, 5 * np.log(0.5), 5 * np.log(2)]], np.float32)
    np.testing.assert_allclose(boxes.decode(codes, anchor), [[0.4, 0.275, 0.8, 0.325]], atol=1e-6)


def test_decoding_of_a_face_detector_by_hand():
    anchor = np.array([[0.5, 0.5, 1, 1]], np.float32)
    codes = np.array([[12.8, 0, 25.6, 64]], np.float32)
    found = boxes.decode(codes, anchor, (128,) * 4, order="xywh", exponential=False)
    np.testing.assert_allclose(found, [[0.5, 0.25, 0.7, 0.75]], atol=1e-6)


def test_absurd_codes_are_boxes_still():
    for code in (1e30, -1e30):
        assert np.isfinite(boxes.decode(np.full((1917, 4), code), boxes.ssd_anchors())).all()
    anchor = np.array([[0.5, 0.5, 1, 1]], np.float32)
    shrunk = boxes.decode(np.full((1, 4), -9.0), anchor, (9,) * 4, order="xywh", exponential=False)
    assert boxes.area(shrunk) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: boxes.iou([[0, 0, 1]], [[0, 0, 1, 1]]), r"boxes of shape \[1, 3\]"),
        (lambda: boxes.iou([[1, 0, 0, 1]], [[0, 0, 1, 1]]), "ends before it starts"),
        (lambda: boxes.iou([[0, 0, 1, float("nan")]], []), "no finite number"),
        (lambda: boxes.nms([[0, 0, 1, 1]], [0.1, 0.2]), "give one each"),
        (lambda: boxes.nms([[0, 0, 1, 1]], [0.1], classes=[1, 2]), r"scores \[1\], classes \[2\]"),
        (lambda: boxes.nms([[0, 0, 1, 1]], [0.1], classes=[]), "give one each"),
        (lambda: boxes.nms([[0, 0, 1, 1]], [float("nan")]), "scores must be numbers"),
        (lambda: boxes.nms([[0, 0, 1, 1]], [0.5], 50), "given: 50"),
        (lambda: boxes.decode(np.zeros((3, 4)), boxes.ssd_anchors()), r"codes \[3, 4\]"),
        (lambda: boxes.decode(np.zeros((1, 4)), np.zeros((1, 4)), order="abcd"), "unknown order"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
