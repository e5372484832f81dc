"""Make real .tflite files with TensorFlow's converter: run as a process of its own, it ends there.

python tests/mcu/keras_files.py lstm|cnn16 FILE
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

STEPS, INPUTS, UNITS, CLASSES = 10, 6, 8, 4
layers = keras.layers


class Recurrent(tf.Module):
    """An LSTM of Keras as one function with the mark that Keras 2 put on it, which Keras 3 leaves out.

    By that mark the converter knows the layer and makes one operator of it.
    """

    def __init__(self):
        super().__init__()
        made = keras.Sequential(
            [keras.Input((STEPS, INPUTS)), layers.LSTM(UNITS), layers.Dense(CLASSES)]
        )
        *self.cell, self.dense, self.bias = map(tf.constant, made.get_weights())
        attributes = {"api_implements": "lstm_of_keras", "go_backwards": False, "time_major": False}
        self.layer = tf.function(self.unroll, autograph=False, experimental_attributes=attributes)

    def unroll(self, x, h, c, kernel, recurrent, bias):
        outputs = []
        for step in tf.unstack(x, axis=1):
            gates = step @ kernel + h @ recurrent + bias
            into, forget, new, out = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(forget) * c + tf.sigmoid(into) * tf.tanh(new)
            h = tf.sigmoid(out) * tf.tanh(c)
            outputs.append(h)
        return h, tf.stack(outputs, 1), h, c, tf.constant(1.0)

    @tf.function(input_signature=[tf.TensorSpec((1, STEPS, INPUTS))])
    def __call__(self, x):
        zero = tf.zeros((1, UNITS))
        return tf.nn.softmax(self.layer(x, zero, zero, *self.cell)[0] @ self.dense + self.bias)


def wide_network():
    return keras.Sequential([
        keras.Input((12, 12, 2), batch_size=1), layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.BatchNormalization(), layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
        layers.MaxPooling2D(2), layers.ZeroPadding2D(1), layers.Conv2D(8, 3), layers.AveragePooling2D(2),
        layers.Flatten(), layers.Dense(10, activation="relu"), layers.Dense(5, activation="softmax"),
    ])  # fmt: skip


def convert(kind, folder):
    keras.utils.set_random_seed(0)
    if kind == "lstm":
        made, shape = Recurrent(), (STEPS, INPUTS)
        tf.saved_model.save(made, folder, signatures=made.__call__)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        ends = tf.int8
    else:
        made, shape = wide_network(), (12, 12, 2)
        converter = tf.lite.TFLiteConverter.from_keras_model(made)
        wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops, ends = [wide], tf.int16
    data = np.random.default_rng(0).normal(size=(20, 1, *shape)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x] for x in data)
    converter.inference_input_type = converter.inference_output_type = ends
    return converter.convert()


if __name__ == "__main__":
    kind, target = sys.argv[1:]
    content = convert(kind, f"{target}.saved")
    Path(target).write_bytes(content)
