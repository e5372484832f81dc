"""Costs: hand-counted layers, an independent counter, memory over time, and the real boards."""

import dataclasses
import statistics
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from tinyml_helpers import cost, devices, models
from tinyml_helpers.cost import boards, latency
from tinyml_helpers.mcu.reports import published
from tinyml_helpers.system.compat import import_torchvision


class Residual(nn.Module):
    """y = relu(B(relu(A(x))) + x), every convolution 1x1 with 4 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(4, 4, 1)
        self.b = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.b(torch.relu(self.a(x))) + x)


# --- MACs and parameters -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "macs", "params"),
    [
        # outputs x taps x input channels of a group
        (nn.Conv2d(3, 8, 3), (1, 3, 10, 10), 8 * 8 * 8 * 9 * 3, 8 * 27 + 8),
        (nn.Conv2d(3, 8, 3, padding=1, stride=2), (1, 3, 10, 10), 8 * 5 * 5 * 27, 224),
        (nn.Conv2d(4, 8, 3, groups=2, bias=False), (1, 4, 5, 5), 8 * 3 * 3 * 9 * 2, 8 * 9 * 2),
        (nn.Conv2d(4, 4, 3, groups=4, bias=False), (1, 4, 5, 5), 4 * 3 * 3 * 9, 36),
        (nn.Conv2d(2, 2, 3, dilation=2, bias=False), (1, 2, 9, 9), 2 * 5 * 5 * 9 * 2, 36),
        (nn.Conv2d(1, 64, (10, 4), 2, (5, 1)), (1, 1, 49, 10), 64 * 25 * 5 * 40, 2624),
        (nn.Conv1d(6, 8, 5, bias=False), (1, 6, 100), 8 * 96 * 5 * 6, 240),
        (nn.ConvTranspose2d(3, 4, 3, stride=2, bias=False), (1, 3, 5, 5), 25 * 3 * 4 * 9, 108),
        (nn.Linear(10, 7), (1, 10), 70, 77),
        (nn.Linear(10, 7), (3, 10), 210, 77),
        (nn.LSTM(8, 16), (5, 1, 8), 5 * 4 * 16 * (8 + 16), 4 * 16 * (8 + 16) + 8 * 16),
    ],
)
def test_layers_counted_by_hand(
    layer: nn.Module, shape: tuple[int, ...], macs: int, params: int
) -> None:
    counted = cost.count(layer, shape)
    assert (counted.macs, counted.params) == (macs, params)
    assert not counted.uncounted


class Waves(nn.Module):
    """Without parts or parameters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x) * 2 + torch.cos(x)


