"""What the records of the scoreboard mean, in words: for handouts and for whoever reads the table."""

# By lesson, in the order in which it measures; each stands alone.
WORDS = {
    "start.mismatched_bytes": "int8 network, emulated Cortex-M4: bytes of 100,000 other than numpy's",
    "start.instructions": "first network (784-32-10, int8): instructions for one photo on a Cortex-M4",
    "start.instructions_per_mac": "first network: instructions for a multiply-accumulate",
    "start.flash_bytes": "first network: flash, code included",
    "start.ram_bytes": "first network: RAM, stack included",
    "start.one_cycle_ms": "first network: time at 64 MHz, if an instruction takes one cycle",
    "start.two_cycles_ms": "first network: time at 64 MHz, if an instruction takes two cycles",
    "start.float.accuracy_fashion_percent": "first network in float: right on 10,000 test photos",
    "start.int8.accuracy_fashion_percent": "first network in int8: right on 10,000 test photos",
    "constraints.resnet50_mb": "ResNet-50, counted from its architecture",
    "constraints.gpt2_mb": "GPT-2 small, counted from its architecture",
    "constraints.mlperf_worst_error_percent": "latency formula: worst of the eight runs that it fits",
    "constraints.left_out_worst_percent": "latency formula: worst for a network left out of the fit",
    "constraints.left_out_anew_worst_percent": "latency formula: worst left out, its terms chosen anew",
    "constraints.unseen_boards_worst_percent": "latency formula: worst of twelve runs on new boards",
    "constraints.cloud_energy_ratio": "times more energy to send a picture than to look at it here",
    "ptq.small.float.accuracy_fashion_percent": "`small` (46,042 parameters) in float: right on 10,000 "
    "test images",
    "ptq.small.weights4.drop_fashion_points": "`small`, weights in 4 bits per channel: lost on 10,000 "
    "test images",
    "ptq.small.weights1.drop_fashion_points": "`small`, weights in one bit, not trained for it: lost",
    "ptq.small.int8_eager_qnnpack.drop_fashion_points": "`small` in int8 by PyTorch's eager flow for "
    "qnnpack: lost on 10,000 test images (no more than chance allows)",
    "ptq.small.int8_eager_x86.drop_fashion_points": "`small` in int8 by PyTorch's eager flow for x86: "
    "lost on 10,000 test images (no more than chance allows)",
    "ptq.small.int8_pt2e_x86.drop_fashion_points": "`small` in int8 by PT2E's X86InductorQuantizer: "
    "lost on 10,000 test images (no more than chance allows)",
    "ptq.small.int8_eager_x86.file_ratio": "`small` in int8 by PyTorch's eager flow for x86: times "
    "smaller as a file",
    "qat.tiny.ptq4_loss_points": "`tiny` (8,058 parameters): lost to 4-bit weights after training",
    "qat.tiny.qat4_recovered_percent": "of what 4-bit weights cost `tiny`: returned by two epochs of "
    "training",
    "qat.tiny.new_batch_norms_recovered_percent": "of what 4-bit weights cost `tiny`: returned by new "
    "batch-norm statistics, without training",
    "qat.tiny.new_ranges_recovered_percent": "of what 4-bit weights cost `tiny`: returned by new "
    "ranges of activations, without training",
    "qat.tiny.new_statistics_recovered_percent": "of what 4-bit weights cost `tiny`: returned by new "
    "batch-norm statistics and new ranges together, without training",
    "qat.tiny.lsq2.gain_fashion_points": "`tiny`, 2-bit weights: gained on the 10,000 by a learned step "
    "over the largest weight, mean of 3 seeds",
    "qat.small.binary.flash_bytes": "`small`, binary weights packed: flash of a Cortex-M4, with code",
    "prune.large.sparsity_percent": "`large` (584,938 parameters): weights pruned away",
    "prune.large.accuracy_drop_points": "`large`, nine weights in ten pruned: lost on the 10,000 images",
    "prune.large.gzip_ratio": "`large`, nine weights in ten pruned: times smaller, both gzipped",
    "prune.small.speedup_mcu": "`small`, 3 of 4 weights zero, channels kept: times fewer instructions",
    "prune.large_slim.speedup_mcu": "`large`, half its channels cut: times fewer instructions on a chip",
    "prune.large_slim.speedup_host": "`large`, half its channels cut: times faster on the host",
    "prune.large_slim.accuracy_drop_points": "`large`, half its channels cut: lost on the 10,000 images",
    "distill.tiny_few.smoothed_gain_points": "`tiny` on 1,200 images, labels smoothed by 0.37: gain, "
    "its interval over 5 seeds holds zero",
    "distill.tiny_few.flat_gain_points": "`tiny` on 1,200 images, smoothed labels as a teacher's: "
    "gain, 5 seeds",
    "distill.tiny_few.permuted_gain_points": "`tiny` on 1,200 images, wrong classes shuffled: gain, "
    "its interval over 5 seeds holds zero",
    "distill.tiny_few.leveled_gain_points": "`tiny` on 1,200 images, wrong classes made alike: gain, "
    "5 seeds",
    "distill.tiny_few.distilled_gain_points": "`tiny` on 1,200 images, taught by `large`: gain, 5 seeds",
    "distill.tiny_few.distilled_spread_points": "`tiny` on 1,200 images, taught: spread of 5 gains",
    "distill.tiny_few.by_small_gain_points": "`tiny` on 1,200 images, taught by `small`: gain, 5 seeds",
    "distill.tiny_few.hint_gain_points": "`tiny` on 1,200 images, labels and the maps of `large`: gain, "
    "5 seeds",
    "distill.tiny_few.swapped_hint_gain_points": "`tiny` on 1,200 images, labels and maps of another "
    "image of the class: gain, 5 seeds",
    "distill.tiny_few.hint_added_points": "`tiny` on 1,200 images, maps of `large` beside its answers: "
    "gained over the answers alone, 5 seeds",
    "tflite.small.float_bytes": "`small` in float as a .tflite file, from Keras",
    "tflite.small.lean_int8_bytes": "`small`, lean, in int8 by TensorFlow's converter: bytes",
    "tflite.small.lean_int8_accuracy_drop_points": (
        "`small`, lean, in int8 by TensorFlow's converter: lost on 10,000 test images (no more than "
        "chance allows)"
    ),
    "tflite.small.lean_int8_mismatched_bytes": (
        "`small`, lean, in int8: output bytes in which LiteRT's reference and TFLM differ"
    ),
    "tflite.small.lean_int8_arena_bytes": "`small`, lean, in int8: RAM that TFLM's interpreter takes",
    "onnx.small.max_abs_difference": "`small`: largest difference between PyTorch and ONNX Runtime",
    "onnx.small.int8_agreement_percent": (
        "`small` in int8 by ONNX Runtime's quantizer, per channel: test images that keep float's class"
    ),
    "onnx.small.int8_accuracy_drop_points": (
        "`small` in int8 by ONNX Runtime's quantizer, per channel: lost on the 10,000 test images"
    ),
    "tvm.small.max_abs_difference": "`small`: largest difference between PyTorch and TVM",
    "mcu.seven_networks.mismatched_bytes": (
        "seven int8 networks on the emulated core: wrong output bytes"
    ),
    "mcu.dscnn.instructions_per_mac": "MLPerf Tiny's DS-CNN, Cortex-M4: instructions for a MAC",
    "mcu.dscnn.flash_bytes": "MLPerf Tiny's keyword network (DS-CNN): flash, code included",
    "mcu.dscnn.ram_bytes": "MLPerf Tiny's keyword network (DS-CNN): RAM, stack included",
    "mcu.dscnn.cycles_of_cmsis_nn_ratio": (
        "DS-CNN by GCC, by the Cortex-M4's manual: cycles of CMSIS-NN 4.0.0 (2022) over ours"
    ),
    "mcu.dscnn.time_of_cmsis_nn_ratio": (
        "DS-CNN by GCC, estimated on an STM32L4R5: time of CMSIS-NN 4.0.0 (2022) over ours"
    ),
    "mcu.dscnn.instructions_of_cmsis_nn_ratio": (
        "DS-CNN by GCC: instructions of CMSIS-NN 4.0.0 (2022) over ours"
    ),
    "mcu.large_slim.times_fewer_instructions": (
        "`large` without half its channels: times fewer instructions"
    ),
    "mcu.small_pruned.times_fewer_instructions": (
        "`small`, 3 of 4 weights zero, constant channels left out: times fewer instructions"
    ),
    "kws.start.accuracy_voices_percent": "`kws-start`, 12 classes: synthetic voices held out",
    "kws.start.accuracy_engine_percent": "`kws-start`: an engine never heard (one voice)",
    "kws.start.accuracy_new_engine_percent": "`kws-start`: another engine never heard (two voices)",
    "kws.start.accuracy_people_percent": "`kws-start`, trained on synthetic voices: 114 people",
    "kws.synthetic.accuracy_people_percent": "`kws-synthetic`, trained on synthetic voices: 114 people",
    "kws.final.accuracy_people_percent": "`kws`, whose teacher has probably heard them: 114 people",
    "kws.small.accuracy_people_percent": "`kws-small`, a smaller `kws`: the same 114 people",
    "kws.final.model_bytes": "`kws` as an int8 .tflite file",
    "kws.small.model_bytes": "`kws-small` as an int8 .tflite file",
    "kws.final.new_engine_false_alarms_per_hour": "`kws`, stream of a new engine: false alarms",
    "kws.final.other_words_false_alarms_per_hour": "`kws`, stream of other words: false alarms",
    "kws.final.no_words_false_alarms_per_hour": "`kws`, stream without a word: false alarms",
    "kws.final.new_engine_missed_percent": "`kws`, stream of a new engine: words missed",
    "kws.final.stream_minutes": "`kws`: how long each of its three streams was",
    "kws.final.mcu.instructions_per_second_of_audio": "`kws`, samples to words: instructions a second",
    "kws.final.mcu.realtime_factor": "`kws`, samples to words: most seconds of work for one of sound",
    "kws.final.mcu.ram_bytes": "`kws`, samples to words: RAM, stack included",
    "gesture.net.unseen_people_percent": "seven gestures, each of ten people left out in turn, int8",
    "gesture.net.unseen_people_low_percent": "seven gestures: lower end of that over ten people",
    "gesture.net.unseen_people_high_percent": "seven gestures: upper end of that over ten people",
    "gesture.net.nested_unseen_people_percent": "seven gestures, recipe chosen on nine others",
    "gesture.net.nested_unseen_people_low_percent": "recipe chosen on nine others: lower end",
    "gesture.net.nested_unseen_people_high_percent": "recipe chosen on nine others: upper end",
    "gesture.net.leaking_split_percent": "seven gestures, windows split at random, which leaks",
    "gesture.forest.plain_unseen_people_percent": "seven gestures, a random forest as it comes",
    "gesture.forest.tuned_unseen_people_percent": "seven gestures, a forest tuned on nine others",
    "gesture.net.int8_file_bytes": "the gesture network as an int8 .tflite file",
    "gesture.net.mcu_instructions": "gestures: from raw samples to an answer, Cortex-M4",
    "anomaly.autoencoder.new_machines_auc": "autoencoder: AUC on eight new simulated machines",
    "anomaly.autoencoder.new_machines_auc_low": "autoencoder: lower end over eight machines",
    "anomaly.autoencoder.new_machines_auc_high": "autoencoder: upper end over eight machines",
    "anomaly.mahalanobis.new_machines_auc": "Mahalanobis distance: AUC on eight new simulated machines",
    "anomaly.mahalanobis.new_machines_auc_low": "Mahalanobis: lower end over eight machines",
    "anomaly.mahalanobis.new_machines_auc_high": "Mahalanobis: upper end over eight machines",
    "anomaly.autoencoder.new_bearings_auc": "autoencoder: AUC on bearings of those machines alone",
    "anomaly.autoencoder.int8_new_machines_auc_loss": (
        "autoencoder: what int8 takes from its AUC (no more than chance)"
    ),
    "anomaly.autoencoder.false_alarms_per_machine_week": (
        "autoencoder: false alarms a machine-week, budget one"
    ),
    "anomaly.autoencoder.false_alarms_low": "autoencoder: lower end of false alarms a machine-week",
    "anomaly.autoencoder.false_alarms_high": "autoencoder: upper end of false alarms a machine-week",
    "anomaly.autoencoder.machine_weeks": "machine-weeks behind the false alarms",
    "anomaly.autoencoder.int8_file_bytes": "the autoencoder as an int8 .tflite file",
    "anomaly.chain.mcu_instructions": "from raw vibration to a score, Cortex-M4",
    "detect.mobilenet_ssd.latency_ms": "a phone's detector, one photo on one core of the host",
    "detect.tiny.both_floors.map50_percent": "tiny detector, 400 composed scenes: mAP at overlap 0.5",
    "detect.tiny.both_floors.int8_drop_points": "tiny detector in int8: mAP lost (no more than chance)",
    "detect.tiny.int8.model_bytes": "the tiny detector as an int8 .tflite file",
    "face.accurate.daylight.genuine_min": "simulated shots of 3 people: lowest cosine of one",
    "face.accurate.daylight.impostor_max": "simulated shots of 3 people: highest cosine of two",
    "face.accurate.template_bytes": "what is stored of a face",
    "privacy.impostor.bytes_counted": "an impostor that sends 1,000 bytes, in a network that counts",
    "privacy.five_networks.bytes_sent": "bytes that five networks send, in a network that counts",
    "privacy.membership.overfitted_tiny_auc": "membership attack, `tiny` overfitted to 500 images: AUC",
    "privacy.membership.tanh_plain_auc": "membership attack, a tanh network without DP: AUC",
    "privacy.membership.tanh_plain_auc_low": "membership attack, tanh without DP: AUC, low end",
    "privacy.membership.tanh_plain_auc_high": "membership attack, tanh without DP: AUC, high end",
    "privacy.membership.tanh_dp_auc": "membership attack, the tanh network with DP: AUC",
    "privacy.membership.tanh_dp_auc_low": "membership attack, tanh with DP: AUC, low end",
    "privacy.membership.tanh_dp_auc_high": "membership attack, tanh with DP: AUC, high end",
    "privacy.membership.tanh_dp_epsilon": "the tanh network with DP: epsilon at delta 1e-4",
    "privacy.last_layer_replay.gain_points": "a watch learns its owner: mean gain of ten (may be none)",
    "capstone.gestures.trials": "trials behind the choice of a gesture network",
    "capstone.gestures.test.worst_seed_percent": "gestures in five budgets, two people: worst seed",
    "capstone.gestures.test.best_seed_percent": "gestures in five budgets, two people: best seed",
    "capstone.gestures.flash_bytes": "the chosen gesture network and its front end: flash",
    "course.minutes": "all lessons, one after the other, on two cores",
    "course.peak_memory_mib": "the lesson that takes most memory",
}
WORDS |= {
    f"kws.{name}.accuracy_people_{end}_percent": f"`{network}`: {end} end of that over 114 people"
    for name, network in (
        ("start", "kws-start"), ("synthetic", "kws-synthetic"), ("final", "kws"), ("small", "kws-small")
    )
    for end in ("low", "high")
}  # fmt: skip
# The spine through every technique: a column's heading, and its record for each network.
SPINE = {
    "in float": "qat.{}.float_percent",
    "8 bits, after training": "qat.{}.ptq8_percent",
    "4-bit weights, after training": "qat.{}.ptq4_percent",
    "4-bit weights, trained for it": "qat.{}.qat4_percent",
    "pruned": "prune.{}.accuracy_percent",
    "of its weights pruned away": "prune.{}.sparsity_percent",
    "distilled from `large`": "distill.{}.accuracy_percent",
}
WORDS |= {
    name.format(model): f"`{model}` {heading}"
    + ("" if "sparsity" in name else ": right on the 10,000 test images")
    for heading, name in SPINE.items()
    for model in ("large", "small", "tiny")
}
WORDS |= {
    f"qat.{model}.{kind}.accuracy_fashion_percent": f"`{model}`, {kind} weights between its ends: "
    "right on the 10,000 test images, mean of 3 seeds"
    for model in ("small", "tiny")
    for kind in ("ternary", "binary")
}
# What a run on a learner's own files measured.
WORDS |= {
    "own.words.test_accuracy_percent": "your words: right among the recordings held back",
    "own.machine.lowest_auc": "your machine: AUC of the condition that is least unlike healthy",
    "own.photos.objects_found": "your photos: objects with a score of 0.4 or more",
    "own.faces.lowest_same_cosine": "your photos: cosine of the two least alike of one person",
    "own.faces.highest_other_cosine": "your photos: cosine of the two most alike of two people",
}


def explain_record(name: str) -> str:
    """Return what a record means in words, "" where nobody wrote it down.

    Guesses and what a learner built are named by the learner's own question or exercise.
    """
    kind, _, rest = name.partition(".")
    words = rest.replace(".measured", ", as measured").replace("_", " ").replace(".", ": ")
    if kind == "guess":
        return f"your guess: {words}"
    return f"built by you: {words}" if kind == "built" else WORDS.get(name, "")
