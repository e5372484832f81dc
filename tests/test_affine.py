import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver

from tinyml_helpers.compress import affine as maps

floats = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=2, max_side=20), elements=st.floats(-1e4, 1e4, width=32)
)


def test_affine_by_hand():
    # 256 steps over -1..3: scale 4/255, and zero lies 63.75 steps from the left end.
    made = maps.affine(-1.0, 3.0)
    assert float(made.scale) == pytest.approx(4 / 255)
    assert int(made.zero_point) == 64
    assert made.quantize(torch.tensor([-1.0, 0.0, 3.0, 99.0])).tolist() == [0, 64, 255, 255]


def test_symmetric_weights_by_hand():
    weight = torch.tensor([[1.2, -2.0], [0.5, 0.27]])
    made = maps.weight_affine(weight, 4)
    assert made.scale.tolist() == pytest.approx([2 / 7, 0.5 / 7])
    assert made.quantize(weight).tolist() == [[4, -7], [7, 4]]


@given(floats)
@settings(deadline=None)
def test_affine_agrees_with_torch_s_observer(values):
    tensor = torch.from_numpy(values)
    observer = MinMaxObserver(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    observer(tensor)
    scale, zero_point = observer.calculate_qparams()
    ours = maps.affine(tensor.min(), tensor.max())
    assume(float(tensor.abs().max()) >= 1e-4)  # both fall back to a smallest scale, each its own
    torch.testing.assert_close(ours.scale, scale[0], rtol=1e-6, atol=0)
    assert int(ours.zero_point) == int(zero_point)


def test_per_channel_weights_agree_with_torch_s_observer():
    weight = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    observer = PerChannelMinMaxObserver(
        dtype=torch.qint8, qscheme=torch.per_channel_symmetric, quant_min=-127, quant_max=127
    )
    observer(weight)
    scale, _ = observer.calculate_qparams()
    torch.testing.assert_close(maps.weight_affine(weight).scale, scale)


@given(floats, st.integers(2, 12), st.booleans())
@settings(deadline=None)
def test_round_trip_errs_by_at_most_half_a_step_and_settles(values, bits, symmetric):
    tensor = torch.from_numpy(values)
    made = maps.affine(tensor.min(), tensor.max(), bits, symmetric=symmetric)
    once = made.round_trip(tensor)
    step = float(made.scale)
    # Rounding the zero point costs up to another half step at one end of the range.
    limit = 0.5 if symmetric else 1.0
    assert float((once - tensor).abs().max()) <= limit * step * 1.001 + 1e-6
    torch.testing.assert_close(made.round_trip(once), once)
    assert float(made.round_trip(torch.zeros(()))) == 0.0


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [(0, 1, 1), (0, 1, 17), (2, 1, 8), (float("nan"), 1, 8), (0, float("inf"), 8)],
)
def test_impossible_ranges_are_refused(low, high, bits):
    with pytest.raises(ValueError, match=r"choose 2 to 16|give finite values"):
        maps.affine(low, high, bits)


def test_binary_by_hand():
    weight = torch.tensor([[1.0, -3.0], [0.5, 0.5]])
    assert maps.binary(weight).tolist() == [[2.0, -2.0], [0.5, 0.5]]


def test_calibration_methods_on_a_long_tail():
    values = torch.cat(
        [torch.randn(100_000, generator=torch.Generator().manual_seed(0)).abs(), torch.tensor([50.0])]
    )
    assert maps.calibrate(values, "min-max") == (float(values.min()), 50.0)
    low, high = maps.calibrate(values, "percentile", percentile=99.9)
    assert low >= 0
    assert high == pytest.approx(3.29, abs=0.1)  # 99.9 % of a half-normal
    assert 1 < maps.calibrate(values, "entropy", bits=4)[1] < 10


def test_calibration_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="unknown method 'mean': choose min-max"):
        maps.calibrate(torch.ones(3), "mean")
    with pytest.raises(ValueError, match="no values"):
        maps.calibrate(torch.empty(0))


@pytest.mark.parametrize("per_channel", [False, True])
def test_round_trip_agrees_with_torch_s_fake_quantization(per_channel):
    weight = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    made = maps.weight_affine(weight, 4, per_channel=per_channel)
    limits = made.limits
    theirs = (
        torch.fake_quantize_per_channel_affine(weight, made.scale, made.zero_point, 0, *limits)
        if per_channel
        else torch.fake_quantize_per_tensor_affine(weight, made.scale, made.zero_point, *limits)
    )
    torch.testing.assert_close(made.round_trip(weight), theirs)
    torch.testing.assert_close(made.dequantize(made.quantize(weight)), theirs)
