import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tinyml_helpers import datasets, models, training
from tinyml_helpers.compress import distill

SEEDS = st.integers(0, 2**31)
TEMPERATURES = st.floats(0.5, 50)


def logits(seed, images=6, classes=4, spread=3.0):
    draw = torch.Generator().manual_seed(seed)
    return tuple(spread * torch.randn(2, images, classes, generator=draw, dtype=torch.float32))


def labels(images=6, classes=4):
    return torch.arange(images) % classes


def test_two_classes_by_hand():
    """Teacher 3/4 : 1/4, student even: KL = 3/4 ln(3/2) + 1/4 ln(1/2), and ln 2 for the label."""
    student, teacher = torch.zeros(1, 2), torch.tensor([[math.log(3.0), 0.0]])
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(distill.soft_loss(student, teacher, 1.0)) == pytest.approx(divergence, rel=1e-5)
    both = distill.distillation_loss(student, teacher, torch.tensor([0]), temperature=1, weight=0.25)
    assert float(both) == pytest.approx(0.25 * divergence + 0.75 * math.log(2), rel=1e-5)


def test_softened_probabilities_by_hand():
    """Logits ln 9 and 0 are 9 : 1; at temperature 2 they are the root of that, 3 : 1."""
    probabilities = distill.soften(torch.tensor([[math.log(9.0), 0.0]]), 2)
    torch.testing.assert_close(probabilities, torch.tensor([[0.75, 0.25]]))


@settings(max_examples=30, deadline=None)
@given(SEEDS, TEMPERATURES)
def test_it_is_what_kl_div_says(seed, temperature):
    student, teacher = logits(seed)
    theirs = temperature**2 * functional.kl_div(
        functional.log_softmax(student / temperature, 1),
        functional.softmax(teacher / temperature, 1),
        reduction="batchmean",
    )
    torch.testing.assert_close(
        distill.soft_loss(student, teacher, temperature), theirs, rtol=1e-3, atol=1e-4
    )


@settings(max_examples=30, deadline=None)
@given(SEEDS, TEMPERATURES, st.floats(-50, 50))
def test_it_is_never_negative_zero_for_a_perfect_copy_and_blind_to_a_constant(seed, temperature, shift):
    student, teacher = logits(seed)
    loss = distill.soft_loss(student, teacher, temperature)
    assert loss > -1e-3  # rounding, times the temperature squared
    assert abs(distill.soft_loss(teacher, teacher + shift, temperature)) < 1e-2
    torch.testing.assert_close(
        distill.soft_loss(student + shift, teacher - shift, temperature), loss, rtol=1e-2, atol=1e-2
    )


def test_equal_logits_cost_nothing_at_weight_one():
    _, teacher = logits(0)
    assert distill.distillation_loss(teacher, teacher, labels(), weight=1.0) == 0


@settings(max_examples=20, deadline=None)
@given(SEEDS, TEMPERATURES)
def test_at_weight_zero_only_the_labels_count(seed, temperature):
    student, teacher = logits(seed)
    loss = distill.distillation_loss(student, teacher, labels(), temperature=temperature, weight=0)
    torch.testing.assert_close(loss, functional.cross_entropy(student, labels()))


def gradient(student, teacher, temperature):
    student = student.clone().requires_grad_()
    distill.soft_loss(student, teacher, temperature).backward()
    return student.grad


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_hot_enough_it_matches_logits(seed):
    """The limit of section 2.1: gradient (student - teacher) / classes, for logits of mean zero."""
    student, teacher = (z - z.mean(1, keepdim=True) for z in logits(seed, spread=1.0))
    limit = (student - teacher) / student.shape[1] / len(student)
    torch.testing.assert_close(gradient(student, teacher, 1000.0), limit, rtol=0.02, atol=2e-4)


def test_the_square_of_the_temperature_keeps_the_size_of_the_gradient():
    student, teacher = logits(1, images=100, classes=10)
    norms = [float(gradient(student, teacher, t).norm()) for t in (2.0, 4.0, 8.0, 16.0, 32.0)]
    assert max(norms) < 3 * min(norms)
    without = [norm / t**2 for norm, t in zip(norms, (2.0, 4.0, 8.0, 16.0, 32.0), strict=True)]
    assert max(without) > 50 * min(without)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(temperature):
    student, teacher = logits(0)
    for attempt in (
        lambda: distill.soften(student, temperature),
        lambda: distill.soft_loss(student, teacher, temperature),
        lambda: distill.from_teacher(models.build("tiny"), temperature=temperature),
    ):
        with pytest.raises(ValueError, match=r"temperature .*: give a number above zero"):
            attempt()


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_out_of_range_is_refused_before_training(weight):
    with pytest.raises(ValueError, match=r"weight .*: give 0 \(labels only\) to 1"):
        distill.from_teacher(models.build("tiny"), weight=weight)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"temperature": -1}, {"weight": 1.1}])
def test_what_is_out_of_range_is_refused_before_training_begins(options):
    part = datasets.load_fashion().train.take(slice(0, 10))
    with pytest.raises(ValueError, match=r"temperature|weight"):
        distill.from_logits(torch.zeros(10, 10), part, **options)
    with pytest.raises(ValueError, match=r"temperature|weight"):
        distill.from_teacher(models.build("tiny"), **options)