class Part(nn.Module):
    """A layer, and more besides."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.inner(x)) * 2


def test_a_submodule_without_parts_is_a_row_and_others_have_one_for_each_operator() -> None:
    dense = ("fully connected", 6, 4)
    for model, rows in (
        (nn.Sequential(Waves(), nn.Linear(2, 2)), [("0", "Waves", 0, 0), ("1", *dense)]),
        (nn.Sequential(Part()), [("0.inner", *dense), ("0", "sin", 0, 0), ("0", "mul", 0, 0)]),
        (Waves(), [("(model)", kind, 0, 0) for kind in ("sin", "mul", "cos", "add")]),
    ):
        counted = cost.count(model, (1, 2))
        assert [(row.name, row.kind, row.params, row.macs) for row in counted.layers] == rows


def macs_by_kind(counted: cost.ModelCost) -> dict[str, int]:
    """MACs of each kind of layer that multiplies; "matmul" has activations on both sides."""
    kinds = dict.fromkeys(layer.kind for layer in counted.layers if layer.macs)
    return {kind: sum(one.macs for one in counted.layers if one.kind == kind) for kind in kinds}


def test_kinds_of_layers() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 8, 1), nn.Flatten(), nn.Linear(72, 2)
    )
    by_kind = macs_by_kind(cost.count(model, (1, 4, 5, 5)))
    assert by_kind == {"convolution": 288, "depthwise": 324, "fully connected": 144}


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Conv2d, tuple[int, ...]]:
    groups = draw(st.sampled_from([1, 2, 4]))
    inputs, outputs = (groups * draw(st.integers(1, 4)) for _ in range(2))
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    layer = nn.Conv2d(
        inputs,
        outputs,
        kernel,
        stride=draw(st.integers(1, 3)),
        padding=draw(st.integers(0, 2)),
        dilation=draw(st.integers(1, 2)),
        groups=groups,
        bias=draw(st.booleans()),
    )
    return layer, (draw(st.integers(1, 2)), inputs, draw(st.integers(8, 12)), 9)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_any_convolution_against_the_formula(case: tuple[nn.Conv2d, tuple[int, ...]]) -> None:
    layer, shape = case
    out = layer(torch.zeros(shape))
    taps = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
    counted = cost.count(layer, shape)
    assert counted.macs == out.numel() * taps
    assert counted.layers[0].output_shape == tuple(out.shape)


def test_agrees_with_torch_counting_on_real_numbers() -> None:
    for task, shape in models.mlperf.INPUT_SHAPES.items():
        model = models.mlperf.build_for(task).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(shape))
        assert cost.count(model, shape).macs == counter.get_total_flops() // 2


PUBLISHED = ["resnet50", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny"]
PUBLISHED += ["swin_t", "shufflenet_v2_x1_0", "densenet121", "vit_b_16"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_agrees_with_what_torchvision_states(name: str) -> None:
    """torchvision ships parameters and billions of MACs, counted by fvcore, with its weights."""
    library = import_torchvision().models
    with torch.device("meta"):
        model = library.get_model(name)
    counted = cost.count(model, (1, 3, 224, 224))
    stated = library.get_model_weights(name).IMAGENET1K_V1.meta
    assert counted.params == stated["num_params"]
    assert counted.macs == pytest.approx(1e9 * stated["_ops"], rel=0.02)
    assert sum(layer.params for layer in counted.layers) == counted.params
    assert not counted.uncounted


def test_resnet50_to_the_last_digit() -> None:
    with torch.device("meta"):
        model = import_torchvision().models.resnet50()
    counted = cost.count(model, (1, 3, 224, 224))
    assert (counted.params, counted.macs) == (25_557_032, 4_089_184_256)


def test_gpt2_small_on_the_meta_device() -> None:
    import_torchvision()  # transformers imports torchvision, which needs the cure first
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config())
    counted = cost.count(model, torch.zeros(1, 1024, dtype=torch.long))
    assert counted.params == 124_439_808
    assert sum(layer.params for layer in counted.layers) == counted.params
    # 12 projections of 768 x 768 a layer, the head, and twice T x T x 768 for attention.
    layer = 1024 * 12 * 768**2 + 2 * 1024**2 * 768
    assert counted.macs == 12 * layer + 1024 * 768 * 50_257
    assert not counted.uncounted


def test_attention_by_hand() -> None:
    """Per head: T x T x d for the scores, as much for the mix; four projections of d x d."""
    attention = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    by_kind = macs_by_kind(cost.count(attention, (1, 5, 16)))
    assert by_kind == {
        "fully connected": 4 * 5 * 16 * 16 + 2 * 5 * 16 * 32,
        "matmul": 2 * 4 * 5 * 5 * 4,
    }


def test_shared_parameters_count_once_and_buffers_apart() -> None:
    shared = nn.Linear(4, 4)
    counted = cost.count(nn.Sequential(shared, nn.BatchNorm1d(4), shared), (2, 4))
    assert counted.params == 20 + 8
    assert counted.macs == 2 * 2 * 16
    assert counted.buffers == 4 + 4 + 1
    assert sum(layer.params for layer in counted.layers) == counted.params


def test_operator_without_a_formula_is_reported() -> None:
    class Spectrum(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.rfft(torch.fft.rfft(x).abs()).abs()

    counted = cost.count(Spectrum(), (1, 64))
    assert counted.uncounted == {"_fft_r2c": 2}
    assert "NOT COUNTED" in repr(counted) and "_fft_r2c (2 x)" in repr(counted)


def test_pruning_mask_is_no_work_at_run_time() -> None:
    layer = nn.Linear(8, 8)
    prune.l1_unstructured(layer, "weight", amount=0.5)
    counted = cost.count(layer, (1, 8))
    assert counted.steps == ("(model)",)
    assert counted.macs == 64


def test_model_is_left_as_it_was() -> None:
    norm = nn.BatchNorm1d(4).eval()
    model = nn.Sequential(nn.Linear(4, 4), norm, nn.Dropout())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    cost.count(model, (2, 4))
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert all(not module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


# --- bytes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "expected"), [(32, 308), (16, 154), (8, 77), (4, 35 + 4), (1, 9 + 1), (1.58, 14 + 2)]
)
def test_weight_bytes_round_up_per_tensor(bits: float, expected: int) -> None:
    counted = cost.count(nn.Linear(10, 7), (1, 10))
    assert counted.at(bits).flash_bytes == expected


def test_at_changes_both_widths() -> None:
    counted = cost.count(nn.Linear(10, 7), (1, 10))
    assert (counted.ram_bytes, counted.at(8).ram_bytes) == (68, 17)
    assert counted.at(4).at(8).ram_bytes == 17
    assert isinstance(counted.at(1.58).ram_bytes, int)


def test_integer_inputs_keep_their_width() -> None:
    counted = cost.count(nn.Embedding(10, 4), torch.zeros(1, 3, dtype=torch.int64)).at(8)
    assert counted.live_bytes == (3 * 8 + 3 * 4,)


@given(st.floats(0.1, 64), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_bytes_hold_all_bits(bits: float, inputs: int, outputs: int) -> None:
    counted = cost.count(nn.Linear(inputs, outputs, bias=False), (1, inputs))
    assert 0 <= 8 * counted.at(bits).flash_bytes - inputs * outputs * bits < 8.001


# --- memory over time ----------------------------------------------------------------------


def test_chain_by_hand() -> None:
    """Input and output of the layer that runs; activation functions are fused."""
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5), nn.ReLU(), nn.Linear(5, 3))
    counted = cost.count(model, (1, 10)).at(8)
    assert counted.steps == ("0", "2", "4")
    assert counted.live_bytes == (10 + 20, 20 + 5, 5 + 3)
    assert counted.peak_activation_bytes == 30


def test_residual_by_hand() -> None:
    """The shortcut keeps x alive: a: x, a; b: x, a, b; add: x, b, sum. The last ReLU is fused."""
    counted = cost.count(Residual(), (1, 4, 3, 3)).at(8)
    assert counted.steps == ("a", "b", "(model)")
    assert counted.live_bytes == (72, 108, 108)


def test_batch_norm_and_activation_take_no_memory() -> None:
    plain = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1))
    dressed = nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.ReLU6(), nn.Conv2d(4, 4, 1), nn.Hardswish()
    )
    a, b = (cost.count(model, (1, 1, 5, 5)) for model in (plain, dressed))
    assert a.live_bytes == b.live_bytes


def test_activation_that_is_needed_again_is_not_overwritten() -> None:
    class Gate(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * torch.sigmoid(x)

    assert cost.count(Gate(), (1, 10)).at(8).live_bytes == (20, 30)


def test_views_and_in_place_operators_share_memory() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (2, 5)), nn.ReLU(inplace=True))
    assert cost.count(model, (1, 10)).at(8).peak_activation_bytes == 10


def test_by_products_that_nobody_reads_take_no_memory() -> None:
    counted = cost.count(nn.MaxPool2d(2), (1, 1, 4, 4)).at(8)
    assert counted.live_bytes == (16 + 4,)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=7))
@settings(max_examples=40, deadline=None)
def test_peak_of_a_chain_is_its_largest_pair(sizes: list[int]) -> None:
    model = nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes)))
    counted = cost.count(model, (1, sizes[0])).at(8)
    assert counted.live_bytes == tuple(a + b for a, b in pairwise(sizes))


def test_depthwise_separable_network_as_measured() -> None:
    """DS-CNN: two maps of 25 x 5 x 64; engines that compile ahead were measured at 16.0 KB."""
    counted = cost.count(models.mlperf.ds_cnn(), (1, 1, 49, 10)).at(8)
    assert counted.ram_bytes == 2 * 25 * 5 * 64


# --- bad input -----------------------------------------------------------------------------


def test_bad_input_names_the_cure() -> None:
    with pytest.raises(ValueError, match="no input: give the shape"):
        cost.count(nn.Linear(3, 4))
    with pytest.raises(TypeError, match="give a tensor, or a shape"):
        cost.count(nn.Linear(10, 7), (1, 10.0))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give a tensor, or a shape"):
        cost.count(nn.Linear(3, 4), "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"cannot count a int: give a torch\.nn\.Module"):
        cost.count(3, (1,))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"Linear cannot run on shapes \(1, 5\)"):
        cost.count(nn.Linear(3, 4), (1, 5))


@pytest.mark.parametrize("bits", [0, -8, float("inf"), float("nan")])
def test_bad_bit_width(bits: float) -> None:
    with pytest.raises(ValueError, match="a bit width is above 0"):
        cost.count(nn.Linear(3, 4), (1, 3)).at(bits)


def test_a_failing_forward_leaves_no_hooks() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 6))
    with pytest.raises(RuntimeError):
        cost.count(model, (1, 3))
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert cost.count(model[0], (1, 3)).macs == 12


def test_table_is_short_even_for_a_deep_network() -> None:
    deep = cost.count(nn.Sequential(*(nn.Linear(2, 2) for _ in range(100))), (1, 2))
    assert len(repr(deep).splitlines()) < 50
    assert "60 more rows" in repr(deep)


def test_table_by_hand() -> None:
    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(512, 7))
            self.loss = nn.MSELoss()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made = self.layers(x)
            return self.loss(made, torch.zeros_like(made))

    rows = [line.split() for line in repr(cost.count(Loss(), (1, 3, 10, 10))).splitlines()]
    assert ["layer", "kind", "output", "params", "MACs"] in rows
    assert ["layers.0", "convolution", "1x8x8x8", "224", "13,824"] in rows
    assert ["layers.2", "fully", "connected", "1x7", "3,591", "3,584"] in rows
    assert ["loss", "MSELoss", "scalar", "0", "0"] in rows


def test_comparison_is_a_table_with_units() -> None:
    counted = cost.count(nn.Linear(10, 7), (1, 10))
    table = cost.compare({"float": counted, "<int8>": counted.at(8)})
    lines = repr(table).splitlines()
    assert lines[1].split() == ["float,", "32", "bits", "77", "70", "308", "40", "68"]
    assert lines[2].split() == ["<int8>,", "8", "bits", "77", "70", "77", "10", "17"]
    assert "&lt;int8&gt;" in table._repr_html_()
    assert "weights (B, 32 bits)" in repr(cost.compare({"float": counted}))
    with pytest.raises(ValueError, match="nothing to compare"):
        cost.compare({})


# --- MLPerf Tiny and the boards ------------------------------------------------------------


@pytest.fixture(scope="module")
def mlperf() -> dict[str, cost.ModelCost]:
    return {
        task: cost.count(models.mlperf.build_for(task), shape)
        for task, shape in models.mlperf.INPUT_SHAPES.items()
    }


def test_published_macs_to_the_last_digit(mlperf: dict[str, cost.ModelCost]) -> None:
    assert {task: counted.macs for task, counted in mlperf.items()} == models.mlperf.PUBLISHED_MACS


def test_unknown_task() -> None:
    with pytest.raises(ValueError, match="unknown task 'kws': choose one of keyword spotting"):
        models.mlperf.build_for("kws")


def test_the_formula_meets_the_eight_cells_that_it_was_fitted_to(
    mlperf: dict[str, cost.ModelCost],
) -> None:
    """Says that the fit is a fit; `test_worst_cell_when_left_out` says what it is worth elsewhere."""
    for run in boards.CALIBRATION:
        guess = cost.estimate(mlperf[run.task], run.device, run.engine)
        assert guess.latency_ms == pytest.approx(run.latency_ms, rel=0.20), run
        assert guess.energy_uj == pytest.approx(run.energy_uj, rel=0.25), run
        assert guess.low_ms < run.latency_ms < guess.high_ms


def test_boards_ran_at_the_clock_of_their_device() -> None:
    """All but one: Raspberry Pi's benchmark was run when the SDK's clock was still 125 MHz."""
    for run in (*boards.CALIBRATION, *boards.OTHER_CORES):
        assert run.clock_hz == (
            125_000_000 if run.device == "pico" else devices.get(run.device).clock_hz
        ), run


def test_other_cores_lie_in_their_bands(mlperf: dict[str, cost.ModelCost]) -> None:
    for run in boards.OTHER_CORES:
        if run.task in mlperf:
            guess = cost.estimate(mlperf[run.task], run.device, run.engine)
            assert guess.low_ms < run.latency_ms < guess.high_ms, run


@pytest.mark.parametrize("engine", ["reference", "optimized"])
def test_stated_coefficients_are_those_of_the_fit(
    engine: str, mlperf: dict[str, cost.ModelCost]
) -> None:
    """Given all three features, the fit itself finds which one is 0."""
    known = latency.ENGINES[engine]
    found = latency.fit(*latency.calibration_rows(mlperf, engine))
    assert found == pytest.approx((known.per_mac, known.per_output, known.per_weight), rel=1e-3)


def test_fit_finds_what_made_the_cycles() -> None:
    rows = [(10, 1), (20, 5), (40, 3)]
    cycles = [3 * a + 7 * b for a, b in rows]
    assert latency.fit(rows, cycles) == pytest.approx((3, 7))


@pytest.mark.parametrize(("engine", "worst"), [("reference", 40.7), ("optimized", 33.0)])
def test_worst_cell_when_left_out(engine: str, worst: float, mlperf: dict[str, cost.ModelCost]) -> None:
    """The docstring of `latency` states these two numbers."""
    errors = latency.leave_one_out_errors(mlperf, engine)
    assert max(map(abs, errors.values())) == pytest.approx(worst, abs=0.1)
    assert max(errors, key=lambda task: abs(errors[task])) == "anomaly detection"


@pytest.mark.parametrize(
    ("engine", "dense", "convolutions"), [("reference", 1425, 68.7), ("optimized", 33.0, 42.7)]
)
def test_worst_cells_when_the_terms_are_left_out_too(
    engine: str, dense: float, convolutions: float, mlperf: dict[str, cost.ModelCost]
) -> None:
    """The docstring of `latency` states these four numbers."""
    errors = latency.leave_one_out_errors(mlperf, engine, anew=True)
    assert abs(errors.pop("anomaly detection")) == pytest.approx(dense, rel=0.001)
    assert max(map(abs, errors.values())) == pytest.approx(convolutions, abs=0.1)


@pytest.mark.parametrize("device", ["nucleo_u575zi", "nucleo_h7a3zi"])
def test_a_network_that_gave_a_core_no_speed_lies_in_the_band_of_the_others(
    device: str, mlperf: dict[str, cost.ModelCost]
) -> None:
    """Each network in turn: the core's speed comes from the other three, the cycles from the formula."""
    runs = [run for run in boards.OTHER_CORES if run.device == device]
    assert {run.task for run in runs} == set(mlperf)
    speed = latency.SPEEDS[devices.get(device).core, "optimized"]
    m4 = {run.task: run for run in boards.CALIBRATION if run.engine == "optimized"}
    for left_out in runs:
        ratios = [
            m4[run.task].latency_ms * m4[run.task].clock_hz / (run.latency_ms * run.clock_hz)
            for run in runs
            if run is not left_out
        ]
        relative = statistics.geometric_mean(ratios)
        cycles = latency.ENGINES["optimized"].cycles(mlperf[left_out.task])
        guess_ms = 1e3 * cycles / relative / left_out.clock_hz
        assert 1 / speed.band < guess_ms / left_out.latency_ms < speed.band, left_out


