"""Exercises that build: the verdict says what is right, which slip it is, and the smallest case."""

import numpy as np
import pytest
import torch

from tinyml_helpers.course import building, cases, check
from tinyml_helpers.course.exercises import (
    build_01,
    build_02,
    build_03,
    build_04,
    build_05,
    build_06,
    build_07,
    build_09,
    build_10,
)


def _sum(values, factor):
    return values.sum() * factor


TASK = building.Task(
    asked="weighted(values, factor) returns the sum of the values, times a factor.",
    arguments=("values", "factor"),
    reference=_sum,
    draw_case=lambda draw, size: (draw.normal(size=size), float(draw.uniform(1, 2))),
    slips=(
        building.Slip(lambda values, factor: values.sum(), "The factor is missing."),
        building.Slip(lambda values, factor: values.mean() * factor, "That is the mean."),
        building.Slip(lambda values, factor: values.sum() / 0, "Divided by zero."),
    ),
    parts=(
        building.Part("one number", lambda case, said, wanted: np.ndim(said) == 0),
        building.Part("the sign", lambda case, said, wanted: said * wanted >= 0),
    ),
    same=cases.agrees,
    special=((np.array([0.0]), 1.0),),
)


def judged(answer):
    return building.judge(TASK, "weighted", answer, "Because.")


def test_right_answers_in_numpy_and_torch():
    assert repr(judged(_sum)) == "✓ Right. Because."
    assert judged(lambda values, factor: values.clone().sum() * factor).status == "right"


def test_the_verdict_says_what_is_asked_right_wrong_and_how():
    said = judged(lambda values, factor: values.sum()).message
    assert said.startswith(
        "weighted(values, factor) returns the sum of the values, times a factor. "
        "Right already: one number; the sign. The factor is missing. The smallest case that fails: of "
    )


def test_the_smallest_case_is_one_value_and_rounded():
    # Wrong for negative values only; the smallest case has one of them, the simplest a whole number.
    said = judged(lambda values, factor: np.abs(values).sum() * factor).message
    case = said.partition("of values = ")[2]
    assert case.startswith("[-") and case.index("]") < 5, said
    assert "it makes" in said and "is wanted." in said
    assert "Right already: one number." in said
    larger = judged(lambda values, factor: _sum(values[:3], factor)).message
    values = larger.partition("values = [")[2].partition("]")[0]
    assert len(values.split(",")) == 4  # three values are summed rightly


def test_a_slip_is_named_only_if_it_agrees_in_every_case():
    assert "That is the mean." in judged(lambda v, f: v.mean() * f).message
    assert "That is the mean." not in judged(lambda v, f: v.mean() * f + (len(v) == 5)).message


def test_a_slip_that_makes_no_number_is_recognized():
    with np.errstate(all="ignore"):
        assert "Divided by zero." in judged(lambda v, f: v.sum() / 0).message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (3, "Give the function itself"),
        (lambda values, factor: None, "returns nothing"),
        (lambda values: values, "stops with TypeError"),
        (lambda values, factor: values[7], "stops with IndexError"),
        (lambda values, factor: "three", "it makes 'three'"),
        (lambda values, factor: values, "it makes ["),
        (lambda values, factor: object(), "it makes <object"),
    ],
)
def test_what_is_of_another_kind_gets_a_sentence(answer, message):
    found = judged(answer)
    assert found.status == "hint"
    assert message in found.message, found.message


def test_an_answer_that_stops_for_some_cases_shows_the_smallest_of_them():
    def stops(values, factor):
        if len(values) == 4:
            raise ValueError("not four")
        return _sum(values, factor)

    said = judged(stops).message
    assert "your function stops with ValueError: not four" in said
    values = said.partition("values = [")[2].partition("]")[0]
    assert len(values.split(",")) == 4


def test_hidden_cases_cannot_be_told_from_an_example():
    example = next(iter([TASK.draw_case(cases.rng("weighted"), 1)]))
    answers = {float(example[0][0]): _sum(*example)}
    assert judged(lambda values, factor: answers.get(float(values[0]), 0.0)).status == "hint"


# ----- the exercises themselves

