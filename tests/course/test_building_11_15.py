"""What lessons 11 to 15 ask to build: held against other code, and wrong answers against their hints."""

import contextlib
import io
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from tinyml_helpers import search
from tinyml_helpers.course import building, cases, check
from tinyml_helpers.course.exercises import build_11, build_12, build_13, build_14, build_15
from tinyml_helpers.usecases.anomaly import detect

BUILT = {
    "threshold_for_budget": build_11,
    "average_precision": build_12,
    "promise_with_interval": build_13,
    "private_gradient": build_14,
    "choose_by_spread": build_15,
}
SLIPS = [(name, slip) for name, module in BUILT.items() for slip in module.SLIPS]
SLIPS += [("private_gradient", slip) for slip in build_14.NOISES]


def drawn(module, count=60):
    draw = cases.rng("a test of its own")
    return [*(module.TASK.draw_case(draw, 1 + i % 5) for i in range(count)), *module.TASK.special]


@pytest.mark.parametrize(("name", "slip"), SLIPS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(SLIPS)])
def test_each_slip_gets_its_own_hint(name, slip):
    others = [other.hint for one, other in SLIPS if one == name and other is not slip]
    said = check.exercises()[name].weigh(slip.function)
    assert said.status == "hint"
    assert slip.hint in said.message
    assert not any(other in said.message for other in others)


@pytest.mark.parametrize("name", BUILT)
def test_right_answers_agree_wherever_cases_are_drawn(name):
    """In a class the hidden cases differ by learner: none of them may refuse a right answer."""
    module = BUILT[name]
    for draw in range(20):
        rng = np.random.default_rng(draw)
        tried = [module.TASK.draw_case(rng, 1 + number % 5) for number in range(10)]
        for (answer,) in check.exercises()[name].right:
            call = cases.in_numpy_or_torch(answer, tried[0])
            for case in tried:
                said = cases.to_plain(call(case))
                assert module.TASK.same(said, module.TASK.reference(*cases.copied(case))), case


# ----- 11: alarms


def test_one_alarm_a_run_as_the_lesson_counts():
    for scores, months, a_month, _ in drawn(build_11):
        made = build_11._threshold(scores, months, a_month, 1)
        assert made == detect.choose_threshold(list(scores), a_month * months * len(scores))


def test_a_run_must_be_long_enough_and_counts_once():
    scores = np.array([[1, 3, 3, 1, 3, 3, 3, 3], [3, 1, 1, 1, 1, 1, 1, 3.0]])
    assert [build_11._alarms(scores, 2.0, k) for k in (1, 2, 3, 4, 5)] == [4, 2, 1, 1, 0]
    assert build_11._alarms(scores, 3.0, 1) == 0


# ----- 12: average precision


def exact(scores, overlaps):
    """From the definition, in fractions: the best precision at each recall or beyond."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    free, hits = set(range(overlaps.shape[1])), []
    for i in order:
        able = [t for t in free if overlaps[i, t] >= 0.5]
        hits.append(bool(able))
        free -= {max(able, key=lambda t: overlaps[i, t])} if able else set()
    found = [(sum(hits[:n]), Fraction(sum(hits[:n]), n)) for n in range(1, len(hits) + 1)]
    truths = overlaps.shape[1]
    best = [max((p for k, p in found if k >= recall), default=0) for recall in range(1, truths + 1)]
    return float(sum(best, Fraction(0)) / truths)


def by_coco(scores, overlaps):
    """COCO's own code, with boxes in a row: overlaps are handed to it in place of its own."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": 1}],
            "categories": [{"id": 1}],
            "annotations": [
                {"id": i + 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 50], "area": 2500,
                 "iscrowd": 0}
                for i in range(overlaps.shape[1])
            ],
        }  # fmt: skip
        truth.createIndex()
        found = truth.loadRes(
            [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 50], "score": s} for s in scores]
        )
        judged = COCOeval(truth, found, "bbox")
        judged.params.iouThrs = np.array([0.5])
        judged.computeIoU = lambda *_: overlaps[np.argsort(-scores, kind="mergesort")]
        judged.evaluate()
        judged.accumulate()
    return float(judged.eval["precision"][0, :, 0, 0, -1].mean())


