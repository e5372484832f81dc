/* Words from a microphone, or from the recording that the page brings. */
begin(async (module, place, { classes, words, rate, hop, width, least, gate, recording, says }) => {
    let network = await loadNetwork(module);
    const block = new Int16Array(hop), loudness = [];
    let seconds = 0, sound = null, take = null;
    const { list, show } = bars(classes);
    const said = make("p", { class: "said", role: "status" }, "Not listening.");
    const found = make("ol", { id: "words", reversed: "", "aria-label": "Words found, the latest first" });
    const level = make("meter", { min: -80, max: 0, value: -80, "aria-label": "loudness" });
    const picture = make("canvas", {
        id: "sound", width: 600, height: 128, role: "img",
        "aria-label": "Spectrogram: the last seconds of sound, low tones at the foot",
    });
    const threshold = slider("Least score of a word", 0.3, 1, 0.01, least / (256 * width), tune);
    const silence = slider("Loudness below which nothing is reported (dB of full scale)", -80, 0, 1, gate, tune);

    function tune() {
        network.exports.threshold(Math.ceil(Number(threshold.input.value) * 256 * width - 1e-9));
    }

    /* One step of the C: samples in, the number of a word out, or -1. */
    function step() {
        network.inputs[0].set(block);
        const word = timed(network);
        seconds += hop / rate;
        const power = block.reduce((sum, value) => sum + value * value, 0) / hop;
        loudness.push(10 * Math.log10(power / 32768 ** 2 + 1e-8));
        level.value = loudness[loudness.length - 1];
        level.textContent = `${level.value.toFixed(0)} dB`;
        // A word is reported when it is over, and silence may follow it: the last second counts.
        while (loudness.length > rate / hop) loudness.shift();
        show(shares(network));
        if (word >= 0 && Math.max(...loudness) >= Number(silence.input.value)) {
            said.textContent = classes[word];
            found.prepend(make("li", {}, `${classes[word]}, after ${seconds.toFixed(1)} s`));
            while (found.children.length > 20) found.lastChild.remove();
        }
    }

    /* A column for what is heard now, the rest moves to the left. */
    function scroll(tones, spectrum) {
        const context = picture.getContext("2d");
        tones.getByteFrequencyData(spectrum);
        context.drawImage(picture, -2, 0);
        for (let y = 0; y < 128; y++) {
            const value = spectrum[127 - y];
            context.fillStyle = `rgb(${value}, ${value * 0.8}, ${255 * (value > 40) * (value / 255) ** 2})`;
            context.fillRect(598, y, 2, 1);
        }
        if (sound) requestAnimationFrame(() => scroll(tones, spectrum));
    }

    async function listen() {
        sound = await hear(rate, take);
        const tones = new AnalyserNode(sound.source.context, { fftSize: 256 });
        sound.source.connect(tones);
        scroll(tones, new Uint8Array(128));
    }

    async function restart() {
        network = await loadNetwork(module);
        tune();
        seconds = 0;
        take = filling(block, step);
        found.replaceChildren();
    }

    const start = make("button", { type: "button", "aria-pressed": "false" }, "Listen");
    start.addEventListener("click", async () => {
        trouble("");
        if (sound) {
            sound.stop();
            sound = null;
            said.textContent = "Not listening.";
        } else {
            try {
                await restart();
                await listen();
                said.textContent = "Listening.";
            } catch (error) {
                trouble(explain(error, "microphone", "use the recording"));
            }
        }
        start.setAttribute("aria-pressed", String(Boolean(sound)));
        start.textContent = sound ? "Stop" : "Listen";
    });
    const replay = make("button", { type: "button" }, `Take a recording instead: ${says}`);
    replay.addEventListener("click", async () => {
        if (sound) start.click();
        await restart();
        const samples = new Int16Array(bytesOf(recording).buffer);
        take(Float32Array.from(samples, (value) => value / 32768));
    });
    place.append(
        make("p", {}, `It knows: ${words.join(", ")}.`),
        make("div", { class: "row" }, start, ...(recording ? [replay] : [])),
        said, level, picture,
        make("div", { class: "row" },
            make("div", { class: "grow" }, list),
            make("div", { class: "grow" }, threshold.label, silence.label, found)),
    );
    tune();
});