SLIPS = [("equalize_layers", slip) for slip in build_02.SLIPS]
SLIPS += [("scores_for_pruning", slip) for slip in build_04.SLIPS]
SLIPS += [("arena_plan", slip) for slip in build_01.SLIPS]
SLIPS += [("learned_step", slip) for slip in build_03.SLIPS]
SLIPS += [("hint_step", building.Slip(step, text)) for step, text in build_05.WRONG]
SLIPS += [("fold_to_bytes", slip) for slip in build_06.SLIPS]
SLIPS += [("fuse_graph", slip) for slip in build_07.SLIPS]
SLIPS += [("mel_triangles", slip) for slip in build_09.SLIPS]
SLIPS += [("split_without_leak", slip) for slip in build_10.SLIPS]


@pytest.mark.parametrize(
    ("name", "slip"), SLIPS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(SLIPS)]
)
def test_each_slip_gets_its_own_hint(name, slip):
    assert slip.hint in getattr(check, name)(slip.function).message


def test_equalizing_says_what_holds_already():
    said = check.equalize_layers(lambda w1, b1, w2: (w1, b1, w2)).message
    assert "Right already: three arrays of the right shapes; the outputs stay as they were." in said
    said = check.equalize_layers(build_02._each_to_one).message
    assert "the outputs stay" not in said.partition("The smallest")[0].partition("Right already")[2]


def planned(tensors, alignment, order):
    """Lowest free offsets, found by trying all: an independent plan."""
    offsets = {}
    for index in order:
        size, first, last = tensors[index]
        taken = [
            (offsets[other], offsets[other] + tensors[other][0])
            for other in offsets
            if tensors[other][1] <= last and first <= tensors[other][2]
        ]
        offset = 0
        while any(offset < end and start < offset + size for start, end in taken):
            offset += alignment
        offsets[index] = offset
    return [offsets[index] for index in range(len(tensors))]


def height(tensors, offsets):
    return max(offset + size for offset, (size, _, _) in zip(offsets, tensors, strict=True))


def alive(tensors):
    steps = range(max(last for _, _, last in tensors) + 1)
    return max(sum(size for size, first, last in tensors if first <= s <= last) for s in steps)


@pytest.mark.parametrize(("tensors", "alignment"), build_01.REACHABLE)
def test_where_the_bound_is_asked_one_order_in_five_reaches_it_and_the_lessons_does_not(
    tensors, alignment
):
    largest_first = sorted(range(len(tensors)), key=lambda index: -tensors[index][0])
    lessons = height(tensors, planned(tensors, alignment, largest_first))
    assert alive(tensors) < lessons <= 1.45 * alive(tensors)
    draw = np.random.default_rng(1)
    plans = [planned(tensors, alignment, draw.permutation(len(tensors))) for _ in range(200)]
    assert sum(height(tensors, plan) == alive(tensors) for plan in plans) >= 40


def test_a_plan_of_another_kind_that_is_as_low_is_right_too():
    """By search: the first order of all that takes no more than what is alive at once."""
    draw = np.random.default_rng(2)

    def searched(tensors, alignment):
        orders = [sorted(range(len(tensors)), key=lambda index: -tensors[index][0])]
        orders += [draw.permutation(len(tensors)) for _ in range(100)]
        return min((planned(tensors, alignment, it) for it in orders), key=lambda p: height(tensors, p))

    assert check.arena_plan(searched).status == "right"


def test_a_plan_says_what_holds_and_how_low_it_should_be():
    said = check.arena_plan(lambda tensors, alignment: [0] * len(tensors)).message
    assert "Right already: a whole number for each tensor; none is negative; all are multiples" in said
    assert "none overlap" not in said.partition("The smallest")[0]
    assert "a plan without overlaps of at most" in said
    wild = check.arena_plan(lambda tensors, alignment: ["a"] * len(tensors))
    assert (wild.status, "it makes ['a'" in wild.message) == ("hint", True)


