"""What lesson 07 asks to build: a pass over a graph that fuses convolution, batch norm and ReLU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinyml_helpers.course import building, cases
from tinyml_helpers.course.check import Verdict, exercise

Graph = dict[str, tuple[str, ...]]
"""Of each tensor: the operator that makes it, then the tensors which that reads."""
_TAKES = {"BatchNorm": ("Conv",), "Relu": ("Conv", "Conv+BatchNorm")}
_ANYTHING = ("Conv", "Conv+BatchNorm", "Conv+Relu", "Add", "Relu", "BatchNorm")


def _count_readers(graph: Mapping[str, Sequence[str]], outputs: Sequence[str]) -> Counter[str]:
    return Counter(name for node in graph.values() for name in node[1:]) + Counter(outputs)


def _walk(graph: Any, readers: Mapping[str, int], takes: Mapping[str, Sequence[str]] = _TAKES) -> Graph:
    """Fuse in one walk along the graph: an operator joins the one whose tensor it alone reads."""
    fused: Graph = {}
    for name, (kind, *read) in graph.items():
        before = fused.get(read[0], ("",))
        if before[0] in takes.get(kind, ()) and readers[read[0]] == 1:
            del fused[read[0]]
            fused[name] = (f"{before[0]}+{kind}", *before[1:])
        else:
            fused[name] = (kind, *read)
    return fused


def _forwards(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, _count_readers(graph, outputs))


def _backwards(graph: Any, outputs: Any) -> Graph:
    """Gather each chain from its end, then leave out what went into one."""
    readers, fused, gone = _count_readers(graph, outputs), dict[str, tuple[str, ...]](), set[str]()
    for name in reversed(graph):
        if name in gone:
            continue
        chain, first = [graph[name][0]], name
        for kind in ("BatchNorm", "Conv"):
            before = graph[first][1]
            follows = chain[0] in (("BatchNorm", "Relu") if kind == "Conv" else ("Relu",))
            if follows and before in graph and graph[before][0] == kind and readers[before] == 1:
                chain, first = [kind, *chain], before
                gone.add(before)
        if chain[0] == "Conv":
            fused[name] = ("+".join(chain), *graph[first][1:])
        else:  # a chain that no convolution begins
            gone.discard(graph[name][1])
            fused[name] = tuple(graph[name])
    return dict(reversed(fused.items()))


def _whoever_reads(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, Counter(dict.fromkeys(graph, 1)))


def _outputs_forgotten(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, _count_readers(graph, ()))


def _next_line_only(graph: Any, outputs: Any) -> Graph:
    names = list(graph)
    before = dict(zip(names[1:], names, strict=False))
    fused = _count_readers(graph, outputs)
    for name, (_, *read) in graph.items():
        if read[0] != before.get(name):
            fused[read[0]] += 1
    return _walk(graph, fused)


def _without_relu(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, _count_readers(graph, outputs), {"BatchNorm": ("Conv",)})


def _without_norm(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, _count_readers(graph, outputs), {"Relu": ("Conv",)})


def _threes_only(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, _count_readers(graph, outputs), _TAKES | {"Relu": ("Conv+BatchNorm",)})


def _into_anything(graph: Any, outputs: Any) -> Graph:
    return _walk(graph, _count_readers(graph, outputs), _TAKES | {"Relu": _ANYTHING})


def _in_any_order(graph: Any, outputs: Any) -> Graph:
    norm = ("Conv", "Conv+Relu")
    return _walk(graph, _count_readers(graph, outputs), _TAKES | {"BatchNorm": norm})


def _both_kept(graph: Any, outputs: Any) -> Graph:
    return {name: tuple(graph[name]) for name in graph} | _forwards(graph, outputs)


def _named_by_the_first(graph: Any, outputs: Any) -> Graph:
    made = {}
    for name, node in _forwards(graph, outputs).items():
        first = name
        while "+" in node[0] and graph[first][1:] != node[1:]:
            first = graph[first][1]
        made[first] = node
    return made


_ORDER = "A convolution takes one batch norm, then one ReLU; {}"
SLIPS = (
    building.Slip(_whoever_reads, "Somebody else reads a tensor that you fused away: count readers."),
    building.Slip(_outputs_forgotten, "An output of the graph is read by whoever runs it: keep it."),
    building.Slip(
        _next_line_only, "Who reads a tensor may stand further down: follow names, not lines."
    ),
    building.Slip(_without_relu, "The batch norms are in. ReLUs go the same way."),
    building.Slip(_without_norm, "The ReLUs are in. Batch norms go the same way, before them."),
    building.Slip(_threes_only, "A convolution without a batch norm takes its ReLU, too."),
    building.Slip(_into_anything, _ORDER.format("nothing else takes anything.")),
    building.Slip(_in_any_order, _ORDER.format("a batch norm after the ReLU stays.")),
    building.Slip(_both_kept, "What went into a fused operator is computed a second time: drop it."),
    building.Slip(
        _named_by_the_first, "A fused operator makes the last tensor of its chain, by that name."
    ),
)


def _draw(draw: np.random.Generator, size: int) -> cases.Case:
    """Draw a graph of two to eleven operators; whatever nobody reads is an output."""
    graph: Graph = {}
    for place in range(2 * size + int(draw.integers(0, 2))):
        names = list(graph)
        kind = str(draw.choice(["Conv", "BatchNorm", "Relu", "Add"], p=[0.35, 0.25, 0.25, 0.15]))
        last = names[-1] if names and draw.random() < 0.7 else str(draw.choice(["x", *names]))
        others = [str(draw.choice(["x", *names]))] if kind == "Add" else []
        graph[chr(ord("a") + place)] = (kind, last, *others)
    readers = _count_readers(graph, ())
    outputs = [name for name in graph if not readers[name] or draw.random() < 0.08]
    return graph, outputs


def _graph(text: str) -> Graph:
    """Read `a Conv x; b Relu a`."""
    nodes = [node.split() for node in text.split(";")]
    return {name: tuple(rest) for name, *rest in nodes}


def _same(said: Any, wanted: Any) -> bool:
    """Tell whether the nodes are the same, in an order in which each finds what it reads."""
    if not isinstance(said, dict):
        return False
    nodes = {name: tuple(node) for name, node in said.items()}
    places = {name: place for place, name in enumerate(nodes)}
    in_order = all(
        places.get(read, -1) < places[name] for name, node in nodes.items() for read in node[1:]
    )
    return nodes == wanted and in_order


def _all_made(_: Any, said: Any, wanted: Any) -> bool:
    inputs = {name for node in wanted.values() for name in node[1:]} - set(wanted)
    return all(name in said or name in inputs for node in said.values() for name in node[1:])


def _operators(graph: Any) -> Counter[str]:
    return Counter(kind for node in graph.values() for kind in node[0].split("+"))


TASK = building.Task(
    asked="fuse(graph, outputs) joins each convolution with the batch norm and the ReLU that follow.",
    arguments=("graph", "outputs"),
    reference=_forwards,
    draw_case=_draw,
    slips=SLIPS,
    parts=(
        building.Part("whatever is read is made", _all_made),
        building.Part("each output is made", lambda case, said, _: set(case[1]) <= set(said)),
        building.Part(
            "each operator is there once",
            lambda case, said, _: _operators(said) == _operators(case[0]),
        ),
    ),
    same=_same,
    special=(
        (_graph("a Conv x; b BatchNorm a"), ["b"]),
        (_graph("a Conv x; b Relu a"), ["b"]),
        (_graph("a Conv x; b BatchNorm a; c Relu b"), ["c"]),
        (_graph("a Conv x; b Conv x; c Relu a; d Add b c"), ["d"]),
        (_graph("a Conv x; b Relu a; c Add b a"), ["c"]),
        (_graph("a Conv x; b Relu a"), ["a", "b"]),
        (_graph("a Conv x; b Conv x; c BatchNorm a; d Relu b; e Add c d; f Relu e"), ["f"]),
        (_graph("a Conv x; b Relu a; c BatchNorm b; d Relu c"), ["d"]),
        (_graph("a Conv x; b BatchNorm a; c BatchNorm b; d Relu c"), ["d"]),
        (_graph("a Relu x; b Conv a; c BatchNorm b; d Add c a; e Relu d"), ["e"]),
    ),
)


@exercise(
    right=[(_forwards,), (_backwards,)],
    wrong=[
        *((slip.function,) for slip in SLIPS),
        (lambda graph, outputs: graph,),
        (lambda graph, outputs: {},),
        (lambda graph, outputs: {"c": ("Conv+BatchNorm+Relu", "x")},),
        (lambda graph, outputs: dict(reversed(_forwards(graph, outputs).items())),),
        (lambda graph, outputs: list(_forwards(graph, outputs)),),
        (lambda graph, outputs: graph.clear(),),
        (lambda graph: graph,),
        (3,),
    ],
    slips=[slip.hint for slip in SLIPS],
)
def fuse_graph(answer: Callable[..., Any]) -> Verdict:
    """Convolution, batch norm and ReLU become one operator wherever nobody else reads in between."""
    return building.judge(
        TASK,
        "fuse_graph",
        answer,
        "That is what level `extended` does, in one walk. A shortcut reads a tensor a second time, so "
        "it costs a network more than its sum: what it reads must be stored.",
    )