def test_stated_speeds_of_other_cores_follow_from_the_boards() -> None:
    """Cycles on the Cortex-M4F over cycles on the other core, geometric mean over the tasks."""
    for device, core in (("nucleo_u575zi", "Cortex-M33"), ("nucleo_h7a3zi", "Cortex-M7")):
        product = 1.0
        for run in (run for run in boards.OTHER_CORES if run.device == device):
            (m4,) = [
                base for base in boards.CALIBRATION if (base.task, base.engine) == (run.task, run.engine)
            ]
            product *= (m4.latency_ms * m4.clock_hz) / (run.latency_ms * run.clock_hz)
        assert latency.SPEEDS[core, "optimized"].relative == pytest.approx(product**0.25, abs=0.01)


def test_runs_on_boards_never_seen_are_met_within_what_is_stated(
    mlperf: dict[str, cost.ModelCost],
) -> None:
    """The docstring of `latency` states the number: the formula by the clock, and nothing else."""
    errors = [
        1e3 * latency.ENGINES["optimized"].cycles(mlperf[run.task]) / run.clock_hz / run.latency_ms - 1
        for run in boards.UNSEEN
    ]
    assert len(errors) == 12
    assert 100 * max(map(abs, errors)) == pytest.approx(27.1, abs=0.1)


