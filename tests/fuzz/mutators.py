"""Damage a file: blindly, or with the knowledge of its format.

Every mutator takes a random.Random, the file and the pool of seeds, and returns a new file.
"""

import json
import struct
import zlib

EDGES = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    1000,
    1024,
    32767,
    32768,
    65535,
    65536,
    2**24,
    2**30,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**33,
    2**40,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
REALS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-45,
    1e-30,
    1e30,
    3.4e38,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
)
TOKENS = [
    b"nan",
    b"inf",
    b"-inf",
    b"1e308",
    b"-1e308",
    b"1e999",
    b"1e-320",
    b"0",
    b"-1",
    b"1,5",
    b";",
    b"\t",
    b'"',
    b'""',
    b"'",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n\n",
    b"#",
    b"0x10",
    b"9" * 400,
    b"1_0",
    b"\xd9\xa1",
    b"\xe2\x88\x921",
    b"time_s",
    b"ax",
    b"," * 50,
    b"\x1a",
    b"True",
    b"",
]


def flip_bits(rng, data, pool):
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_bytes(rng, data, pool):
    for _ in range(rng.choice((1, 1, 2, 4))):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def set_number(rng, data, pool):
    width = rng.choice((2, 4, 4, 8))
    if len(data) < width:
        return
    at = rng.randrange(len(data) - width + 1)
    at -= at % width if rng.random() < 0.7 else 0
    if rng.random() < 0.15:
        real = rng.choice(REALS)
        code = "<d" if width == 8 else "<f"
        if width > 2:
            try:
                data[at : at + width] = struct.pack(code, real)
            except OverflowError:
                data[at : at + width] = struct.pack(code, float("inf"))
            return
    value = rng.choice(EDGES) * rng.choice((1, 1, -1)) % (1 << 8 * width)
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "little", "little", "big")))


def add_to_number(rng, data, pool):
    width = rng.choice((1, 2, 4))
    if len(data) < width:
        return
    at = rng.randrange(len(data) - width + 1)
    at -= at % width if rng.random() < 0.7 else 0
    value = int.from_bytes(data[at : at + width], "little") + rng.choice((-8, -4, -2, -1, 1, 2, 4, 8))
    data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, "little")


def truncate(rng, data, pool):
    del data[rng.randrange(len(data)) :]


def extend(rng, data, pool):
    data += rng.choice((bytes(rng.randrange(200)), rng.randbytes(rng.randrange(1, 200)), b"\xff" * 64))


def drop(rng, data, pool):
    start = rng.randrange(len(data))
    del data[start : start + rng.choice((1, 4, 16, 64, rng.randrange(1, 1 + len(data))))]


def repeat(rng, data, pool):
    start = rng.randrange(len(data))
    part = data[start : start + rng.choice((1, 4, 16, 64, 256))]
    at = rng.choice((start, rng.randrange(len(data))))
    data[at:at] = part * rng.choice((1, 1, 2, 10))


def copy_over(rng, data, pool):
    start, at = rng.randrange(len(data)), rng.randrange(len(data))
    part = data[start : start + rng.choice((4, 4, 8, 16, 64))]
    data[at : at + len(part)] = part


def splice(rng, data, pool):
    other = rng.choice(pool)
    if other:
        cut, start = rng.randrange(len(data)), rng.randrange(len(other))
        data[cut:] = other[start:]


def fill(rng, data, pool):
    start = rng.randrange(len(data))
    size = min(rng.choice((4, 16, 64, 256)), len(data) - start)
    data[start : start + size] = bytes([rng.choice((0, 255, 128, 0x41))]) * size


def insert_token(rng, data, pool):
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.choice((0, 0, 1, 4))] = rng.choice(TOKENS)


BLIND = (
    flip_bits,
    set_bytes,
    set_number,
    add_to_number,
    truncate,
    extend,
    drop,
    repeat,
    copy_over,
    splice,
    fill,
    insert_token,
)


def blind(rng, seed, pool):
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3, 6))):
        if data:
            rng.choice(BLIND)(rng, data, pool)
    return bytes(data)


def header(rng, seed, pool):
    """Damage the first bytes only: that is where most formats keep their promises."""
    size = rng.choice((16, 64, 128))
    head = bytearray(seed[:size])
    for _ in range(rng.choice((1, 1, 2, 3))):
        if head:
            rng.choice((flip_bits, set_bytes, set_number, set_number, add_to_number))(rng, head, pool)
    return bytes(head) + seed[size:]