def test_logits_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"student logits \[2, 3\], teacher logits \[2, 4\]"):
        distill.soft_loss(torch.zeros(2, 3), torch.zeros(2, 4), 1.0)


def test_the_teacher_is_frozen_whatever_happens_to_the_original():
    teacher = models.load_trained("tiny")
    images, truth = datasets.load_fashion().train.take(slice(0, 64)).tensors()
    student = torch.zeros(64, 10, requires_grad=True)
    loss = distill.from_teacher(teacher)
    before = loss(images, student, truth)
    teacher.train()
    with torch.no_grad():
        teacher.head.weight.zero_()
    after = loss(images, student, truth)
    assert torch.equal(before, after)
    after.backward()
    assert student.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert teacher.training


def test_a_student_comes_to_agree_with_its_teacher():
    fashion = datasets.load_fashion()
    teacher, part = models.load_trained("tiny"), fashion.train.take(slice(None, None, 12))
    theirs = training.predict(teacher, part)
    torch.manual_seed(0)
    student = models.build("tiny", 0.5)
    distances = []
    for _ in range(3):
        training.fit(
            student, part, epochs=4, batch_size=50, loss=distill.from_teacher(teacher, weight=1.0)
        )
        distances.append(float(distill.soft_loss(training.predict(student, part), theirs, 4.0)))
    assert distances[1] < distances[0]
    assert distances[2] < 0.7 * distances[0]


def test_a_teacher_that_looked_once_says_the_same_as_one_that_looks_each_time():
    teacher = models.load_trained("tiny")
    part = datasets.load_fashion().train.take(slice(0, 100))
    images, truth = part.tensors()
    data, once = distill.from_logits(training.predict(teacher, part), part, temperature=3, weight=0.7)
    chosen, student = torch.tensor([5, 99, 0, 42]), torch.randn(4, 10)
    seen, *told = data[chosen]
    each_time = distill.from_teacher(teacher, temperature=3, weight=0.7)
    torch.testing.assert_close(once(seen, student, told), each_time(seen, student, truth[chosen]))
    assert torch.equal(seen, images[chosen])
    assert len(data) == 100
    with pytest.raises(ValueError, match="logits of 99 images for 100: give one row for each"):
        distill.from_logits(torch.zeros(99, 10), part)


def test_labels_are_labels_and_logits_stand_beside_them():
    """No number of an image passes for a label: whoever reads the data meets what they are."""
    part = datasets.load_fashion().train.take(slice(0, 20))
    known = torch.randn(20, 10)
    images, truth, logits = distill.from_logits(known, part)[0].tensors
    assert truth.tolist() == part.labels.tolist()
    assert torch.equal(logits, known) and len(images) == 20


def test_an_unknown_student_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no student 'few/alone/9': choose one of .*few/alone/0"):
        distill.load_student("few/alone/9")


def test_bfloat16_changes_little():
    teacher = models.load_trained("tiny")
    images, truth = datasets.load_fashion().train.take(slice(0, 64)).tensors()
    exact, fast = (
        distill.from_teacher(teacher, bfloat16=low)(images, torch.zeros(64, 10), truth)
        for low in (False, True)
    )
    assert exact.dtype == fast.dtype == torch.float32
    torch.testing.assert_close(exact, fast, rtol=0.02, atol=0.02)


def test_a_shuffled_teacher_is_as_soft_and_as_sure_and_knows_no_likeness():
    known, truth = logits(3, images=200, classes=10)[0], labels(200, 10)
    mixed = distill.shuffle_wrong(known, truth)
    assert torch.equal(mixed.sort(1).values, known.sort(1).values)
    chosen = truth[:, None]
    assert torch.equal(mixed.gather(1, chosen), known.gather(1, chosen))
    stayed = ((mixed == known).sum(1) - 1) / 9
    assert 0.05 < float(stayed.mean()) < 0.2  # one in nine by chance
    assert torch.equal(distill.shuffle_wrong(known, truth), mixed)
    assert (mixed[0].argsort() != mixed[1].argsort()).any()


@settings(max_examples=20, deadline=None)
@given(SEEDS, TEMPERATURES)
def test_a_leveled_teacher_keeps_the_probability_of_the_label_and_spreads_the_rest(seed, temperature):
    known, truth = logits(seed)[0], labels()
    before = distill.soften(known, temperature)
    after = distill.soften(distill.level_wrong(known, truth, temperature), temperature)
    sure = before.gather(1, truth[:, None])
    expected = ((1 - sure) / 3).expand(-1, 4).scatter(1, truth[:, None], sure)
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "few/alone/0",
        "few/permuted-4-0.9/4",
        "few/int3-taught/2",
        "few/hint-4-0.9/0",
        "many/small-4-0.9/0",
    ],
)
def test_the_noted_accuracy_of_a_stored_student_is_counted_again(name):
    notes = json.loads(datasets.read_verified("models/students.json"))["test_accuracy_percent"]
    counted = training.accuracy(distill.load_student(name), datasets.load_fashion().test)
    assert counted == pytest.approx(notes[name], abs=0.03)
