import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.ao.quantization import MinMaxObserver, PerChannelMinMaxObserver

from tinyml_helpers.compress import affine as maps
from tinyml_helpers.system import compat

floats = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=2, max_side=20), elements=st.floats(-1e4, 1e4, width=32)
)


def test_affine_by_hand():
    # 256 steps over -1..3: scale 4/255, and zero lies 63.75 steps from the left end.
    made = maps.affine(-1.0, 3.0)
    assert float(made.scale) == pytest.approx(4 / 255)
    assert int(made.zero_point) == 64
    assert made.quantize(torch.tensor([-1.0, 0.0, 3.0, 99.0])).tolist() == [0, 64, 255, 255]


@pytest.mark.parametrize(("bits", "most"), [(2, 1), (4, 7), (8, 127)])
def test_what_lies_beyond_a_symmetric_range_is_clipped_at_both_ends(bits, most):
    made = maps.weight_affine(torch.tensor([[float(most), -float(most)]]), bits)
    far = torch.tensor([[1e6, -1e6]])
    assert made.limits == (-most, most)
    assert made.quantize(far).tolist() == [[most, -most]]
    assert made.round_trip(far).tolist() == [[most, -most]]


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
    assert maps.binarize(weight).tolist() == [[2.0, -2.0], [0.5, 0.5]]


def test_calibration_methods_on_a_long_tail():
    values = torch.cat(
        [torch.randn(100_000, generator=torch.Generator().manual_seed(0)).abs(), torch.tensor([50.0])]
    )
    assert maps.choose_range(values, "min-max") == (float(values.min()), 50.0)
    low, high = maps.choose_range(values, "percentile")
    assert low >= 0
    assert high == pytest.approx(3.29, abs=0.1)  # 99.9 % of a half-normal
    assert 1 < maps.choose_range(values, "least error", bits=4)[1] < 10


def test_the_range_of_least_error_by_hand():
    # 100 ones and one 4, in 2 bits. With steps of s a 1 comes back as s, and 4 as 3 s, clipped: the sum
    # 100 (s - 1)^2 + (3 s - 4)^2 is least at s = 112 / 109, so the range ends at 3.083; of the shares
    # of 4 that are tried, 0.77 is nearest.
    values = torch.cat([torch.ones(100), torch.tensor([4.0])])
    assert maps.choose_range(values, "least error", bits=2) == (0, pytest.approx(0.77 * 4))


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(np.float32, st.integers(1, 40), elements=st.floats(-8, 8, width=32)), st.integers(2, 8)
)
def test_no_other_range_that_is_tried_errs_less(values, bits):
    def error(low, high):
        """By the formula, in numpy; the range is widened to hold zero."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max((high - low) / (2**bits - 1), np.finfo(np.float32).eps)
        zero = np.round(-low / scale)
        steps = np.clip(np.round(values / scale) + zero, 0, 2**bits - 1)
        return np.mean((scale * (steps - zero) - values) ** 2)

    found = error(*maps.choose_range(torch.from_numpy(values), "least error", bits))
    ends = float(values.min()), float(values.max())
    tried = [error(share * ends[0], share * ends[1]) for share in np.arange(1, 101) / 100]
    # Steps that fall on a half may be rounded otherwise in float32.
    assert found <= min(tried) * 1.05 + 1e-3


def test_runtimes_round_a_half_as_they_are_documented_to():
    compat.expect_quantization_warnings()
    found = maps.round_by_runtime([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6])
    to_even, away = [0, 2, 2, 0, -2, 2, -3], [1, 2, 3, -1, -2, 2, -3]
    assert found.pop("LiteRT, reference kernels") == away
    assert set(found) == {"numpy", "PyTorch", "ONNX Runtime", "LiteRT, optimized kernels"}
    assert all(rounded == to_even for rounded in found.values())


def test_calibration_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="unknown method 'mean': choose min-max"):
        maps.choose_range(torch.ones(3), "mean")
    with pytest.raises(ValueError, match="no values"):
        maps.choose_range(torch.empty(0))


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