def text(rng, seed, pool):
    """Damage a table: cells, lines, separators, encoding."""
    lines = seed.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not lines:
            break
        i = rng.choice((0, rng.randrange(len(lines))))
        cells = lines[i].split(b",")
        kind = rng.randrange(10)
        if kind < 4:
            cells[rng.randrange(len(cells))] = rng.choice(TOKENS)
        elif kind == 4:
            del cells[rng.randrange(len(cells))]
        elif kind == 5:
            cells.insert(rng.randrange(len(cells) + 1), rng.choice(cells or [b"1"]))
        elif kind == 6:
            rng.shuffle(cells)
        elif kind == 7:
            cells = [b";".join(cells)]
        elif kind == 8:
            del lines[i : i + rng.choice((1, 5, len(lines)))]
            continue
        else:
            lines[i:i] = [lines[i]] * rng.choice((1, 3, 300))
            continue
        lines[i] = b",".join(cells)
    made = b"\n".join(lines)
    if rng.random() < 0.08:
        code = rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "utf-7", "cp037"))
        made = made.decode("latin-1").encode(code)
    if rng.random() < 0.05:
        made = made.replace(b".", b",")
    return made[: 4 << 20]


WILD = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    float("nan"),
    "",
    "x" * 1000,
    [],
    {},
    [[]],
    {"a": {}},
    "\0",
    "\ud800",
    2**70,
)


def tree(rng, seed, pool):
    """Damage JSON and keep it JSON."""
    try:
        root = json.loads(seed)
    except ValueError:
        return blind(rng, seed, pool)
    places = []

    def walk(node):
        items = (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        )
        for key, value in list(items):
            places.append((node, key))
            walk(value)

    walk(root)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not places:
            break
        node, key = rng.choice(places[: rng.choice((8, 40, len(places)))])
        try:
            kind = rng.randrange(6)
            if kind == 0:
                del node[key]
            elif kind == 1:
                other, place = rng.choice(places)
                node[key] = json.loads(json.dumps(other[place]))
            elif kind == 2 and isinstance(node, dict):
                node[
                    rng.choice(
                        ("metadata", "cells", "source", "outputs", "nbformat", "worksheets", "id")
                    )
                ] = node[key]
            else:
                node[key] = rng.choice(WILD)
        except (KeyError, IndexError, ValueError):
            continue
    made = json.dumps(root)
    if rng.random() < 0.03:
        deep = rng.choice((50, 900, 5000, 100_000))
        at = rng.randrange(len(made))
        made = made[:at] + "[" * deep + "]" * deep + made[at:]
    return made.encode("utf-8", "surrogatepass")


def png(rng, seed, pool):
    """Damage the content of a PNG's chunks, and mend their checksums."""
    if seed[:4] != b"\x89PNG":
        return header(rng, seed, pool)
    chunks, at = [], 8
    while at + 12 <= len(seed):
        size = int.from_bytes(seed[at : at + 4], "big")
        chunks.append([seed[at + 4 : at + 8], bytearray(seed[at + 8 : at + 8 + size])])
        at += 12 + size
    for _ in range(rng.choice((1, 1, 2))):
        chunk = rng.choice(chunks)
        kind = rng.randrange(6)
        if kind == 0 and chunk[0] == b"IDAT":
            raw = bytearray(zlib.decompress(chunk[1])) if len(chunks) == 3 else bytearray(b"x")
            rng.choice(BLIND)(rng, raw, pool)
            chunk[1] = bytearray(zlib.compress(bytes(raw)))
        elif kind == 1:
            chunk[0] = rng.choice(
                (
                    b"IHDR",
                    b"PLTE",
                    b"tRNS",
                    b"iCCP",
                    b"gAMA",
                    b"zTXt",
                    b"iTXt",
                    b"eXIf",
                    b"acTL",
                    b"fcTL",
                    b"fdAT",
                    b"IEND",
                    b"pHYs",
                    b"cHRM",
                )
            )
        elif kind == 2:
            chunks.insert(rng.randrange(len(chunks)), [chunk[0], bytearray(chunk[1])])
        elif chunks[0][1] and kind < 5:
            rng.choice((set_bytes, set_number, flip_bits))(rng, chunks[0][1], pool)
        elif chunk[1]:
            rng.choice(BLIND)(rng, chunk[1], pool)
    made = bytearray(seed[:8])
    for name, data in chunks:
        made += len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
    return bytes(made)


