"""Measure the keyword networks on synthetic voices, as clips and as a stream, into keywords.json.

    python data/build/measure_synthetic.py [--no-stream]

Clips: every part of the corpus that a network has not met, and "engine" for those that have, marked so;
as lesson 09 measures it: every class counts alike, int8 by LiteRT's reference kernels. Stream: an hour
of each of four scenes in pieces of ten minutes, of which each network's counts at every threshold are
stored. LiteRT's fast kernels hear it; half an hour on a core.
"""

import argparse
import json
from dataclasses import replace
from typing import Any

import keyword_export as export  # type: ignore[import-not-found]
import numpy as np
import torch

from tinyml_helpers import datasets, training
from tinyml_helpers.datasets import Keywords, data_folder
from tinyml_helpers.datasets.keywords.backgrounds import backgrounds
from tinyml_helpers.deploy import litert
from tinyml_helpers.usecases import alarms
from tinyml_helpers.usecases.keywords import features, streaming
from tinyml_helpers.usecases.keywords import network as keyword_network

PARTS = ("voices", "engine", "new engine")
EXPORTED = ("kws", "kws-small", "kws-synthetic")
STREAMED = ("kws", "kws-synthetic")
PIECES, MINUTES = 6, 10
# False alarms an hour that lesson 09 allows on the scene that it chooses a threshold on.
MOST_AN_HOUR = 30.0


def on_clips(model: torch.nn.Module, content: bytes | None, met: list[str]) -> dict[str, dict[str, Any]]:
    """Return what a network gets right of each part, in float and in int8.

    Args:
        model: in evaluation mode.
        content: its .tflite file, if there is one.
        met: parts that it was trained on.
    """
    corpus, figures = datasets.load_keywords(), dict[str, dict[str, Any]]()
    for name in PARTS:
        part = corpus.part(name)
        inputs = torch.from_numpy(features.network_input(features.features(part.clips)))[:, None]
        with torch.no_grad():
            found = {"float_percent": model(inputs).argmax(1).numpy()}
        if content:
            found["int8_percent"] = export.answers(content, inputs)
        shares = {key: training.balanced_percent(says, part.labels) for key, says in found.items()}
        figures[name] = {
            **{key: round(share, 2) for key, share in shares.items()},
            "clips": len(part),
            "met_in_training": name in met,
        }
    return figures


def scenes() -> dict[str, tuple[Keywords, float]]:
    """Return for each scene the clips that sound in it, and the share of them that are commands."""
    corpus = datasets.load_keywords()
    others = datasets.load_keywords(vocabulary="other words").part("voices")
    count = PIECES * MINUTES * 20
    sounds, kinds = backgrounds(count, 2026)
    quiet = corpus.take(slice(0)).with_silence(sounds, kinds, "formulas", ["no words"] * count)
    spoken = {part: (_spoken(corpus.part(part)), 0.5) for part in ("voices", "new engine")}
    return {**spoken, "other words": (others, 0.0), "no words": (quiet, 0.0)}


def _spoken(clips: Keywords) -> Keywords:
    return clips.take(clips.words != "silence")


def on_streams() -> dict[str, dict[str, Any]]:
    """Return each network's counts in each scene, over an hour."""
    folder = data_folder() / "models"
    networks = [litert.load(folder / f"{name}.tflite").predict for name in STREAMED]
    figures: dict[str, dict[str, Any]] = {name: {} for name in STREAMED}
    thresholds: list[float] = []
    for scene, (clips, share) in scenes().items():
        totals = [alarms.TradeOff.empty() for _ in STREAMED]
        peaks: list[list[int]] = [[] for _ in STREAMED]
        for piece in range(1, PIECES + 1):
            everything = streaming.listen(
                lambda seen: np.concatenate([network(seen) for network in networks], 1),
                clips if share else clips.take(slice(piece - 1, None, PIECES)),
                minutes=MINUTES,
                share=share,
                seed=piece,
            )
            for n in range(len(STREAMED)):
                own = replace(everything, scores=everything.scores[:, 12 * n : 12 * n + 12])
                totals[n] += own.trade_off()
                if scene == "no words":
                    peaks[n] += _peaks(own, thresholds[n])
        if scene == "voices":
            thresholds = [total.least_threshold(MOST_AN_HOUR) for total in totals]
        for name, total, threshold, loud in zip(STREAMED, totals, thresholds, peaks, strict=True):
            figures[name][scene] = total.stored()
            if scene == "no words":
                figures[name][scene] |= {"threshold": threshold, "peaks_of_false_alarms": loud}
            print(scene, name, threshold, total.at(threshold), flush=True)
    return figures


def _peaks(session: streaming.Session, threshold: float) -> list[int]:
    """Return the loudest sample in the window of each false alarm."""
    found = session.at(threshold).false_alarms
    ends = [round(one.time_s * features.MLPERF.rate_hz) for one in found]
    return [int(np.abs(session.sound[end - features.SAMPLES : end].astype(int)).max()) for end in ends]


def main() -> None:
    """Measure all networks."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--no-stream", action="store_true", help="leave the stream as it is stored")
    torch.set_num_threads(1)
    file = data_folder() / "models" / "keywords.json"
    stored = json.loads(file.read_text("utf-8"))
    for name in ("kws-start", *EXPORTED):
        model = keyword_network.load_trained("product" if name == "kws" else name.removeprefix("kws-"))
        exported = file.with_name(f"{name}.tflite")
        content = exported.read_bytes() if exported.exists() else None
        stored[name] |= on_clips(model, content, stored[name]["recipe"]["trained_on"])
    export.write_figures(file, stored)
    if not arguments.parse_args().no_stream:
        for name, streams in on_streams().items():
            stored[name]["stream"] = streams
        export.write_figures(file, stored)


if __name__ == "__main__":
    main()
