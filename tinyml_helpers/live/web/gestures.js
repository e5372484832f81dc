/* Movements: from a recording that the page brings, or from the sensors of a phone. */
begin(async (module, place, { classes, rate, window: length, hop, units, stream, truth }) => {
    const AXES = 6, SHOWN_S = 10;
    const recorded = new Int16Array(bytesOf(stream).buffer);
    const labels = new Int8Array(bytesOf(truth).buffer);
    const { list, show } = bars(classes);
    const said = make("p", { class: "said", role: "status" });
    const picture = make("canvas", {
        id: "motion", width: 600, height: 150, role: "img",
        "aria-label": "Acceleration along three axes over the last ten seconds",
    });
    const last = recorded.length / AXES - 1;
    const moving = labels.findIndex((label) => label >= 0);
    const first = Math.min(last, moving + length); // a window that the network knows, if there is one
    const position = make("input", { type: "range", min: length, max: last, step: 1, value: first });
    const where = make("span", { class: "value" });
    let network = await loadNetwork(module), playing = null, sensing = null;

    /* Lines of the last seconds before `end` of samples [x y z x y z ...], gravity and all. */
    function plot(samples, end) {
        const context = picture.getContext("2d");
        const { width, height } = picture;
        context.clearRect(0, 0, width, height);
        const first = Math.max(0, end - SHOWN_S * rate);
        ["#3a9bd4", "#c98200", "#00a878"].forEach((colour, axis) => {
            context.strokeStyle = colour;
            context.beginPath();
            for (let i = first; i < end; i++) {
                const x = (width * (i - end + SHOWN_S * rate)) / (SHOWN_S * rate);
                context.lineTo(x, height / 2 - (samples[AXES * i + axis] * units[axis] * height) / 5);
            }
            context.stroke();
        });
        context.fillStyle = "rgba(128, 128, 128, .2)";
        const seen = (width * length) / (SHOWN_S * rate);
        context.fillRect(width - seen, 0, seen, height);
    }

    function ask(samples, end) {
        network.inputs[0].set(samples.subarray(AXES * (end - length), AXES * end));
        const vote = timed(network);
        show(shares(network));
        plot(samples, end);
        return vote < 0 ? "none of them" : classes[vote];
    }

    /* One window of the recording by itself: an instance without votes from before. */
    async function look() {
        network = await loadNetwork(module);
        const end = Number(position.value);
        const name = ask(recorded, end);
        tell(name, end);
    }

    function tell(name, end) {
        const label = labels[end - 1];
        const known = label < 0 ? "rest, which the network does not know" : classes[label];
        where.textContent = `${(end / rate).toFixed(1)} s; there it is: ${known}`;
        said.textContent = name;
    }

    function halt() {
        clearInterval(playing);
        playing = null;
        play.textContent = "Play the recording, five times as fast";
    }

    const play = make("button", { type: "button", onclick: async () => {
        if (playing) return halt();
        if (sensing) phone.click();
        network = await loadNetwork(module);
        play.textContent = "Pause";
        playing = setInterval(() => {
            const end = Number(position.value) + hop;
            if (end > last) return halt();
            position.value = end;
            tell(ask(recorded, end), end);
        }, 200);
    } });
    position.addEventListener("input", () => {
        halt();
        if (sensing) phone.click();
        look();
    });

    /* Samples of a phone in the units of the watch, a window after each hop. */
    function watch() {
        const kept = new Int16Array(AXES * SHOWN_S * rate);
        let fresh = hop - length; // no window is asked about before it is full
        return feel(rate, (reals) => {
            trouble("");
            kept.copyWithin(0, AXES);
            units.forEach((unit, axis) => {
                const real = axis < 3 ? reals[axis] / 9.80665 : reals[axis];
                kept[kept.length - AXES + axis] = Math.max(-32768, Math.min(32767, Math.round(real / unit)));
            });
            if (++fresh < hop) return;
            fresh = 0;
            said.textContent = ask(kept, kept.length / AXES);
        }, "take the recording");
    }

    const phone = make("button", { type: "button", "aria-pressed": "false", onclick: async () => {
        trouble("");
        if (sensing) {
            sensing();
            sensing = null;
        } else {
            halt();
            network = await loadNetwork(module);
            sensing = await watch();
        }
        phone.setAttribute("aria-pressed", String(Boolean(sensing)));
        phone.textContent = sensing ? "Stop" : "Use the sensors of this phone";
    } }, "Use the sensors of this phone");

    place.append(
        make("div", { class: "row" }, play, phone),
        make("label", {}, "Place in the recording: ", where, make("br"), position),
        picture, said, list,
    );
    halt();
    await look();
});
