"""A window that moves over an image: of a convolution or of a pooling layer."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml_helpers.deploy.tflite.graph import Tensor
from tinyml_helpers.mcu.compiler.lowering.constants import Fields
from tinyml_helpers.mcu.compiler.lowering.context import Context


@dataclass(frozen=True)
class Window:
    """A window that moves over an image: heights and widths, in that order."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]

    def lies_inside(self, image: Tensor, output: Tensor) -> bool:
        """Whether it never leaves the image; for a window without dilation."""
        sizes = zip(output.shape[1:3], self.stride, self.kernel, image.shape[1:3], strict=True)
        return self.padding == (0, 0) and all((o - 1) * s + k <= size for o, s, k, size in sizes)

    def is_read_in_place(self, image: Tensor, output: Tensor) -> bool:
        """Whether a convolution gathers nothing first: see `next_pixel` of kernels/columns.h."""
        row_bytes = self.kernel[1] * image.shape[3]
        simple = self.dilation == (1, 1) and row_bytes > 1 and self.kernel[0] * row_bytes > 3
        return simple and self.lies_inside(image, output)

    def fields(self, image: Tensor, output: Tensor) -> tuple[Fields, ...]:
        """The lines of a `tm_window`."""
        sizes = [
            {f"{n}_height": t.shape[1], f"{n}_width": t.shape[2], f"{n}_channels": t.shape[3]}
            for n, t in (("input", image), ("output", output))
        ]
        pairs = [
            {f"{n}_height": getattr(self, n)[0], f"{n}_width": getattr(self, n)[1]}
            for n in ("kernel", "stride", "dilation")
        ]
        padding = {"padding_top": self.padding[0], "padding_left": self.padding[1]}
        return (*sizes, *pairs, padding)


def place_window(context: Context, kernel: tuple[int, int], out_channels: int) -> Window:
    """Place the window as the options say, with the margins of a PAD, and check the output's shape.

    Raises:
        UnsupportedError: sizes that do not fit together.
    """
    image, output = context.input(0), context.output
    if len(image.shape) != 4:
        raise context.refuse(
            f"input shape {image.shape}, supported are images x height x width x channels"
        )
    stride = (context.option("stride_h", 1), context.option("stride_w", 1))
    dilation = (context.option("dilation_h", 1), context.option("dilation_w", 1))
    if min(*stride, *dilation, *kernel) < 1 or context.option("padding") not in (0, 1):
        raise context.refuse(
            f"stride {stride}, dilation {dilation}, padding {context.option('padding')}"
        )
    same = context.option("padding") == 0
    sizes, padding = [], []
    for size, k, s, d, (before, after) in zip(
        image.shape[1:3], kernel, stride, dilation, context.margins, strict=True
    ):
        reach = (k - 1) * d + 1
        out = -(-size // s) if same else -(-(before + size + after - reach + 1) // s)
        sizes.append(out)
        padding.append(max((out - 1) * s + reach - size, 0) // 2 if same else before)
    context.check_shape(output, (image.shape[0], *sizes, out_channels))
    context.check_fields(*image.shape, *output.shape, *kernel, *stride, *dilation, *padding)
    return Window(kernel, stride, dilation, (padding[0], padding[1]))


def place_scattered_window(context: Context, kernel: tuple[int, int], out_channels: int) -> Window:
    """Place the window of a transposed convolution: each pixel of the input spreads over it.

    Raises:
        UnsupportedError: sizes that do not fit together.
    """
    image, output = context.input(0), context.output
    stride = (context.option("stride_h", 1), context.option("stride_w", 1))
    if min(*stride, *kernel) < 1 or context.option("padding") not in (0, 1):
        raise context.refuse(f"stride {stride}, padding {context.option('padding')}")
    if len(output.shape) != 4 or (output.shape[0], output.shape[3]) != (image.shape[0], out_channels):
        raise context.refuse(f"shape {image.shape} to {output.shape}")
    same = context.option("padding") == 0
    padding = []
    for size, k, s, out in zip(image.shape[1:3], kernel, stride, output.shape[1:3], strict=True):
        expected = -(-out // s) if same else -(-(out - k + 1) // s)
        if expected != size:
            raise context.refuse(f"shape {image.shape} to {output.shape} at stride {stride}")
        padding.append(max((size - 1) * s + k - out, 0) // 2 if same else 0)
    context.check_fields(*image.shape, *output.shape, *kernel, *stride, *padding)
    return Window(kernel, stride, (1, 1), (padding[0], padding[1]))


def plane_bytes(w: Window, image: Tensor, output: Tensor, cell_bytes: int) -> int:
    """Bytes of one padded channel, as kernels/depthwise_conv_2d.c lays it out."""
    height, width = (
        max((o - 1) * s + k, p + i)
        for o, s, k, p, i in zip(
            output.shape[1:3], w.stride, w.kernel, w.padding, image.shape[1:3], strict=True
        )
    )
    # Where wide filters make pairs of outputs, the last may read two cells more.
    more = 2 if w.kernel[1] > 3 and w.stride[1] == 2 else 0
    return cell_bytes * (height * ((width + 2) & ~1) + more)


def choose_tile(output: Tensor, most: int, together: int) -> int:
    """How many pixels of an image form a tile, at most so many: tiles alike, of so many together."""
    whole, most = output.shape[1] * output.shape[2], most // together * together
    alike = -(-whole // -(-whole // most))
    return -(-alike // together) * together
