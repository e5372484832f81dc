/* Words, one at a time: count down, record, listen again, keep or discard. The program behind this page
   writes what is kept, and knows what is there. */
{
    const { words, unknown, silence, others, count: wanted, by } = live.task;
    const RECORDED_S = 1.2, BEAT_MS = 700, FRAME_S = 0.02;
    const QUIET_DB = -40, ABOVE_NOISE_DB = 10, AT_EDGE_DB = 12;
    let there = {}, word = words[0], sound = null, busy = false, taking = null, second = null, level = 0;

    const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });
    const decibels = (power) => 10 * Math.log10(power + 1e-10);
    // As the program behind writes it, so that counts agree.
    const speaker = () => name.value.trim().toLowerCase().normalize("NFC").replace(/[\s-]+/g, "_");
    const kept = (one) => there[one]?.[speaker()] || 0;

    const name = make("input", { id: "by", maxlength: 40, autocomplete: "off", spellcheck: "false" });
    const list = make("ul", { class: "words", "aria-label": "Words" });
    const prompt = make("p", { class: "prompt" });
    const countdown = make("p", { class: "countdown", "aria-hidden": "true" }, "\u00a0");
    const meter = make("meter", { min: -80, max: 0, value: -80, "aria-label": "loudness" });
    const said = make("p", { class: "said", role: "status" });
    const picture = make("canvas", { id: "wave", width: 600, height: 96, role: "img", "aria-label": "Nothing recorded yet" });
    const button = (text, onclick) => make("button", { type: "button", onclick }, text);
    const start = button("Record", record);
    const again = button("Listen again", listen);
    const keep = button("Keep", send);
    const discard = button("Discard", () => { forget("Discarded."); start.focus(); });

    const rows = new Map(words.map((one) => {
        const choose = button(one, () => { if (!busy) { word = one; forget(""); } });
        const bar = make("progress", { max: wanted, value: 0, "aria-label": one });
        const number = make("span");
        list.append(make("li", {}, choose, bar, number));
        return [one, { choose, bar, number }];
    }));

    function show() {
        for (const [one, { choose, bar, number }] of rows) {
            const all = Object.values(there[one] || {}).reduce((a, b) => a + b, 0);
            choose.setAttribute("aria-pressed", String(one === word));
            bar.value = Math.min(wanted, kept(one));
            number.textContent = `${kept(one)} of ${wanted}` + (all > kept(one) ? `, ${all} with others` : "");
        }
        const other = others[kept(word) % others.length];
        prompt.replaceChildren(...{
            [unknown]: ["Say any other word, another each time, such as ", make("strong", {}, other)],
            [silence]: ["Say nothing: the room is recorded"],
        }[word] || ["Say: ", make("strong", {}, word)]);
        for (const one of [again, keep, discard]) one.disabled = !second;
    }

    function forget(sentence) {
        second = null;
        said.textContent = sentence;
        draw(new Float32Array(0), "Nothing recorded yet");
        trouble("");
        show();
    }

    function draw(samples, sentence) {
        const context = picture.getContext("2d"), { width, height } = picture;
        picture.setAttribute("aria-label", sentence);
        context.clearRect(0, 0, width, height);
        context.fillStyle = getComputedStyle(picture).color;
        const step = Math.max(1, Math.floor(samples.length / width));
        for (let x = 0; x * step < samples.length; x++) {
            const part = samples.subarray(x * step, (x + 1) * step);
            const high = part.reduce((a, b) => Math.max(a, Math.abs(b)), 0.005);
            context.fillRect(x, height / 2 * (1 - high), 1, height * high);
        }
    }

    /* What the microphone gives: into the meter always, into a recording while one is taken. */
    function take(samples) {
        const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
        level = Math.max(power, 0.95 * level);
        meter.value = decibels(level);
        if (!taking) return;
        taking.parts.push(samples);
        taking.count += samples.length;
        if (taking.count >= RECORDED_S * sound.source.context.sampleRate) {
            taking.done(taking.parts);
            taking = null;
        }
    }

    function tone() {
        const { context } = sound.source, volume = new GainNode(context, { gain: 0.1 });
        const beep = new OscillatorNode(context, { frequency: 880 });
        beep.connect(volume).connect(context.destination);
        beep.start();
        beep.stop(context.currentTime + 0.1);
    }

    async function record() {
        if (busy) return;
        forget("");
        if (!/^\p{L}+(_\p{L}+)*$/u.test(speaker())) {
            trouble("Who speaks? Give a name of letters only, such as ana: it becomes part of the file's name.");
            name.focus();
            return;
        }
        busy = true;
        try {
            sound ||= await hear(null, take);
            await sound.source.context.resume();
            await countDown();
            const parts = await Promise.race([new Promise((done) => { taking = { parts: [], count: 0, done }; }), wait(5000)]);
            if (!parts) throw new Error("it gives no sound");
            judge(Float32Array.from(parts.flatMap((part) => Array.from(part))), sound.source.context.sampleRate);
        } catch (error) {
            off();
            trouble(explain(error, "microphone", "bring files of another recorder"));
        }
        taking = null;
        countdown.textContent = "\u00a0";
        busy = false;
        show();
        (second ? keep : start).focus();
    }

    async function countDown() {
        for (const number of [3, 2, 1]) {
            countdown.textContent = number;
            tone();
            await wait(BEAT_MS);
        }
        countdown.textContent = "now";
    }

    /* The loudest second, and what is amiss with the recording. */
    function judge(samples, rate) {
        const frame = Math.round(FRAME_S * rate), powers = [];
        for (let at = 0; at + frame <= samples.length; at += frame) {
            powers.push(samples.subarray(at, at + frame).reduce((sum, value) => sum + value * value, 0) / frame);
        }
        const inSecond = Math.round(1 / FRAME_S);
        const sums = powers.slice(inSecond - 1).map((_, i) => powers.slice(i, i + inSecond).reduce((a, b) => a + b, 0));
        const most = Math.max(...sums);
        // Among equally loud ones the word belongs in the middle, as where the folder is read.
        const best = sums.map((sum, i) => [sum, i]).filter(([sum]) => sum >= 0.999 * most);
        const from = frame * best[best.length >> 1][1];
        second = samples.slice(from, from + rate);
        const loudest = decibels(Math.max(...powers)), noise = decibels([...powers].sort((a, b) => a - b)[powers.length >> 2]);
        const edge = decibels(Math.max(...powers.slice(0, 2), ...powers.slice(-2)));
        const clipped = samples.filter((value) => Math.abs(value) >= 0.99).length;
        const amiss = [];
        if (clipped > 3) amiss.push("Too loud, the peaks are cut off: move away from the microphone.");
        if (word !== silence) {
            if (loudest < QUIET_DB) amiss.push("Very quiet: come closer, or speak up.");
            if (loudest < noise + ABOVE_NOISE_DB) amiss.push("No word stands out: was it said in time, or is the room too loud?");
            else if (edge > loudest - AT_EDGE_DB) amiss.push("Loud at the very beginning or end: is the word whole?");
        }
        said.textContent = amiss.length ? `Better discard it. ${amiss.join(" ")}` : "Recorded. Listen again, keep or discard.";
        draw(second, `One second of sound, ${loudest.toFixed(0)} dB of full scale at its loudest`);
    }

    function listen() {
        const { context } = sound.source, source = new AudioBufferSourceNode(context, {
            buffer: new AudioBuffer({ length: second.length, sampleRate: context.sampleRate }),
        });
        source.buffer.copyToChannel(second, 0);
        source.connect(context.destination);
        source.start();
    }

    /* WAV: 44 bytes, then 16 bits a sample. */
    function wave(samples, rate) {
        const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
        const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
        text(0, "RIFF    WAVEfmt ");
        view.setUint32(4, 36 + 2 * samples.length, true);
        view.setUint32(16, 16, true);
        view.setUint16(20, 1, true);
        view.setUint16(22, 1, true);
        view.setUint32(24, rate, true);
        view.setUint32(28, 2 * rate, true);
        view.setUint16(32, 2, true);
        view.setUint16(34, 16, true);
        text(36, "data");
        view.setUint32(40, 2 * samples.length, true);
        samples.forEach((value, i) => view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(32768 * value))), true));
        return view.buffer;
    }

    async function send() {
        if (busy || !second) return;
        busy = true;
        said.textContent = "Being kept ...";
        const told = await ask(`${encodeURIComponent(word)}/${encodeURIComponent(speaker())}`, {
            method: "POST", headers: { "Content-Type": "audio/wav" }, body: wave(second, sound.source.context.sampleRate),
        });
        busy = false;
        said.textContent = "";
        if (!told) return;
        there = told.count;
        const full = kept(word) === wanted, next = words.find((one) => kept(one) < wanted);
        if (full && next) word = next;
        forget(`Kept as ${told.kept}.` + (full ? next ? ` Now: ${next}.` : finish() : ""));
        start.focus();
    }

    function finish() {
        off();
        return ` All words are there, by ${speaker()}. Let somebody else speak: change the name. Or stop the program.`;
    }

    function off() {
        if (sound) sound.stop();
        sound = null;
        meter.value = -80;
    }

    /* Ask the program behind this page; undefined, and a sentence, where it refuses or is gone. */
    async function ask(path, options) {
        try {
            const answer = await fetch(path, options);
            if (answer.ok) return await answer.json();
            trouble(await answer.text());
        } catch {
            trouble("The program behind this page has ended. What was kept is in the folder; start it again to go on.");
        }
        return undefined;
    }

    name.value = sessionStorage.getItem("by") ?? by;
    name.addEventListener("input", () => { sessionStorage.setItem("by", name.value); show(); });
    document.getElementById("task").append(
        make("p", {}, make("label", {}, "Who speaks: ", name)),
        list, prompt, countdown,
        make("p", {}, "Loudness ", meter),
        make("div", { class: "row" }, start, again, keep, discard),
        said, picture);
    ask("count").then((told) => {
        there = told || {};
        word = words.find((one) => kept(one) < wanted) || word;
        show();
        document.body.dataset.ready = "yes";
    });
}