def packed(rng, seed, pool):
    """Damage what lies inside of a gzip file."""
    import gzip

    try:
        inside = gzip.decompress(seed)
    except (OSError, EOFError, zlib.error):
        return blind(rng, seed, pool)
    return gzip.compress(
        header(rng, inside, pool) if rng.random() < 0.7 else blind(rng, inside, pool), 1
    )


def ogg(rng, seed, pool):
    """Damage packets inside of Ogg pages, and mend the checksums of the pages."""
    if seed[:4] != b"OggS":
        return header(rng, seed, pool)
    data = bytearray(seed)
    starts = [i for i in range(len(data) - 27) if data[i : i + 4] == b"OggS"]
    for _ in range(rng.choice((1, 2, 4))):
        start = rng.choice(starts[: rng.choice((2, 4, len(starts)))])
        end = next((s for s in starts if s > start), len(data))
        body = start + 27 + data[start + 26]
        if body < end:
            page = data[body:end]
            rng.choice((flip_bits, set_bytes, set_number, fill, copy_over))(rng, page, pool)
            data[body:end] = page[: end - body].ljust(end - body, b"\0")
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _ogg_checksum(data[start:end]).to_bytes(4, "little")
    return bytes(data)


_OGG_TABLE = []
for _n in range(256):
    _r = _n << 24
    for _ in range(8):
        _r = (_r << 1 ^ 0x04C11DB7 if _r & 0x80000000 else _r << 1) & 0xFFFFFFFF
    _OGG_TABLE.append(_r)


