import json

import pytest
import torch
from torch import nn

from tinyml_helpers import datasets, models, training
from tinyml_helpers.compress import distill, hints, qat, students
from tinyml_helpers.course import scoreboard
from tinyml_helpers.system import compat

NOTES = json.loads(datasets.read_verified("models/students.json"))


def test_every_student_that_has_a_recipe_is_stored_and_noted():
    names = list(students.names())
    assert len(names) == len(set(names))
    for key in ("held_out_accuracy_percent", "test_accuracy_percent"):
        assert set(NOTES[key]) == set(names)
    stored = datasets.read_verified("models/students.safetensors")
    size = int.from_bytes(stored[:8], "little")
    tensors = json.loads(stored[8 : 8 + size])
    weights = {name.rsplit("/", 1)[0] for name in tensors if name != "__metadata__"}
    assert weights == {n for n in names if n.split("/")[1] not in students.NOTED or n.endswith("/0")}


@pytest.mark.parametrize("kind", ["few/alone", "few/small-4-0.9", "many/distilled-4-0.9"])
def test_what_was_noted_is_read_by_seed(kind):
    noted = students.percent_right(kind, 3)
    assert noted.tolist() == [NOTES["test_accuracy_percent"][f"{kind}/{seed}"] for seed in range(3)]
    held_out = students.percent_right(kind, 3, held_out=True)
    assert held_out[2] == NOTES["held_out_accuracy_percent"][f"{kind}/2"]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ("smoothed", "smoothed-0.37"), ("flat", "flat-4-0.9"), ("permuted", "permuted-4-0.9"),
        ("leveled", "leveled-4-0.9"), ("distilled", "distilled-4-0.9"), ("by_small", "small-4-0.9"),
        ("hint", "hint"), ("swapped_hint", "swapped"),
    ],
)  # fmt: skip
def test_a_published_gain_is_that_of_the_noted_students(record, kind):
    published = scoreboard.reference()[f"distill.tiny_few.{record}_gain_points"]
    assert published == pytest.approx(students.gain(f"few/{kind}", 5).mean(), abs=0.006)


@pytest.fixture
def short(monkeypatch):
    """Two epochs in place of thirty, and no student remembered."""
    monkeypatch.setattr(students, "EPOCHS", {"few": 2, "many": 1})
    students._once.cache_clear()
    yield
    students._once.cache_clear()


KINDS = (
    "alone", "smoothed-0.1", "distilled-4-0.9", "flat-4-0.9", "permuted-4-0.9", "leveled-4-0.9",
    "small-4-0.9", "hint", "swapped", "hint-4-0.9",
)  # fmt: skip


def test_kinds_of_one_seed_are_told_different_things_and_the_same_name_gives_the_same(short):
    made = {kind: students.train(f"few/{kind}/0").state_dict() for kind in KINDS}
    heads = [state["head.weight"] for state in made.values()]
    for place, one in enumerate(heads):
        assert not any(torch.equal(one, other) for other in heads[place + 1 :])
    again = students.train("few/hint-4-0.9/0").state_dict()
    assert all(torch.equal(made["hint-4-0.9"][name], again[name]) for name in again)
    assert set(again) == set(models.build("tiny").state_dict())


def test_trained_anew_they_are_scored_anew(short):
    anew = students.percent_right("few/alone", 1, held_out=True, anew=True)
    held_out = datasets.load_fashion().train.take(slice(0, None, 10))
    assert anew[0] == training.accuracy(students.train("few/alone/0"), held_out)


def test_three_bits_are_trained_from_a_student(short, monkeypatch):
    compat.expect_quantization_warnings()
    monkeypatch.setattr(students, "QAT_RECIPE", {**students.QAT_RECIPE, "epochs": 1})
    taught, alone = (
        qat.export_tensors(students.train(f"few/{kind}/1")) for kind in ("int3-taught", "int3-labels")
    )
    assert len(taught["head.weight"].unique()) <= 2**3
    assert not torch.equal(taught["head.weight"], alone["head.weight"])
    assert set(taught) == set(qat.export_tensors(students.train("few/int3-alone/1")))


def test_a_hint_is_the_mean_squared_error_of_the_maps_through_a_convolution():
    torch.manual_seed(0)
    student, teacher = models.build("tiny").eval(), models.load_trained("small")
    part = datasets.load_fashion().train.take(slice(0, 16))
    images, labels = part.tensors()
    theirs = training.predict(hints.body(teacher), part)
    assert theirs.shape == (16, 128, 7, 7)
    hinted = hints.Hinted(student, 128)
    data, loss = hints.from_maps(theirs, part, training.label_loss)
    logits, maps = hinted(images)
    torch.testing.assert_close(logits, student(images))
    # the convolution, by hand: a weighted sum over the student's channels, at each pixel
    inside = student.blocks(student.stem(images))
    weights, biases = hinted.adapter.weight[:, :, 0, 0], hinted.adapter.bias
    by_hand = torch.einsum("oc,nchw->nohw", weights, inside) + biases[:, None, None]
    squares = ((by_hand - theirs) ** 2).mean()
    seen, *told = data[torch.arange(16)]
    wanted = nn.functional.cross_entropy(logits, labels) + squares
    torch.testing.assert_close(loss(seen, (logits, maps), told), wanted)


def test_hints_are_added_to_what_a_teacher_answers():
    part = datasets.load_fashion().train.take(slice(0, 8))
    known, theirs = torch.randn(8, 10), torch.randn(8, 4, 7, 7)
    data, loss = hints.from_maps(theirs, *distill.from_logits(known, part))
    logits, maps = torch.randn(8, 10), torch.zeros(8, 4, 7, 7)
    seen, *told = data[torch.arange(8)]
    answers = distill.distillation_loss(logits, known, torch.from_numpy(part.labels))
    torch.testing.assert_close(loss(seen, (logits, maps), told), answers + (theirs**2).mean())


def test_swapped_maps_are_those_of_another_image_of_the_same_class():
    labels = torch.tensor([3, 1, 3, 1, 3, 0])
    maps = torch.arange(6.0)[:, None].expand(6, 2)
    assert hints.swap_within_classes(maps, labels)[:, 0].tolist() == [2, 3, 4, 1, 0, 5]
    assert maps[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