def test_the_gradients_of_a_learned_step_by_hand():
    # Quotients 0.6, -1.2 and 1.5 at two bits: inside and up, inside and up, clipped at 1.
    values, to_x, to_step = build_03._in_numpy(
        np.array([0.3, -0.6, 0.75]), 0.5, -2, 1, np.array([1.0, 10.0, 100.0])
    )
    np.testing.assert_allclose(values, [0.5, -0.5, 0.5])
    np.testing.assert_allclose(to_x, [1, 10, 0])
    np.testing.assert_allclose(to_step, (1 * 0.4 + 10 * 0.2 + 100 * 1) / np.sqrt(3 * 1))


def test_a_step_with_hints_follows_the_slope_of_its_loss():
    """The adapter's biases, with gradients worked out by differences, move by rate times gradient."""
    case = (4, 7, 0.6)
    loss_of = {}

    def spy(student, teacher, adapter, images, labels, optimizer, weight):
        if loss_of:
            return
        theirs = teacher.eval().body(images).detach().numpy().astype(float)
        maps = student.train().body(images)
        ours = adapter(maps).detach().numpy().astype(float)
        logits = student.head(maps).detach().numpy().astype(float)
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        hard = -np.log(shares[np.arange(len(labels)), labels.numpy()]).mean()
        for place in range(4):
            for sign in (1, -1):
                bias = sign * 1e-4 * (np.arange(4) == place)
                squares = (ours + bias[:, None, None] - theirs) ** 2
                loss_of[place, sign] = weight * squares.mean() + (1 - weight) * hard

    build_05._in_two_steps(spy)(*case)
    slope = [(loss_of[place, 1] - loss_of[place, -1]) / 2e-4 for place in range(4)]
    moved = build_05._flat(build_05._learnt(*build_05._networks(7))) - build_05.TASK.reference(*case)[0]
    np.testing.assert_allclose(moved[-4:], 0.2 * np.array(slope), rtol=1e-3, atol=1e-6)


def test_a_step_that_stops_or_returns_nothing_gets_a_sentence():
    def stops(student, teacher, adapter, images, labels, optimizer, weight):
        raise ValueError("no idea")

    assert "stops with ValueError: no idea" in check.hint_step(stops).message
    idle = check.hint_step(lambda *given: None).message
    assert "No weight has moved" in idle and "the teacher stays as it was" in idle


def test_making_networks_draws_no_numbers_of_the_learners():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    build_05._networks(1)
    assert torch.equal(torch.rand(2), wanted)


def test_gradients_in_a_copy_of_a_process_that_took_some_itself():
    x = torch.ones(2, requires_grad=True)
    (x * x).sum().backward()
    assert check.learned_step(build_03._in_torch).status == "right"
    assert check.hint_step(lambda *given: build_05._with_functional(*given)).status == "right"


def test_scores_may_take_any_form_that_orders_alike():
    assert check.scores_for_pruning(lambda w: np.log(build_04._lamp(w) + 1e-12)).status == "right"
    assert build_04.SLIPS[0].hint in check.scores_for_pruning(lambda w: w**2 * 3 - 1).message


def test_bytes_of_a_layer_by_hand():
    # Weight 2, gamma 3 over a deviation of 2: folded 3; bias 1 - 0.5 * 1.5 = 0.25, in steps of
    # 3 / 127 * 0.02.
    one = [np.array([value], np.float32) for value in (3, 1, 0.5, 4 - 1e-5)]
    weights, bias = build_06.TASK.reference(np.full((1, 1, 1, 1), 2.0), *one, 0.02)
    assert weights.ravel().tolist() == [127] and bias.tolist() == [529]


def test_all_bytes_of_the_file_are_asked_for():
    layers = list(build_06._layers_of_the_file())
    assert [name for name, _, _ in layers][:3] == ["stem", "blocks.0.depthwise", "blocks.0.pointwise"]
    assert sum(weights.size for _, _, (weights, _) in layers) == 43_024
    for _, case, (weights, bias) in layers:
        assert weights.shape == case[0].shape and bias.shape == case[1].shape
        ours = build_06.TASK.reference(*case)
        assert np.array_equal(ours[0], weights) and np.array_equal(ours[1], bias)


