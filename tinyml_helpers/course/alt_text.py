"""A figure in words, for people who hear a page instead of seeing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

LONGEST = 1000
"""Characters: a screen reader speaks about a minute at most."""
_MOST_BARS = 12
_MOST_LINES = 6
_MOST_TEXTS = 12


def describe(figure: Figure) -> str:
    """Say what a figure shows: titles, axes, and the values of its bars and lines.

    Args:
        figure: a figure that was drawn, so that its ticks have their labels.

    Returns:
        Sentences of at most LONGEST characters; empty only for a figure without any text or data.
    """
    pictures = [axes for axes in figure.axes if axes.get_visible() and _is_picture(axes)]
    charts = [axes for axes in figure.axes if axes.get_visible() and axes not in pictures]
    # Getters of the whole figure's title came with matplotlib 3.8.
    said = [figure.get_suptitle()]
    titles = [_title(axes) for axes in pictures if _title(axes)]
    if pictures:
        count = "Picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
        said.append(f"{count}: {', '.join(titles)}" if titles else count)
    said += [_chart(axes) for axes in charts]
    return _shorten(" ".join(_sentence(one) for one in said if one))


def _is_picture(axes: Axes) -> bool:
    return bool(axes.images) and not axes.get_xlabel() and not axes.get_ylabel()


def _chart(axes: Axes) -> str:
    # A drawing says itself what is to be heard: texts of boxes without their arrows say little.
    if (words := str(axes.get_label())).startswith("Drawing: "):
        return words
    parts = [
        _title(axes),
        *(f"{name} axis: {_one_line(label)}" for name, label in _labels(axes) if label),
        *(_bars(axes) or _patches(axes)),
        *_rows(axes),
        *_lines(axes),
        *_points(axes),
        *_texts(axes),
    ]
    return "; ".join(part for part in parts if part)


def _labels(axes: Axes) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("x", axes.get_xlabel()), ("y", axes.get_ylabel())


def _title(axes: Axes) -> str:
    titles = (axes.get_title(loc) for loc in ("left", "center", "right"))
    return _one_line(" ".join(title for title in titles if title))


def _bars(axes: Axes) -> list[str]:
    """Say each group of bars: its label, then each bar's name and length."""
    from matplotlib.container import BarContainer

    groups = [group for group in axes.containers if isinstance(group, BarContainer) and group.patches]
    return [_group(axes, group) for group in groups[:_MOST_LINES]]


def _group(axes: Axes, group: Any) -> str:
    upright = group.orientation == "vertical"
    names = _names(axes.xaxis if upright else axes.yaxis)
    bars = []
    for bar in group.patches:
        centre = bar.get_center()[0 if upright else 1]
        # Bars that stand side by side share the name of the nearest tick.
        near = min(names, key=lambda place: abs(place - centre), default=None)
        name = names[near] if near is not None and abs(near - centre) < 0.5 else _number(centre)
        bars.append((name, bar.get_height() if upright else bar.get_width()))
    if not upright and not axes.yaxis_inverted():
        bars.reverse()  # read from the top
    what = _label(group) or "bars"
    if len(bars) > _MOST_BARS:
        lengths = [length for _, length in bars]
        return f"{what}: {len(bars)} bars from {_number(min(lengths))} to {_number(max(lengths))}"
    return f"{what}: " + ", ".join(f"{name} {_number(length)}" for name, length in bars)


def _names(axis: Axis) -> dict[float, str]:
    places = axis.get_majorticklocs()
    texts = [_one_line(label.get_text()) for label in axis.get_majorticklabels()]
    return {float(place): text for place, text in zip(places, texts, strict=False) if text}


def _patches(axes: Axes) -> list[str]:
    """Name filled outlines, such as stepped histograms, by their labels."""
    return [label for label in map(_label, axes.patches[:_MOST_LINES]) if label]


def _rows(axes: Axes) -> list[str]:
    """Say each row of points beside a name: the name, then its least and its greatest value."""
    return [_row(line) for line in axes.get_lines() if _is_row(line)][:_MOST_BARS]


def _row(line: Any) -> str:
    least, greatest = (_number(end(line.get_xdata())) for end in (min, max))
    return f"{line.get_ydata()[0]}: {least}" + (f" to {greatest}" if greatest != least else "")


def _is_row(line: Any) -> bool:
    names = {name for name in line.get_ydata() if isinstance(name, str)}
    return len(names) == 1 and line.get_linestyle() == "None" and not _label(line)


def _lines(axes: Axes) -> list[str]:
    said = []
    for line in [line for line in axes.get_lines() if not _is_row(line)][:_MOST_LINES]:
        label, x, y = _label(line), line.get_xdata(), line.get_ydata()
        xs, ys = list(x), list(y)  # type: ignore[arg-type]
        if not xs or (len(xs) == 1 and not label):
            continue
        if xs == [0, 1] and ys[0] == ys[1] and not line.get_transform().contains_branch(axes.transData):
            xs = []
        said.append(_line(label, xs, ys))
    return [one for one in said if one]


def _line(label: str, xs: list[Any], ys: list[Any]) -> str:
    if xs and len(set(map(str, xs))) == 1:
        return f"{label or 'vertical line'} at {_number(xs[0])}"
    if not xs or len(set(map(str, ys))) == 1:
        return f"{label or 'horizontal line'} at {_number(ys[0])}"
    ends = f"from {_number(ys[0])} at {_number(xs[0])} to {_number(ys[-1])} at {_number(xs[-1])}"
    return f"{label or 'line'} {ends}"


def _points(axes: Axes) -> list[str]:
    return [label for label in map(_label, axes.collections[:_MOST_LINES]) if label]


def _texts(axes: Axes) -> list[str]:
    texts = [_one_line(text.get_text()) for text in axes.texts if text.get_text().strip()]
    return [", ".join(texts[:_MOST_TEXTS])] if texts else []


def _label(artist: Artist | Any) -> str:
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else _one_line(label)


def _number(value: Any) -> str:
    """Round a number for the ear; dates and names stay as they are."""
    try:
        return f"{float(value):,.3g}" if abs(float(value)) < 1000 else f"{float(value):,.0f}"
    except (TypeError, ValueError):
        return str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0] + "…"
