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
    const position = make("input", { type: "range", min: length, max: last, step: 1, value: length });
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
        network = await loadNetwork(module);
        play.textContent = "Pause";
        playing = setInterval(() => {
            const end = Number(position.value) + hop;
            if (end > last) return halt();
            position.value = end;
            tell(ask(recorded, end), end);
        }, 200);
    } });
    position.addEventListener("input", () => { halt(); look(); });

    /* Samples of a phone, whenever they come, at the rate and in the units of the watch. */
    function sense(handle) {
        // Apple's phones and tablets count acceleration the other way round; their tablets say "Macintosh".
        const flipped = /iP(hone|ad|od)|Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1;
        const heard = [];
        const listener = ({ accelerationIncludingGravity: a, rotationRate: w, timeStamp }) => {
            if (!a || a.x === null) return;
            const sign = flipped ? -1 : 1;
            const turn = w && w.beta !== null ? [w.beta, w.gamma, w.alpha] : [0, 0, 0];
            const reals = [a.x, a.y, a.z].map((value) => (sign * value) / 9.80665);
            reals.push(...turn.map((degrees) => (degrees * Math.PI) / 180));
            heard.push({ time: timeStamp, reals });
        };
        addEventListener("devicemotion", listener);
        const kept = new Int16Array(AXES * SHOWN_S * rate);
        let next = null, fresh = 0;
        const timer = setInterval(() => {
            if (next === null && heard.length) next = heard[0].time;
            while (heard.length > 1 && heard[heard.length - 1].time >= next) {
                while (heard[1].time < next) heard.shift();
                const [before, after] = heard;
                const share = (next - before.time) / (after.time - before.time || 1);
                kept.copyWithin(0, AXES);
                units.forEach((unit, axis) => {
                    const real = before.reals[axis] + share * (after.reals[axis] - before.reals[axis]);
                    const count = Math.max(-32768, Math.min(32767, Math.round(real / unit)));
                    kept[kept.length - AXES + axis] = count;
                });
                next += 1000 / rate;
                fresh++;
            }
            handle(kept, fresh);
            if (fresh >= hop) fresh = 0;
        }, 100);
        return () => { clearInterval(timer); removeEventListener("devicemotion", listener); };
    }

    const phone = make("button", { type: "button", "aria-pressed": "false", onclick: async () => {
        trouble("");
        if (sensing) {
            sensing();
            sensing = null;
        } else {
            halt();
            if (!("DeviceMotionEvent" in window)) {
                return trouble("This browser has no motion sensors: open the page on a phone, or take the recording.");
            }
            const ask_first = DeviceMotionEvent.requestPermission;
            if (ask_first && (await ask_first.call(DeviceMotionEvent)) !== "granted") {
                return trouble("The motion sensors were not allowed. Open the page again, and allow them.");
            }
            network = await loadNetwork(module);
            let silent = 0;
            sensing = sense((samples, fresh) => {
                silent = fresh ? 0 : silent + 1;
                if (silent === 30) {
                    trouble("No motion arrives: this device has no sensors, or keeps them for https addresses.");
                }
                if (fresh >= hop) said.textContent = ask(samples, samples.length / AXES);
            });
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
