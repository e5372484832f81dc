/* A machine: first what is usual for it, then how much that varies, then whether it still is so. */
begin(async (module, place, { rate, segment, learn, recorded_learn, margin, baseline, count, recording, truth }) => {
    const before = new Float32Array(bytesOf(baseline).buffer);
    const stored = new Int8Array(bytesOf(recording).buffer);
    const SHOWN = 48, MEDIAN_OF = 3;
    const block = new Int16Array(segment);
    let network = null, half = 0, usual = null, scores = [], playing = null, sound = null;
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
    const seconds = (segments) => ((segments * segment) / rate).toFixed(1);

    function restart(fresh, segments) {
        network = fresh;
        half = segments;
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
            detail.textContent = `${seconds(scores.length)} of ${seconds(2 * half)} s. Let the machine run as it should.`;
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
        if (sound) stop();
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
        if (sound) stop();
        look();
    });

    function show() {
        listen.setAttribute("aria-pressed", String(Boolean(sound)));
        listen.textContent = sound ? "Stop" : "Listen to a machine";
    }

    function stop() {
        sound.stop();
        sound = null;
        say("Not listening.");
        show();
    }

    const listen = make("button", { type: "button", "aria-pressed": "false", onclick: async () => {
        trouble("");
        if (sound) return stop();
        halt();
        try {
            restart(await loadNetwork(module), learn);
            sound = await hear(rate, filling(block, () => {
                trouble(block.some(Boolean) ? "" : "Only silence arrives: is the microphone switched off?");
                next();
                tell();
            }));
            where.textContent = "";
            tell();
        } catch (error) {
            trouble(explain(error, "microphone", "use the recording"));
            await look();
        }
        show();
    } }, "Listen to a machine");

    place.append(
        make("div", { class: "row" }, listen, player),
        make("label", {}, "Place in the recording: ", where, make("br"), position),
        said, detail, picture, limit.label,
    );
    halt();
    await look();
});