def _ogg_checksum(page):
    total = 0
    for byte in page:
        total = (total << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[total >> 24 ^ byte]
    return total


def matlab(rng, seed, pool):
    """Damage what a MATLAB file holds inside of its compressed elements."""
    if len(seed) < 140 or seed[128:132] != b"\x0f\0\0\0":
        return header(rng, seed, pool)
    size = int.from_bytes(seed[132:136], "little")
    try:
        inside = bytearray(zlib.decompress(seed[136 : 136 + size]))
    except zlib.error:
        return blind(rng, seed, pool)
    for _ in range(rng.choice((1, 1, 2))):
        head = inside[:80] if rng.random() < 0.8 else inside
        if head:
            rng.choice(BLIND)(rng, head, pool)
        inside = head + inside[80:] if head is not inside else inside
    again = zlib.compress(bytes(inside), 1)
    return seed[:128] + b"\x0f\0\0\0" + len(again).to_bytes(4, "little") + again


def tflite(rng, seed, pool):
    """Change fields of a .tflite model by their meaning, and write it anew."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    try:
        whole = schema.ModelT.InitFromPackedBuf(seed, 0)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _change_model(rng, whole, schema)
        builder = flatbuffers.Builder(len(seed) + 1024)
        builder.Finish(whole.Pack(builder), b"TFL3")
        return bytes(builder.Output())
    except Exception:  # what cannot be written is no test
        return blind(rng, seed, pool)


def _change_model(rng, whole, schema):
    graph = rng.choice(whole.subgraphs)
    kind = rng.randrange(14)
    tensor, operator = rng.choice(graph.tensors), rng.choice(graph.operators)
    if kind in (0, 1):
        shape = [int(n) for n in tensor.shape] if tensor.shape is not None else []
        change = rng.randrange(5)
        if change == 0 or not shape:
            shape = [*shape, rng.choice((0, 1, 2, -1, 3))]
        elif change == 1:
            shape.pop(rng.randrange(len(shape)))
        elif change == 2:
            rng.shuffle(shape)
        else:
            place = rng.randrange(len(shape))
            shape[place] = rng.choice(
                (
                    0,
                    1,
                    2,
                    -1,
                    shape[place] + 1,
                    shape[place] * 2,
                    shape[place] - 1,
                    65535,
                    65536,
                    2**20,
                    2**31 - 1,
                    -(2**31),
                )
            )
        tensor.shape = shape
    elif kind == 2:
        tensor.type = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 10, 13, 14, 15, 16, 17, 18))
    elif kind in (3, 4) and tensor.quantization is not None:
        q = tensor.quantization
        change = rng.randrange(5)
        if change == 0 and q.scale is not None:
            q.scale = [float(s) for s in q.scale]
            q.scale[rng.randrange(max(1, len(q.scale)))] = rng.choice(
                (
                    float("nan"),
                    float("inf"),
                    -1.0,
                    0.0,
                    1e-45,
                    1e-38,
                    1e-20,
                    1e-9,
                    1e9,
                    1e20,
                    3.4e38,
                    0.5,
                    1.0,
                )
            )
        elif change == 1 and q.zeroPoint is not None:
            q.zeroPoint = [int(z) for z in q.zeroPoint]
            q.zeroPoint[rng.randrange(max(1, len(q.zeroPoint)))] = rng.choice(
                (0, 1, -1, 127, -128, 128, 255, 2**31, -(2**31), 2**63 - 1, rng.randrange(-128, 128))
            )
        elif change == 2:
            q.quantizedDimension = rng.choice((0, 1, 2, 3, 4, -1, 2**31 - 1))
        elif change == 3 and q.scale is not None:
            q.scale = list(q.scale) * rng.choice((0, 2, 3))
        else:
            q.zeroPoint = list(q.zeroPoint if q.zeroPoint is not None else [0]) * rng.choice((0, 2))
    elif kind == 5:
        tensor.buffer = rng.randrange(len(whole.buffers) + rng.choice((0, 0, 1)))
    elif kind == 6:
        owner = rng.choice((graph, operator, operator, operator))
        name = rng.choice(("inputs", "outputs", "inputs"))
        numbers = [int(i) for i in getattr(owner, name)] if getattr(owner, name) is not None else []
        change = rng.randrange(5)
        if change == 0 or not numbers:
            numbers.append(rng.randrange(-1, len(graph.tensors)))
        elif change == 1:
            numbers.pop(rng.randrange(len(numbers)))
        elif change == 2:
            numbers[rng.randrange(len(numbers))] = rng.randrange(-2, len(graph.tensors) + 1)
        elif change == 3:
            rng.shuffle(numbers)
        else:
            numbers += numbers * rng.choice((1, 1, 40))
        setattr(owner, name, numbers)
    elif kind in (7, 8, 9) and operator.builtinOptions is not None:
        options = vars(operator.builtinOptions)
        if options:
            name = rng.choice(list(options))
            value = options[name]
            if isinstance(value, float):
                options[name] = rng.choice(
                    (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), 0.1, 2.0)
                )
            elif isinstance(value, bool):
                options[name] = not value
            elif isinstance(value, int):
                options[name] = (
                    rng.choice((0, 1, 2, 3, 4, 5, -1, value + 1, 17, 127, -128))
                    if name.startswith(("padding", "fused", "weights"))
                    else rng.choice((0, 1, 2, 3, 5, -1, value + 1, 100, 65536, 2**31 - 1, -(2**31)))
                )
    elif kind == 10:
        code = rng.choice(whole.operatorCodes)
        number = rng.choice(
            (rng.randrange(210), 0, 1, 3, 4, 9, 14, 17, 18, 19, 21, 22, 25, 28, 34, 40, 45, 114)
        )
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    elif kind == 11:
        change = rng.randrange(5)
        if change == 0:
            graph.operators.append(operator)
        elif change == 1:
            graph.operators.remove(operator)
        elif change == 2:
            rng.shuffle(graph.operators)
        elif change == 3:
            operator.opcodeIndex = rng.randrange(len(whole.operatorCodes) + 1)
        else:
            operator.builtinOptions, operator.builtinOptionsType = None, 0
    elif kind == 12:
        buffer = rng.choice(whole.buffers)
        data = (
            bytearray(bytes(buffer.data))
            if buffer.data is not None
            else bytearray(rng.choice((0, 4, 64)))
        )
        if data:
            rng.choice((set_number, set_bytes, flip_bits, truncate, extend, repeat, fill))(
                rng, data, [bytes(data)]
            )
        import numpy as np

        buffer.data = np.frombuffer(bytes(data), np.uint8)
    else:
        change = rng.randrange(4)
        if change == 0:
            whole.subgraphs.append(graph)
        elif change == 1:
            whole.operatorCodes.append(whole.operatorCodes[0])
        elif change == 2:
            tensor.isVariable = not tensor.isVariable
        else:
            tensor.name = rng.choice((b"", b"\xff\xfe", b"a" * 100_000, None))


def protobuf(rng, seed, pool):
    """Change fields of an ONNX model by their meaning, and write it anew."""
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(seed)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            places = list(_fields(model))
            filled = [place for place in places if _is_set(*place)]
            _change_field(rng, *rng.choice(filled if rng.random() < 0.75 else places), places)
        return model.SerializeToString()
    except Exception:  # what cannot be written is no test
        return blind(rng, seed, pool)


def _fields(message, depth=0):
    for field in message.DESCRIPTOR.fields:
        yield message, field
        if field.message_type is not None and depth < 12:
            value = getattr(message, field.name)
            repeated = not hasattr(value, "DESCRIPTOR")
            for part in value if repeated else [value] if message.HasField(field.name) else []:
                yield from _fields(part, depth + 1)


def _copy(message):
    """A copy that shares nothing: a message put into itself would crash the library."""
    made = type(message)()
    made.ParseFromString(message.SerializeToString())
    return made


def _is_set(message, field):
    value = getattr(message, field.name)
    return bool(len(value)) if hasattr(value, "__len__") else message.HasField(field.name)


STRINGS = (
    "",
    "x",
    "../../../etc/passwd",
    "/etc/passwd",
    "a" * 5000,
    "Conv",
    "MatMul",
    "Loop",
    "If",
    "Constant",
    "ConstantOfShape",
    "Expand",
    "Tile",
    "Range",
    "Reshape",
    "Gather",
    "ScatterND",
    "Resize",
    "NonZero",
    "location",
    "data.bin",
    "N",
    "input",
    "output",
    "ai.onnx.ml",
    "com.microsoft",
    "\0",
    "é",
)


def _change_field(rng, message, field, places):
    value = getattr(message, field.name)
    repeated = hasattr(value, "append") or hasattr(value, "add")
    if repeated:
        change = rng.randrange(4)
        if len(value) and change == 0:
            del value[rng.randrange(len(value))]
            return
        if field.message_type is not None:
            if len(value) and change == 1:
                value.add().CopyFrom(_copy(value[rng.randrange(len(value))]))
            else:
                same = [m for m, _ in places if m.DESCRIPTOR is field.message_type]
                value.add().CopyFrom(_copy(rng.choice(same))) if same else value.add()
            return
        scalar = _scalar(rng, field)
        if len(value) and change < 3:
            value[rng.randrange(len(value))] = scalar
        else:
            value.extend([scalar] * rng.choice((1, 1, 2, 50)))
    elif field.message_type is not None:
        same = [m for m, _ in places if m.DESCRIPTOR is field.message_type]
        if same and rng.random() < 0.7:
            value.CopyFrom(_copy(rng.choice(same)))
        else:
            message.ClearField(field.name)
    elif rng.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _scalar(rng, field))


def _scalar(rng, field):
    if field.type == field.TYPE_STRING:
        return rng.choice(STRINGS)
    if field.type == field.TYPE_BYTES:
        return rng.choice((b"", b"\xff" * 7, bytes(64), rng.choice(STRINGS).encode()))
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return rng.choice(REALS)
    if field.type == field.TYPE_INT64:
        return rng.choice(
            (0, 1, 2, 3, -1, 5, 10, 16, 100, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 2**63 - 1)
        )
    if field.type == field.TYPE_UINT64:
        return rng.choice((0, 1, 2**63, 2**64 - 1))
    if field.type == field.TYPE_ENUM:
        return rng.choice([v.number for v in field.enum_type.values])
    return rng.choice((0, 1, 2, 3, 6, 7, 8, 9, 10, 16, 20, -1, 2**31 - 1, -(2**31)))


FORMATS = {
    "tflite": (blind, tflite, tflite),
    "onnx": (blind, protobuf, protobuf),
    "sound": (blind, header, header, ogg),
    "table": (text, text, blind),
    "image": (blind, header, png),
    "notebook": (tree, tree, blind),
    "packed": (packed, packed, blind),
    "matlab": (matlab, matlab, blind, header),
    "bytes": (blind, header),
}


def mutate(rng, pool, form):
    """One damaged file of a format."""
    return rng.choice(FORMATS[form])(rng, rng.choice(pool), pool)
