"""Runs a network on shapes and writes down each operator. Imported by `model.count` only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from tinyml_helpers.cost import operators
from tinyml_helpers.cost.liveness import Block, Step, lifetimes
from tinyml_helpers.cost.model import LayerCost, ModelCost


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of one module; `eq=False` keeps two calls of the same module apart."""

    name: str
    module: nn.Module


@dataclass(frozen=True)
class _Row:
    """One operator that belongs in the table."""

    call: _Call
    kind: str
    macs: int
    shape: tuple[int, ...]


class _Recorder(TorchDispatchMode):
    """Sees every operator below the modules, on its way to the meta device."""

    def __init__(self, inputs: Sequence[Tensor], calls: Sequence[_Call]) -> None:
        super().__init__()
        self.calls = calls
        self.blocks: dict[int, Block] = {}
        self.steps: list[Step] = []
        self.rows: list[_Row] = []
        self.uncounted: Counter[str] = Counter()
        # Addresses of storages are only unique while the tensors live.
        self._kept: list[Tensor] = []
        for tensor in inputs:
            self._allocate(tensor, "input")

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        out = func(*args, **(kwargs or {}))
        written = [tensor for tensor in operators.tensors(out) if tensor.numel()]
        if written and not operators.is_view(func):
            kind, macs = operators.count_macs(func, args, out, self._is_activation)
            self._record(func, [storage(t) for t in operators.tensors((args, kwargs))], written)
            self._add_row(_Row(self.calls[-1], kind, macs, tuple(written[0].shape)), written)
        return out

    def _record(
        self, func: torch._ops.OpOverload, reads: Sequence[int], written: Sequence[Tensor]
    ) -> None:
        # What follows from weights alone is computed when the model is built, not at run time.
        if not any(key in self.blocks for key in reads):
            return
        if not operators.is_known(func):
            self.uncounted[operators.name_of(func)] += 1
        layer = self.calls[-1].name
        # A constant that is written into counts as new: from here on it depends on the input.
        new = [tensor for tensor in written if not self._is_activation(tensor)]
        creates = tuple(dict.fromkeys(self._allocate(tensor, layer) for tensor in new))
        self.steps.append(Step(layer, tuple(reads), creates, operators.is_fused(func)))

    def _add_row(self, row: _Row, written: Sequence[Tensor]) -> None:
        has_weights = next(row.call.module.parameters(recurse=False), None) is not None
        if has_weights or self._is_activation(written[0]):
            self.rows.append(row)

    def _is_activation(self, tensor: Tensor) -> bool:
        return storage(tensor) in self.blocks

    def _allocate(self, tensor: Tensor, layer: str) -> int:
        self._kept.append(tensor)
        elements = tensor.untyped_storage().nbytes() // tensor.element_size()
        bits = None if tensor.dtype.is_floating_point else 8 * tensor.element_size()
        self.blocks[storage(tensor)] = Block(layer, elements, bits)
        return storage(tensor)


def trace(model: nn.Module, inputs: Sequence[Tensor | tuple[int, ...]]) -> ModelCost:
    """Run `model` on the shapes of `inputs`; see `model.count`."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"cannot count a {type(model).__name__}: give a torch.nn.Module")
    if not inputs:
        raise ValueError("no input: give the shape of each, as in count(model, (1, 1, 28, 28))")
    tensors = [_on_meta(value) for value in inputs]
    calls = [_Call("(model)", model)]
    recorder = _Recorder(tensors, calls)
    out = _run(model, tensors, calls, recorder)
    final = [key for key in map(storage, operators.tensors(out)) if key in recorder.blocks]
    steps, activations = lifetimes(recorder.blocks, recorder.steps, final)
    return ModelCost(
        name=type(model).__name__,
        layers=_layers(model, recorder.rows),
        param_sizes=tuple(parameter.numel() for parameter in model.parameters()),
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        steps=steps,
        activations=activations,
        uncounted=dict(recorder.uncounted),
    )


def storage(tensor: Tensor) -> int:
    """Address of the memory behind a tensor: equal for a tensor and its views."""
    return int(tensor.untyped_storage()._cdata)


def _run(model: nn.Module, inputs: Sequence[Tensor], calls: list[_Call], recorder: _Recorder) -> object:
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    meta = {name: tensor.detach().to("meta") for name, tensor in state.items()}
    with _evaluating(model), _tracking(model, calls), torch.no_grad(), recorder:
        try:
            return torch.func.functional_call(model, meta, tuple(inputs))
        except Exception as error:
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs)
            raise RuntimeError(
                f"{type(model).__name__} cannot run on shapes {shapes} alone: {error}. Check the "
                "shapes; a forward that looks at values, or holds tensors that are no buffers, "
                "has to be rewritten"
            ) from error


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    # The fused attention kernel would hide its matrix products from us.
    torch.backends.mha.set_fastpath_enabled(False)
    model.eval()
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _tracking(model: nn.Module, calls: list[_Call]) -> Iterator[None]:
    """Keep `calls` the stack of modules that are running."""

    def leave(module: nn.Module, args: object, output: object) -> None:
        calls.pop()

    handles = []
    for name, module in model.named_modules():
        if module is not model:

            def enter(module: nn.Module, args: object, name: str = name) -> None:
                calls.append(_Call(name, module))

            handles.append(module.register_forward_pre_hook(enter))
            handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _layers(model: nn.Module, rows: Sequence[_Row]) -> tuple[LayerCost, ...]:
    """Merge the operators of one layer into one row; elsewhere, one row an operator."""
    merged: dict[tuple[int, str], LayerCost] = {}
    called = {row.call.module for row in rows}
    products = {row.call: row.kind for row in reversed(rows) if row.macs}
    unseen = set(model.parameters())
    for index, row in enumerate(rows):
        call, kind = row.call, row.kind
        is_layer = _is_layer(call.module, model)
        if is_layer and not row.macs:
            # What a layer does besides its products belongs to the row of the products.
            kind = products.get(call, type(call.module).__name__)
        key = (id(call) if is_layer else index, kind)
        own = unseen.intersection(_own_parameters(call.module, called))
        unseen -= own
        before = merged.get(key, LayerCost(call.name, kind, row.shape, 0, 0))
        params = before.params + sum(parameter.numel() for parameter in own)
        merged[key] = LayerCost(call.name, kind, row.shape, params, before.macs + row.macs)
    return tuple(merged.values())


def _is_layer(module: nn.Module, model: nn.Module) -> bool:
    """One of PyTorch's own layers, or a submodule without parts."""
    own = type(module).__module__.startswith("torch.nn.modules")
    return own or (module is not model and next(module.children(), None) is None)


def _own_parameters(module: nn.Module, called: set[nn.Module]) -> Iterator[nn.Parameter]:
    """Parameters of a module and of those children that it uses without calling them."""
    yield from module.parameters(recurse=False)
    for child in module.children():
        if child not in called:
            yield from _own_parameters(child, called)


def _on_meta(value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().to("meta")
    if isinstance(value, tuple | list) and all(isinstance(size, int) for size in value):
        return torch.empty(tuple(value), device="meta")
    raise TypeError(f"input {value!r}: give a tensor, or a shape such as (1, 3, 32, 32)")