def test_right_for_drawn_layers_and_wrong_for_the_file_is_no_answer():
    def small_only(weights, *rest):
        made = build_06.TASK.reference(weights, *rest)
        return made if weights.size < 100 else (made[0], made[1] + 1)

    assert "In `stem` of small.tflite some bytes differ" in check.fold_to_bytes(small_only).message


def test_a_single_precision_answer_makes_the_same_bytes():
    def in_float32(weights, gamma, beta, mean, variance, input_scale):
        factor = gamma / np.sqrt(variance + np.float32(1e-5))
        folded = weights * factor[:, None, None, None]
        scale = np.abs(folded).max((1, 2, 3)) / np.float32(127)
        assert scale.dtype == np.float32
        bias = (beta - mean * factor) / (scale * np.float32(input_scale))
        return np.rint(folded / scale[:, None, None, None]), np.rint(bias)

    verdict = check.fold_to_bytes(in_float32)
    assert verdict.status == "right", verdict.message
    assert "each is yours, except for 1 on a half" in verdict.message
    assert "each is yours. A converter" in check.fold_to_bytes(build_06.TASK.reference).message


def test_a_shortcut_is_not_fused_away():
    graph = {"a": ("Conv", "x"), "b": ("Relu", "a"), "c": ("Conv", "b"), "d": ("BatchNorm", "c"),
             "e": ("Add", "d", "b"), "f": ("Relu", "e")}  # fmt: skip
    assert build_07.TASK.reference(graph, ["f"]) == {
        "b": ("Conv+Relu", "x"),
        "d": ("Conv+BatchNorm", "b"),
        "e": ("Add", "d", "b"),
        "f": ("Relu", "e"),
    }


def test_a_graph_may_be_changed_in_place_and_nodes_may_be_lists():
    before = {"a": ("Conv", "x"), "b": ("Relu", "a")}
    copy = cases.copied((before, ["b"]))[0]
    copy.clear()
    assert len(before) == 2 and cases.size(before) == 4
    found = check.fuse_graph(lambda g, o: {k: list(n) for k, n in build_07._backwards(g, o).items()})
    assert found.status == "right", found.message
    assert check.fuse_graph(lambda g, o: g.clear() or build_07._forwards(g, o)).status == "hint"


def test_fused_operators_in_a_wrong_order_are_no_graph():
    graph, outputs = {"a": ("Conv", "x"), "b": ("Relu", "a"), "c": ("Relu", "b")}, ["c"]
    wanted = build_07.TASK.reference(graph, outputs)
    assert build_07.TASK.same(wanted, wanted)
    assert not build_07.TASK.same(dict(reversed(wanted.items())), wanted)


def test_triangles_are_those_of_the_package():
    from tinyml_helpers.usecases.keywords import features

    bins = np.arange(257) * 16_000 / 512
    ours = build_09.TASK.reference(10, 20.0, 4000.0, bins)
    np.testing.assert_allclose(ours, features.mel_filters(10, 20, 4000), atol=1e-12)


def test_of_a_split_there_always_is_one_and_the_simple_ones_fail():
    for case in build_10._hidden():
        people, _, movements = case
        assert build_10._complaint(case, build_10._every_choice(*case)) == ""
        for person in np.unique(people)[-1:]:
            left_out = np.flatnonzero(people != person), np.flatnonzero(people == person)
            assert build_10._complaint(case, left_out).endswith("in the test.")
        assert set(movements) > {"circle"}


def test_a_split_with_another_lot_gets_the_same_advice():
    def by_window(people, recordings, movements):
        return build_10._by_mask(np.random.default_rng(7).random(len(people)) < 0.25)

    said = check.split_without_leak(by_window).message
    assert build_10._LEAK in said and said.endswith("is on both sides.")
    said = check.split_without_leak(
        lambda p, r, m: build_10._by_mask(np.isin(p, np.unique(p)[:1]))
    ).message
    assert build_10._MISSED in said and said.endswith("in the test.")


def test_whoever_takes_the_first_fold_of_a_stratified_split_is_told_to_count():
    from sklearn.model_selection import StratifiedGroupKFold

    def first_fold(people, recordings, movements):
        return next(StratifiedGroupKFold(4).split(people, movements, people))

    assert check.split_without_leak(first_fold).status == "hint"