def test_average_precision_is_the_area_by_its_definition():
    for scores, overlaps in drawn(build_12):
        if overlaps.shape[1]:
            assert build_12._in_numpy(scores, overlaps) == pytest.approx(exact(scores, overlaps))


def test_average_precision_is_coco_s_but_for_its_101_recalls():
    tried = [case for case in drawn(build_12) if all(np.shape(case[1]))]
    for scores, overlaps in tried:
        # Each step of the curve may gain or lose one of the 101 recalls.
        most = (overlaps.shape[1] + 1) / 101
        assert by_coco(scores, overlaps) == pytest.approx(build_12._in_numpy(scores, overlaps), abs=most)
    assert len(tried) > 50


def test_a_case_without_values_shows_its_shape():
    """No detection of two objects, and no object for two detections, are two questions."""
    said = check.average_precision(lambda scores, overlaps: 0.5).message
    assert "overlaps = [] of shape [0, 2]" in said


def test_average_precision_by_hand():
    right_wrong_right = np.array([0.9, 0.8, 0.7]), np.array([[0.9, 0], [0.6, 0.1], [0, 0.5]])
    assert build_12._in_numpy(*right_wrong_right) == pytest.approx((1 + 2 / 3) / 2)


# ----- 13: a promise


def test_a_promise_by_hand():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.35, 0.1, 0.1, 0.1])
    person = np.array([7, 7, 8, 8, 9, 9, 9, 9])
    made = build_13._in_numpy(scores, person, np.array([7, 8]), 0.25)
    assert made == pytest.approx((0.3, 0.0456, 0.6994), abs=1e-4)  # 1 of 4, by scipy's binomtest


# ----- 14: DP-SGD


def test_clipping_is_torch_s_own_of_each_example():
    for gradients, clip, _ in drawn(build_14):
        total = [np.zeros(layer.shape[1:]) for layer in gradients]
        for number in range(len(gradients[0])):
            parts = [torch.nn.Parameter(torch.zeros(layer.shape[1:])) for layer in gradients]
            for part, layer in zip(parts, gradients, strict=True):
                part.grad = torch.from_numpy(layer[number].copy())
            torch.nn.utils.clip_grad_norm_(parts, clip)
            total = [t + p.grad.numpy() / len(gradients[0]) for t, p in zip(total, parts, strict=True)]
        made = build_14._in_numpy(gradients, clip, 0.0)
        # It adds a millionth to the length before it divides.
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(made, total, strict=True))


def test_right_noise_is_never_refused():
    for (answer,) in check.exercises()["private_gradient"].right:
        assert [build_14._noise_hint(answer) for _ in range(20)] == [""] * 20


def test_noise_that_is_nearly_right_is_told_by_how_much():
    said = build_14._noise_hint(
        build_14._private(lambda noise, clip, count: 1.25 * noise * clip / count)
    )
    assert said.startswith("its standard deviation is 1.2")


# ----- 15: the choice


def test_the_choice_is_the_lesson_s_own():
    found = search.candidates(search.load_trials(search.get("gestures")), "nano33ble")
    designs = [replace(one, scores=one.scores[:2]) for one in found if len(one.scores) > 1]
    assert len(designs) >= 10
    scores = np.array([one.scores for one in designs])
    costs = np.array([[one.flash_bytes / 1024, one.instructions] for one in designs])
    chosen = set()
    for flash_kib, least in ((14, 80), (20, 85), (14, 88), (9, 50), (30, 1), (5, 99)):
        said = build_15._in_numpy(scores, costs, np.array([flash_kib, np.inf]), least)
        best = search.choose(designs, search.Budgets(flash_kib, score=least)).best
        assert (said == -1) if best is None else designs[said] is best
        chosen.add(said)
    assert len(chosen) > 2 and -1 in chosen


def test_every_part_can_be_wrong():
    for name, module in BUILT.items():
        wrong = [w for w in check.exercises()[name].wrong if callable(w[0])]
        for part in module.TASK.parts:
            held = []
            for (answer,) in wrong:
                tried = [building._try(lambda case, a=answer: a(*case), module.TASK.reference, case)
                         for case in drawn(module, 10)]  # fmt: skip
                held.append(all(building._holds(part, one) for one in tried))
            assert not all(held), part.words
