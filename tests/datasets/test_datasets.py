import gzip
import hashlib
import http.server
import json
import re
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyml_helpers import datasets, models
from tinyml_helpers.datasets.images import fashion_mnist


def test_fashion_is_whole_balanced_and_of_the_stated_types():
    fashion = datasets.load_fashion()
    assert fashion.test.images.shape == (10_000, 28, 28)
    assert fashion.train.images.dtype == np.uint8
    assert fashion.test.labels.dtype == np.int64
    assert (np.bincount(fashion.train.labels) == 1200).all()
    assert (np.bincount(fashion.test.labels) == 1000).all()


def test_no_test_image_is_in_the_training_part():
    fashion = datasets.load_fashion()
    train = {image.tobytes() for image in fashion.train.images}
    shared = sum(image.tobytes() in train for image in fashion.test.images)
    # Fashion-MNIST itself repeats a handful of images across its two parts.
    assert shared <= 5


def test_tensors_are_scaled_to_one():
    images, labels = datasets.load_fashion().test.take(slice(0, 7)).tensors()
    assert images.shape == (7, 1, 28, 28)
    assert float(images.min()) == 0.0
    assert float(images.max()) == 1.0
    assert labels.tolist()[0] == 9


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def damage_flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def damage_empty(path):
    path.write_bytes(b"")


def damage_remove(path):
    path.unlink()


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip_one_bit, damage_empty, damage_remove])
def test_a_damaged_file_is_named_with_its_cure(copied_data, damage):
    damage(copied_data / "fashion_mnist_test.npz")
    with pytest.raises(datasets.DataError, match=r"fashion_mnist_test\.npz.*git checkout -- data/"):
        datasets.load_fashion()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"other": 1}'])
def test_a_damaged_manifest_is_named_with_its_cure(copied_data, text):
    (copied_data / "manifest.json").write_text(text)
    with pytest.raises(datasets.DataError, match=r"manifest\.json.*git checkout"):
        datasets.load_fashion()


def test_a_folder_without_data_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_DATA", str(tmp_path))
    with pytest.raises(datasets.DataError, match="TINYML_DATA"):
        datasets.load_fashion()


def test_a_file_that_is_not_listed_is_refused(copied_data):
    (copied_data / "extra.npz").write_bytes(b"unknown")
    with pytest.raises(datasets.DataError, match=r"not in data/manifest\.json"):
        datasets.read_verified("extra.npz")


def test_the_manifest_lists_every_shipped_file_with_its_true_size():
    folder = datasets.data_folder()
    for name, entry in datasets.manifest().items():
        content = (folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name[0] != "."
    }
    scripts = {name for name in files if name.startswith("build/")}
    assert files - scripts - {"README.md", "manifest.json"} == set(datasets.manifest())
    assert not [path for path in folder.rglob("*") if path.suffix in {".pt", ".pth", ".pkl", ".pickle"}]


def test_every_data_file_has_a_card():
    cards = (datasets.data_folder() / "README.md").read_text("utf-8")
    for name in datasets.manifest():
        if name.endswith((".npz", ".safetensors", ".tflite")):
            assert f"`{name}`" in cards


@given(st.binary(max_size=200))
def test_idx_decoding_answers_any_bytes_with_an_array_or_one_clear_error(content):
    for packed in (content, gzip.compress(content)):
        try:
            assert isinstance(datasets.decode_idx(packed), np.ndarray)
        except datasets.DataError as error:
            assert "IDX" in str(error)


def test_idx_decoding_of_a_file_made_by_hand():
    packed = gzip.compress(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(6)))
    assert datasets.decode_idx(packed).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A public home on loopback that serves a whole, tiny Fashion-MNIST."""
    served = tmp_path / "served"
    served.mkdir()
    for part, count in (("train", 6), ("t10k", 2)):
        images = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(784 * count)
        labels = bytes([0, 0, 8, 1, 0, 0, 0, count]) + bytes(range(count))
        (served / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (served / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in served.iterdir()}

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(served))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fashion_mnist, "FASHION_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(fashion_mnist, "FASHION_MD5", sums)
    yield served
    server.shutdown()
    server.server_close()


def test_the_full_set_is_fetched_once_and_verified(home):
    fashion = datasets.load_fashion(full=True)
    assert (len(fashion.train), len(fashion.test)) == (6, 2)
    for path in home.iterdir():
        path.unlink()
    assert datasets.load_fashion(full=True).train.labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_download_that_arrives_changed_is_refused(home):
    (home / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(datasets.DataError, match="could not fetch train-images"):
        datasets.load_fashion(full=True)


def test_no_network_is_told_in_one_sentence_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "FASHION_URL", "http://127.0.0.1:9/")
    with pytest.raises(datasets.DataError, match=r"check the network.*without full=True"):
        datasets.load_fashion(full=True)


def test_recipes_are_stored_beside_the_models_that_they_made():
    recipes = json.loads((datasets.data_folder() / "models" / "spine.json").read_text())
    assert set(recipes) == set(models.NAMES)
    for name, recipe in recipes.items():
        network = models.load_trained(name)
        assert recipe["parameters"] == sum(one.numel() for one in network.parameters())
        losses = recipe["training_loss"]
        assert len(losses) == recipe["recipe"]["epochs"]
        assert losses[-1] < 0.5 * losses[0]
        # Each batch norm counted the batches that it saw: whole ones of all the training images.
        (seen,) = {int(value) for key, value in network.state_dict().items() if "num_batches" in key}
        batches = recipe["training_images"] // recipe["recipe"]["batch_size"]
        assert seen == batches * recipe["recipe"]["epochs"]


def test_every_script_that_a_card_names_is_there():
    folder = datasets.data_folder()
    cards = (folder / "README.md").read_text("utf-8")
    scripts = set(re.findall(r"`(build/\w+\.py)`", cards))
    assert len(scripts) >= 3
    assert all((folder / script).is_file() for script in scripts)
