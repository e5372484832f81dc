/* A machine: first what is usual for it, then how much that varies, then whether it still is so. */
begin(async (module, place, { rate, segment, learn, recorded_learn, margin, baseline, count, recording, truth }) => {
    const before = new Float32Array(bytesOf(baseline).buffer);
    const stored = new Int8Array(bytesOf(recording).buffer);
    const SHOWN = 48, MEDIAN_OF = 3;
    const block = new Int16Array(segment);
    // A motion sensor is too slow for what the network knows, so what it feels goes in many times as fast.
    const FELT_HZ = 960, FELT_EACH_S = 1, FELT_COUNT = 1000, LET_GO_S = 3;
    let network = null, half = 0, usual = null, scores = [], playing = null, source = null, eachS = segment / rate;
    const said = make("p", { class: "said", role: "status" });
    const detail = make("p", { id: "detail" });
    const picture = make("canvas", {
        id: "scores", width: 600, height: 150, role: "img",
        "aria-label": "Scores of the last segments as bars, and the line above which there is an alarm",
    });
    const position = make("input", { type: "range", min: 1, max: truth.length, step: 1, value: 2 * recorded_learn + 1 });
    const where = make("span", { class: "value" });
    const limit = slider("Alarm above the highest healthy score, times", 1, 10, 0.1, margin, tell);

    const reals = (address) => new Float32Array(network.exports.memory.buffer, address, before.length);
    const seconds = (segments) => (segments * eachS).toFixed(1);

    function restart(fresh, segments, apartS = segment / rate) {
        network = fresh;
        half = segments;
        eachS = apartS;
        usual = new Float64Array(before.length);
        scores = [];
    }

    /* The same C as on the chip, but for the machine's usual features, which are a constant there. */
    function settle() {
        const offset = reals(network.exports.offset()), factor = reals(network.exports.factor());
        offset.forEach((value, i) => { offset[i] = value + (before[i] - usual[i]) * factor[i]; });
    }

    function next() {
        network.inputs[0].set(block);
        const score = timed(network) / 1000;
        if (scores.length >= half) return scores.push(score);
        scores.push(null);
        reals(network.exports.features()).forEach((value, i) => { usual[i] += value / half; });
        if (scores.length === half) settle();
    }

    const alarmAbove = () => limit.input.value * Math.max(...scores.slice(half, 2 * half));

    function median(values) {
        return [...values].sort((a, b) => a - b)[values.length >> 1];
    }

    function say(sentence) {
        if (said.textContent !== sentence) said.textContent = sentence;
    }

    function tell() {
        const known = scores.length - 2 * half;
        plot(known >= 0 ? alarmAbove() : null);
        if (known < 0) {
            say(scores.length < half ? "Learning what is usual." : "Learning how much that varies.");
            const wait = eachS === FELT_EACH_S && !scores.length ? " Lay the phone on it and let go; it begins in ten seconds." : "";
            detail.textContent = `${seconds(scores.length)} of ${seconds(2 * half)} s. Let the machine run as it should.${wait}`;
            return;
        }
        const now = median(scores.slice(-MEDIAN_OF)), above = alarmAbove();
        say(known === 0 ? "Learnt." : now > above ? "Alarm: not like the healthy machine." : "Like the healthy machine.");
        detail.textContent = `Median of the last ${MEDIAN_OF} scores ${now.toFixed(2)}; alarm above ${above.toFixed(2)}.`;
    }

    function plot(above) {
        const context = picture.getContext("2d");
        const { width, height } = picture;
        context.clearRect(0, 0, width, height);
        const shown = scores.slice(-SHOWN), first = scores.length - shown.length;
        const top = Math.max(3, 3 * (above || 0));
        shown.forEach((score, i) => {
            const high = Math.min(height, (height * (score ?? 0)) / top);
            context.fillStyle = first + i < 2 * half ? "#8a949b" : score > above ? "#d1741a" : "#3a9bd4";
            context.fillRect((i * width) / SHOWN, height - high, width / SHOWN - 2, high);
        });
        if (above) {
            context.fillStyle = "#d1741a";
            context.fillRect(0, height - (height * above) / top, width, 2);
        }
    }

    /* One segment of the recording, kept in eight bits. */
    function play(number) {
        const part = stored.subarray(number * segment, (number + 1) * segment);
        block.forEach((_, i) => { block[i] = part[i] * count; });
        next();
        where.textContent = `${seconds(number + 1)} s; there it is: ${truth[number]}`;
    }

    async function look() {
        const fresh = await loadNetwork(module);
        restart(fresh, recorded_learn);
        for (let number = 0; number < position.value; number++) play(number);
        tell();
    }

    function halt() {
        clearInterval(playing);
        playing = null;
        player.textContent = "Play the recording";
    }

    const player = make("button", { type: "button", onclick: async () => {
        if (playing) return halt();
        if (source) stop();
        if (Number(position.value) >= truth.length) position.value = 1;
        await look();
        player.textContent = "Pause";
        clearInterval(playing);
        playing = setInterval(() => {
            if (Number(position.value) >= truth.length) return halt();
            position.value = Number(position.value) + 1;
            play(position.value - 1);
            tell();
        }, 300);
    } });
    position.addEventListener("input", () => {
        halt();
        if (source) stop();
        look();
    });

    function show(active = null) {
        for (const button of [listen, touch]) {
            button.setAttribute("aria-pressed", String(button === active));
            button.textContent = button === active ? "Stop" : button.dataset.text;
        }
    }

    function stop() {
        source.stop();
        source = null;
        say("Stopped.");
        show();
    }

    async function hearMachine() {
        restart(await loadNetwork(module), learn);
        return hear(rate, filling(block, () => {
            trouble(block.some(Boolean) ? "" : "Only silence arrives: is the microphone switched off?");
            next();
            tell();
        }));
    }

    /* Segments that overlap, of the axis that shakes most while all is well; first the hand lets go. */
    async function feelMachine() {
        restart(await loadNetwork(module), learn, FELT_EACH_S);
        const axes = [0, 1, 2].map(() => new Int16Array(segment));
        let filled = -LET_GO_S * FELT_HZ, axis = null;
        const end = await feel(FELT_HZ, (reals) => {
            trouble("");
            if (filled >= 0) axes.forEach((one, i) => { one[filled] = Math.max(-32768, Math.min(32767, Math.round(FELT_COUNT * reals[i]))); });
            if (++filled < segment) return;
            axis ??= axes.map(spread).reduce((best, one, i, all) => (one > all[best] ? i : best), 0);
            block.set(axes[axis]);
            next();
            tell();
            filled -= FELT_EACH_S * FELT_HZ;
            for (const one of axes) one.copyWithin(0, FELT_EACH_S * FELT_HZ);
        }, "use the recording");
        return end && { stop: end };
    }

    function spread(samples) {
        const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
        return samples.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    }

    function starter(text, open) {
        const button = make("button", { type: "button", "aria-pressed": "false", "data-text": text, onclick: async () => {
            const pressed = button.getAttribute("aria-pressed") === "true";
            trouble("");
            if (source) stop();
            if (pressed) return;
            halt();
            try {
                source = await open();
            } catch (error) {
                trouble(explain(error, "microphone", "use the recording"));
            }
            if (!source) return look();
            where.textContent = "";
            tell();
            show(button);
        } }, text);
        return button;
    }

    const listen = starter("Listen to a machine", hearMachine);
    const touch = starter("Feel a machine with this phone", feelMachine);

    place.append(
        make("div", { class: "row" }, listen, touch, player),
        make("label", {}, "Place in the recording: ", where, make("br"), position),
        said, detail, picture, limit.label,
    );
    halt();
    await look();
});
