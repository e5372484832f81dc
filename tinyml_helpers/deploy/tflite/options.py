"""The options of operators in a .tflite: which there are, and of what type."""

from __future__ import annotations

_CONVOLUTION = ("padding", "stride_w", "stride_h", "activation", "dilation_w", "dilation_h")
_POOL = (*_CONVOLUTION[:3], "filter_w", "filter_h", "activation")
_SLICE = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset")
OPTIONS: dict[str, tuple[str, ...]] = {
    "CONV_2D": (*_CONVOLUTION, "bias_type"),
    "DEPTHWISE_CONV_2D": (*_CONVOLUTION[:3], "depth_multiplier", *_CONVOLUTION[3:]),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "TRANSPOSE_CONV": (*_CONVOLUTION[:3], "activation"),
    "FULLY_CONNECTED": ("activation", "weights_format", "keep_num_dims", "asymmetric", "bias_type"),
    "BATCH_MATMUL": ("adj_x", "adj_y"),
    "ADD": ("activation", "pot_scale"),
    "SUB": ("activation", "pot_scale"),
    "MUL": ("activation",),
    "DIV": ("activation",),
    "CONCATENATION": ("axis", "activation"),
    "PACK": ("values_count", "axis"),
    "UNPACK": ("num", "axis"),
    "GATHER": ("axis", "batch_dims"),
    "DEPTH_TO_SPACE": ("block_size",),
    "SPACE_TO_DEPTH": ("block_size",),
    "MIRROR_PAD": ("mode",),
    "RESIZE_BILINEAR": ("new_height", "new_width", "align_corners", "half_pixel_centers"),
    "RESIZE_NEAREST_NEIGHBOR": ("align_corners", "half_pixel_centers"),
    "MEAN": ("keep_dims",),
    "SOFTMAX": ("beta",),
    "LEAKY_RELU": ("alpha",),
    "GELU": ("approximate",),
    "STRIDED_SLICE": _SLICE,
    "SVDF": ("rank", "activation"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("activation", "cell_clip", "proj_clip", "time_major"),
    "VAR_HANDLE": ("container", "name"),
    "CALL_ONCE": ("graph",),
}
"""Operator -> its options, in the order of their fields in the schema."""
_FLAGS = (
    "adj_x", "adj_y", "align_corners", "half_pixel_centers", "approximate", "time_major", "keep_dims",
    "keep_num_dims", "asymmetric", "pot_scale",
)  # fmt: skip
_BYTES = ("padding", "activation", "weights_format", "offset", "mode", "bias_type", *_FLAGS)
_FLOATS = ("beta", "alpha", "cell_clip", "proj_clip")


def describe_option(name: str) -> tuple[str, int]:
    """Return the type of an option, as a letter of the struct module, and its default."""
    width = "b" if name in _BYTES else "f" if name in _FLOATS else "i"
    return width, 1 if "dilation" in name or name == "pot_scale" else 0
