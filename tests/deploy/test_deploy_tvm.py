import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tinyml_helpers.deploy import tvm as compiler
from tinyml_helpers.deploy import tvm_assembly
from tinyml_helpers.deploy.model_file import ModelError

from_onnx = pytest.importorskip("tvm.relax.frontend.onnx").from_onnx
WEIGHT = np.random.default_rng(0).normal(size=(8, 4, 1, 1)).astype(np.float32)
IMAGES = np.random.default_rng(1).normal(size=(5, 4, 6, 6)).astype(np.float32)
CORTEX = {"kind": "llvm", "mtriple": "thumbv7em-none-eabi", "mcpu": "cortex-m4", "vector-width": 128}


def network():
    """One 1x1 convolution of 4 to 8 channels and a ReLU, written by hand."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 6, 6])
        for name, channels in (("x", 4), ("y", 8))
    ]
    graph = helper.make_graph(
        nodes, "graph", ports[:1], ports[1:], [numpy_helper.from_array(WEIGHT, "w")]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture(scope="module")
def built():
    return compiler.build(from_onnx(network(), shape_dict={"x": [1, 4, 6, 6]}))


@pytest.fixture(scope="module")
def reports():
    from tvm import relax

    module = from_onnx(network(), {"x": [1, 4, 6, 6]}, keep_params_in_input=True)
    bare, _ = relax.frontend.detach_params(module)
    return {checks: compiler.compile_object(bare, CORTEX, checks=checks) for checks in (True, False)}


def test_it_computes_what_the_formula_says(built):
    wanted = np.maximum(np.einsum("fc,nchw->nfhw", WEIGHT[:, :, 0, 0], IMAGES), 0)
    np.testing.assert_allclose(built.predict(IMAGES), wanted, atol=1e-5)
    assert built.latency_ms(0.001) > 0
    assert built.file_bytes > WEIGHT.nbytes


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (IMAGES.astype(np.float64), "compiled for float32, and the array is float64"),
        (IMAGES[:, :2], r"compiled for \[1, 4, 6, 6\], and the array is \[5, 2, 6, 6\]"),
        (IMAGES[:0], r"the array is \[0, 4, 6, 6\]"),
    ],
)
def test_unfitting_inputs_are_named(built, array, message):
    with pytest.raises(ModelError, match=message):
        built.predict(array)


def test_convolutions_are_found_and_timed_alone():
    from tvm import relax

    loops = relax.get_pipeline("zero")(from_onnx(network(), {"x": [1, 4, 6, 6]}))
    (name,) = compiler.find_convolutions(loops)
    assert compiler.kernel_latency_ms(compiler.extract_kernel(loops, name), 0.001) > 0


def test_an_object_for_a_microcontroller_adds_up_and_shrinks_without_checks(reports):
    checked, bare = reports[True], reports[False]
    assert checked.parts["code"] > bare.parts["code"] > 0
    assert bare.flash_bytes == sum(
        bare.parts.get(k, 0) for k in ("code", "constants", "unwinding tables")
    )
    assert any(name.startswith("TVM") for name in checked.undefined)
    assert not any(name.startswith("TVM") for name in bare.undefined)
    assert any("conv2d" in name for name in bare.functions)
    assert "on the device" in repr(bare)
    assert "<table" in bare._repr_html_()


def test_parts_add_up_to_the_object_file(built):
    for content in compiler.read_objects(built.executable).values():
        assert sum(compiler.inspect_object(content).parts.values()) == len(content)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_objects_give_a_clear_error_or_a_report(built, data):
    content = (
        compiler.read_objects(built.executable)["devc.o"] if not hasattr(built, "kept") else built.kept
    )
    built.kept = content
    damaged = bytearray(content[: data.draw(st.integers(0, len(content)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=3)):
        damaged[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
    try:
        compiler.inspect_object(bytes(damaged))
    except ModelError as error:
        assert "not an ELF object file" in str(error)


X86 = """main:
	vmovss	xmm0, xmm1
	vfmadd231ss	%xmm0, %xmm1, %xmm2
	mulps	%xmm0, %xmm1
	vmulps	%ymm0, %ymm1, %ymm2
"""
ARM = """main:
	fmadd	s0, s1, s2, s0
	fmul	s3, s1, s2
	fmla	v0.4s, v1.4s, v2.4s
	fadd	s0, s0, s1
"""


def test_multiplications_are_counted_by_how_many_numbers_they_take():
    assert tvm_assembly.count_multiplications(X86) == tvm_assembly.Multiplications(single=1, packed=2)
    assert tvm_assembly.count_multiplications(ARM) == tvm_assembly.Multiplications(single=2, packed=1)
    with pytest.raises(ValueError, match="x86-64 or 64-bit Arm"):
        tvm_assembly.count_multiplications("main:\n\tbx lr\n")


def test_reordered_loops_multiply_several_numbers_at_once():
    from tvm import relax

    loops = relax.get_pipeline("zero")(from_onnx(network(), {"x": [1, 4, 6, 6]}))
    kernel = compiler.extract_kernel(loops, compiler.find_convolutions(loops)[0])
    counted = tvm_assembly.count_multiplications(
        tvm_assembly.write_assembly(compiler.tile_channels(kernel, "main", 4))
    )
    assert counted.packed > 0