def test_runs_on_boards_never_seen_are_those_of_the_results() -> None:
    """The keyword run stands in another table too, as a throughput; power follows from the energies."""
    by_board: dict[str, list[boards.Run]] = {}
    for run in boards.UNSEEN:
        by_board.setdefault(run.device, []).append(run)
    (keywords,) = [row for row in published.keywords() if row.round == "v1.3"]
    assert by_board["nucleo_l4r5zi_p"][0].latency_ms == pytest.approx(keywords.latency_ms, rel=1e-3)
    # What energy/results.txt states: least and most milliwatts of a board's four networks.
    stated = {
        "nucleo_l4r5zi_p": (32.9, 33.8),
        "nucleo_u575zi": (23.1, 24.2),
        "nucleo_u385rg": (5.09, 5.90),
    }
    for board, (low, high) in stated.items():
        runs = by_board[board]
        assert {run.task for run in runs} == set(models.mlperf.INPUT_SHAPES)
        for run in runs:
            assert run.energy_uj is not None
            assert 0.985 * low < run.energy_uj / run.latency_ms < 1.015 * high, run


@pytest.mark.parametrize(("core", "coremark_per_mhz"), [("Cortex-M33", 4.02), ("Cortex-M7", 5.05)])
def test_a_core_that_nobody_measured_is_as_fast_as_its_coremark(
    core: str, coremark_per_mhz: float
) -> None:
    """Arm states 3.40 for the Cortex-M4; where that is all there is, the band is the widest."""
    network = cost.count(nn.Conv2d(3, 8, 3), (1, 3, 10, 10)).at(8)
    m4 = devices.get("nano33ble")
    known = latency.estimate(network, m4, "reference")
    guess = latency.estimate(network, dataclasses.replace(m4, core=core), "reference")
    assert known.latency_ms / guess.latency_ms == pytest.approx(coremark_per_mhz / 3.40)
    assert guess.high_ms / guess.latency_ms == pytest.approx(2.5)
    assert guess.latency_ms / guess.low_ms == pytest.approx(2.5)
    assert "CoreMark per MHz only" in repr(guess)


