"""Code of a lesson that cannot be read aloud, found by its syntax tree."""

import ast

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES = (ast.FunctionDef, ast.Lambda, ast.ClassDef)
# Calls that do something, rather than say something.
DOING = {
    "add", "append", "extend", "insert", "mkdir", "pop", "print", "record", "remove", "setdefault",
    "step", "update", "write", "write_bytes", "write_text", "zero_grad", "backward",
}  # fmt: skip


def offences(sources):
    """(rule, the code) of all that breaks a rule in the cells of a lesson, one after the other."""
    trees = [(ast.parse(source), source) for source in sources]
    for tree, source in trees:
        for node in ast.walk(tree):
            for rule, breaks in RULES.items():
                if breaks(node) and not (rule == "bare index" and _has_word(node, source)):
                    yield rule, ast.unparse(node).splitlines()[0]
    for body in _scopes([node for tree, _ in trees for node in tree.body]):
        for name in after_its_loop(body):
            yield "name of a loop used after it", name


def _has_word(node, source):
    lines = source.splitlines()
    return any("#" in line for line in lines[max(0, node.lineno - 2) : node.end_lineno])


def is_walrus(node):
    return isinstance(node, ast.NamedExpr)


def is_named_lambda(node):
    """A lambda that is given a name at once, alone or in a tuple; a part of something is no name."""
    if not isinstance(node, ast.Assign) or isinstance(node.targets[0], ast.Attribute | ast.Subscript):
        return False
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return any(isinstance(value, ast.Lambda) for value in values)


def is_nested_comprehension(node):
    return isinstance(node, COMPREHENSIONS) and any(
        isinstance(one, COMPREHENSIONS) for one in ast.walk(node) if one is not node
    )


def assigns_unlike(node):
    """`a, b = 1, f(x)`: things of unlike kind, which are two lines."""
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)):
        return False
    return isinstance(node.targets[0], ast.Tuple) and len(set(map(_kind, node.value.elts))) > 1


def _kind(node):
    """What makes values alike: of one type; calls of the same function; names and their parts."""
    if isinstance(node, ast.UnaryOp):
        return _kind(node.operand)
    if isinstance(node, ast.BinOp) and _kind(node.left) == _kind(node.right) == "number":
        return "number"
    if isinstance(node, ast.Constant):
        return "number" if isinstance(node.value, int | float) else type(node.value).__name__
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        return "part"
    if isinstance(node, ast.Call):
        return f"call of {ast.unparse(node.func).rpartition('.')[2]}"
    return type(node).__name__


def does_in_passing(node):
    """A tuple or an f-string in which something happens."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Tuple):
        return any(isinstance(one, ast.Call) and _does(one) for one in node.value.elts)
    return isinstance(node, ast.Tuple | ast.JoinedStr) and any(
        isinstance(one, ast.Call) and _does(one) for one in ast.walk(node)
    )


def _does(call):
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in DOING or name.startswith("set_")


def is_bare_index(node):
    """`x[-2]` or `x[1::-1]`; the last one and all of them backwards are known to everybody."""
    if not isinstance(node, ast.Subscript):
        return False
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return any(
        (_number(part) or 0) < -1
        or (isinstance(part, ast.Slice) and (_number(part.step) or 0) < 0 and (part.lower or part.upper))
        for part in parts
    )


def _number(node):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _number(node.operand)
        return None if value is None else -value
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int) else None


RULES = {
    "walrus": is_walrus,
    "named lambda": is_named_lambda,
    "comprehension in a comprehension": is_nested_comprehension,
    "tuple of unlike things": assigns_unlike,
    "side effect in passing": does_in_passing,
    "bare index": is_bare_index,
}
ALL_RULES = (*RULES, "name of a loop used after it")


def _scopes(body):
    """The body of a lesson, and of every function in it."""
    yield body
    for node in body:
        for one in ast.walk(node):
            if isinstance(one, ast.FunctionDef):
                yield one.body


def after_its_loop(body):
    """Names that a loop binds, and no line before it, and that are read after it."""
    bound, left, found = set(), set(), []
    for kind, name in _events(body):
        if kind == "leave":
            left |= name - bound
            bound |= name
        elif kind == "bind":
            bound.add(name)
            left.discard(name)
        elif name in left:
            found.append(name)
            left.discard(name)
    return found


def _events(body):
    """What is bound and read, in the order in which it happens; of a loop what it leaves, at its end."""
    for node in body:
        if isinstance(node, ast.For | ast.While):
            if isinstance(node, ast.For):
                yield from _reads(node.iter)
            inner = list(_events(node.body))
            targets = _stored(node.target) if isinstance(node, ast.For) else set()
            own = {name for kind, name in inner if kind == "bind"} | targets
            own |= {name for kind, names in inner if kind == "leave" for name in names}
            # Inside, the loop's own names are at home; what an inner loop left is not.
            seen = set(targets)
            for kind, name in inner:
                if kind == "bind":
                    seen.add(name)
                elif kind == "read" and name not in own:
                    yield kind, name
            yield "leave", own
            yield from _events(node.orelse)
        elif isinstance(node, ast.If | ast.With | ast.Try):
            for part in (getattr(node, "test", None), *getattr(node, "items", [])):
                if part is not None:
                    yield from _reads(part)
                    yield from (("bind", name) for name in _stored(part))
            for name in ("body", "handlers", "orelse", "finalbody"):
                for one in getattr(node, name, []):
                    yield from _events(one.body if isinstance(one, ast.ExceptHandler) else [one])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield "bind", node.name
        else:
            yield from _reads(node)
            yield from (("bind", name) for name in _stored(node))


def _own(node):
    """Parts of a statement that belong to its scope: not those of a function, nor of a comprehension."""
    yield node
    for one in ast.iter_child_nodes(node):
        if not isinstance(one, SCOPES):
            yield from _own(one)


def _hidden(node):
    """Names that comprehensions in a statement bind: nobody outside sees them."""
    return {
        name.id
        for one in ast.walk(node)
        if isinstance(one, ast.comprehension)
        for name in ast.walk(one.target)
        if isinstance(name, ast.Name)
    }


def _stored(node):
    hidden = _hidden(node)
    names = {
        one.id for one in _own(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    for one in _own(node):
        if isinstance(one, ast.alias):
            names.add((one.asname or one.name).partition(".")[0])
    return names - hidden


def _reads(node):
    hidden = _hidden(node)
    for one in _own(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id not in hidden:
            yield "read", one.id
