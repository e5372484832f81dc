import sys
import warnings

import pytest
import torch

from tinyml_helpers.system import compat


def test_torchvision_imports_beside_any_torch_and_its_models_run():
    torchvision = compat.import_torchvision()
    assert compat.import_torchvision() is torchvision
    with torch.device("meta"):
        model = torchvision.models.resnet50()
    assert sum(p.numel() for p in model.parameters()) == 25_557_032
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]])
    assert torchvision.ops.box_iou(boxes, boxes)[0, 1] == pytest.approx(1 / 7)


def test_another_failure_of_torchvision_is_told(monkeypatch):
    def fail(name):
        raise RuntimeError("something else")

    monkeypatch.setattr(compat.importlib, "import_module", fail)
    with pytest.raises(ImportError, match="something else"):
        compat.import_torchvision()


@pytest.mark.parametrize("before", [True, False])
def test_triton_is_never_loaded_after_tensorflow(monkeypatch, tmp_path, before):
    (tmp_path / "triton.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    loaded = []

    def quietly(name):
        loaded.append(sys.modules.get("triton"))
        raise ImportError(name)

    monkeypatch.setattr(compat, "_import_quietly", quietly)
    if not before:
        monkeypatch.setitem(sys.modules, "tensorflow", object())
    with pytest.raises(ImportError, match="tensorflow"):
        compat.import_tensorflow()
    assert (loaded[0] is not None) == before
    if not before:
        with pytest.raises(ImportError):
            import triton  # noqa: F401
    sys.modules.pop("triton", None)


def test_only_the_named_warnings_are_hidden():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        compat.expect_quantization_warnings()
        warnings.warn("torch.ao.quantization is deprecated and ...", DeprecationWarning, stacklevel=1)
        warnings.warn("something else", DeprecationWarning, stacklevel=1)
    assert [str(w.message) for w in seen] == ["something else"]