@pytest.mark.parametrize(("device", "core"), [("pico", "Cortex-M0+"), ("esp32s3", "Xtensa LX7")])
def test_stated_speeds_follow_from_one_person_detector(device: str, core: str) -> None:
    grey = models.mlperf.mobilenet()
    grey.stem.conv = nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False)
    counted = cost.count(grey, (1, 1, 96, 96))
    assert counted.macs == 7_157_888
    (run,) = [run for run in boards.OTHER_CORES if run.device == device]
    measured = 1e-3 * run.latency_ms * run.clock_hz
    relative = latency.ENGINES[run.engine].cycles(counted) / measured
    assert latency.SPEEDS[core, run.engine].relative == pytest.approx(relative, abs=0.01)


def test_estimate_scales_with_the_clock(mlperf: dict[str, cost.ModelCost]) -> None:
    slow, fast = (
        cost.estimate(mlperf["keyword spotting"], key) for key in ("nano33ble", "nucleo_l4r5zi")
    )
    assert slow.latency_ms / fast.latency_ms == pytest.approx(120 / 64)
    active_mw = devices.get("nano33ble").active_mw
    assert active_mw is not None
    assert slow.energy_uj == pytest.approx(active_mw * slow.latency_ms)
    assert "scaled to 64 MHz" in repr(slow)


def test_energy_needs_a_stated_power(mlperf: dict[str, cost.ModelCost]) -> None:
    guess = cost.estimate(mlperf["keyword spotting"], "pico", engine="reference")
    assert guess.energy_uj is None
    assert "energy not stated" in repr(guess)


def test_no_basis_is_an_error(mlperf: dict[str, cost.ModelCost]) -> None:
    counted = mlperf["keyword spotting"]
    with pytest.raises(ValueError, match=r"no basis .* Raspberry Pi 5 .* measure it"):
        cost.estimate(counted, "rpi5")
    with pytest.raises(ValueError, match=r"no basis .* use engine='reference'"):
        cost.estimate(counted, "pico")
    with pytest.raises(ValueError, match="unknown engine 'fast': choose one of optimized"):
        cost.estimate(counted, "pico", engine="fast")


def test_a_counted_model_is_a_footprint(mlperf: dict[str, cost.ModelCost]) -> None:
    counted = mlperf["visual wake words"].at(8)
    assert devices.fits(counted, "nano33ble").ok
    assert not devices.fits(counted, "nucleo_u031r8").ok
