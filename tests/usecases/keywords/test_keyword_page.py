"""From microphone to word in a page: the keyword chain as WebAssembly says what the chip says."""

from wasm_node import in_node, needs_node

from tinyml_helpers import mcu
from tinyml_helpers.datasets import data_folder, load_keywords
from tinyml_helpers.deploy import litert
from tinyml_helpers.usecases.keywords import firmware


@needs_node
def test_the_chain_in_a_page_gives_the_bytes_and_words_of_the_chip(tmp_path):
    path = data_folder() / "models" / "kws.tflite"
    chain = firmware.pipeline(litert.load(path), threshold=0.5, width=2, silent=3)
    built = mcu.build(path, pipeline=chain)
    clips = load_keywords(per_class=1).part("new engine").clips[:8]
    steps = list(clips.reshape(-1, chain.count))  # words one after another, as a microphone hears them
    runs = list(built.stream(steps))
    found = in_node(built.wasm(), [[x] for x in steps], tmp_path)
    assert [run["answer"] for run in found["runs"]] == [run.score for run in runs]
    outputs = [run["outputs"][0] for run in found["runs"]]
    assert outputs == [run.output.ravel().tolist() for run in runs]
    assert len({tuple(out) for out in outputs}) > 20
    assert len({run.score for run in runs}) > 3  # words, and -1 between them
