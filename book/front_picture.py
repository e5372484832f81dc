"""The picture at the front of the README: four figures that the stored lessons hold."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tinyml_helpers.course import syllabus

if TYPE_CHECKING:
    from PIL import Image, ImageFont

TAG = "front"
"""A code cell with this tag gives its first figure."""
COLUMNS = (("09", "10"), ("08", "12"))
CAPTIONS = {
    "08": "A network on the virtual microcontroller",
    "09": "A keyword in a stream of sound",
    "10": "A watch that follows movements",
    "12": "What a microcontroller's detector finds",
}
WIDTH, MARGIN, CAPTION = 911, 36, 58


def picture() -> bytes:
    """Return the four figures side by side, with their lessons' numbers, as PNG.

    Raises:
        LookupError: a lesson has no figure in a cell with the tag.
    """
    from PIL import Image

    columns = [_column(numbers) for numbers in COLUMNS]
    height = max(column.height for column in columns)
    page = Image.new("RGB", (len(columns) * (WIDTH + MARGIN) + MARGIN, height + MARGIN), "white")
    for place, column in enumerate(columns):
        page.paste(column, (MARGIN + place * (WIDTH + MARGIN), (height - column.height) // 2))
    png = io.BytesIO()
    page.quantize(128).save(png, "PNG", optimize=True)
    return png.getvalue()


def _column(numbers: tuple[str, ...]) -> Image.Image:
    from PIL import Image, ImageDraw

    figures = [_figure(number) for number in numbers]
    page = Image.new("RGB", (WIDTH, sum(f.height + CAPTION for f in figures)), "white")
    draw, top = ImageDraw.Draw(page), 0
    for number, figure in zip(numbers, figures, strict=True):
        draw.text((8, top + 22), f"{number}  {CAPTIONS[number]}", fill="#0072B2", font=_font())
        page.paste(figure, (0, top + CAPTION))
        top += CAPTION + figure.height
    return page


def _figure(number: str) -> Image.Image:
    from PIL import Image

    lesson = syllabus.select([int(number)])[0]
    cells = syllabus.read_notebook(lesson.path).cells
    for cell in cells:
        if TAG in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    png = base64.b64decode(output.data["image/png"])
                    return _as_wide(Image.open(io.BytesIO(png)).convert("RGB"))
    raise LookupError(f"{lesson.path.name} has no figure in a cell tagged {TAG!r}: run `make outputs`")


def _as_wide(figure: Image.Image) -> Image.Image:
    return figure.resize((WIDTH, round(figure.height * WIDTH / figure.width)))


@cache
def _font() -> ImageFont.FreeTypeFont:
    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    return ImageFont.truetype(str(file), 22)
