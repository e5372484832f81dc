/* What every live page does: check the network's bytes, time it, say what is wrong. A task's script comes
   after this one and calls `begin(task)`. */
"use strict";
const live = JSON.parse(document.getElementById("live").textContent);
const bytesOf = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
const rawOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/* Make an element: its attributes, then children or text. */
function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
}

function trouble(sentence) {
    const place = document.getElementById("trouble");
    place.textContent = sentence;
    place.hidden = !sentence;
}

/* CRC-32 as in zip and PNG. */
function checksum(parts) {
    let crc = 0xffffffff;
    for (const bytes of parts) {
        for (const byte of bytes) {
            crc ^= byte;
            for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
        }
    }
    return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

const times = [];

/* Run the network, and show what an answer takes here: the median of the last 21. */
function timed(network) {
    const start = performance.now();
    const answer = network.run();
    times.push(performance.now() - start);
    if (times.length > 21) times.shift();
    const median = [...times].sort((a, b) => a - b)[times.length >> 1];
    document.getElementById("here").textContent = `${median.toFixed(2)} ms, in this browser`;
    return answer;
}

/* Run the built-in test vector, in an instance of its own. */
async function checkBytes(module) {
    const network = await loadNetwork(module);
    live.probe.inputs.forEach((text, i) => rawOf(network.inputs[i]).set(bytesOf(text)));
    timed(network);
    const found = checksum(network.outputs.map(rawOf));
    const same = found === live.probe.checksum;
    document.getElementById("same").textContent = same
        ? `yes: on the built-in test input the answer has the checksum ${found}, here and on the emulated chip`
        : `no: the test input gives the checksum ${found} here, and ${live.probe.checksum} on the chip`;
    if (!same) throw new Error("This browser does not compute what the chip does: do not trust the answers.");
}

/* Real numbers -> what the network takes, as QUANTIZE: divided in float32, halves away from zero, clipped. */
function quantize(network, reals, number = 0) {
    const { type, scale = 1, zero_point = 0 } = network.description.inputs[number];
    if (type === "float32") return Float32Array.from(reals);
    const [low, high] = { bool: [0, 1], uint8: [0, 255], int8: [-128, 127], int16: [-32768, 32767] }[type] || [-(2 ** 31), 2 ** 31 - 1];
    return Array.from(reals, (real) => {
        const steps = Math.fround(Math.fround(real) / Math.fround(scale));
        const whole = Math.sign(steps) * Math.round(Math.abs(steps));
        return Math.min(high, Math.max(low, whole + zero_point));
    });
}

/* The first output as shares of 1: as it is if it is a softmax, else by softmax. */
function shares(network) {
    const real = network.real(0);
    const sum = real.reduce((a, b) => a + b, 0);
    if (real.every((x) => x >= 0) && Math.abs(sum - 1) < 0.05) return real;
    const most = Math.max(...real);
    const powers = real.map((x) => Math.exp(x - most));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((x) => x / total);
}

/* A list of bars, one for each class; `show(values)` moves them and returns the number of the largest. */
function bars(classes) {
    const rows = classes.map((name) => {
        const bar = make("i");
        const number = make("span", {}, "");
        return { item: make("li", {}, make("span", {}, name), make("span", {}, bar), number), bar, number };
    });
    const list = make("ul", { class: "bars" }, ...rows.map((row) => row.item));
    const show = (values) => {
        const best = values.indexOf(Math.max(...values));
        rows.forEach(({ item, bar, number }, i) => {
            bar.style.width = `${100 * values[i]}%`;
            number.textContent = `${Math.round(100 * values[i])} %`;
            item.className = i === best ? "best" : "";
        });
        return best;
    };
    return { list, show };
}

/* Why a microphone or a camera does not come, and what to do instead. */
function explain(error, what, instead) {
    if (!navigator.mediaDevices) {
        return `A browser gives the ${what} to pages of this computer and of https addresses only: open this page so.`;
    }
    const framed = window !== window.top ? ` An editor gives a notebook none: keep the page by page.write("live.html"), and open that in a browser, or ${instead}.` : "";
    return {
        NotAllowedError: `The ${what} was not allowed. Allow it beside the address of this page, and press the button again.${framed}`,
        NotFoundError: `No ${what} was found. Plug one in, or ${instead}.`,
    }[error.name] || `The ${what} does not answer (${error.message}). Does another program use it?`;
}

const LISTENER = `
    registerProcessor("listener", class extends AudioWorkletProcessor {
        process([[samples]]) {
            if (samples) this.port.postMessage(samples);
            return true;
        }
    });`;

/* Give sound of a microphone to `take`, in pieces from -1 to 1, until `stop`; `source` leads elsewhere too.
   Without a rate it is that of the device. */
async function hear(rate, take) {
    const context = new AudioContext(rate ? { sampleRate: rate } : {});
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
    // Not a blob: a page from a file has no origin, and its blobs are refused.
    await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(LISTENER)}`);
    const source = context.createMediaStreamSource(stream);
    const listener = new AudioWorkletNode(context, "listener");
    listener.port.onmessage = ({ data }) => take(data);
    source.connect(listener);
    const stop = () => {
        stream.getTracks().forEach((track) => track.stop());
        context.close();
    };
    return { source, stop };
}

/* Give what the motion sensors feel to `take`, at an even rate: acceleration with gravity in m/s2, then rotation in
   rad/s, along x, y and z. It returns what ends it, or undefined, and says why, where nothing can come. */
async function feel(rate, take, instead) {
    if (!("DeviceMotionEvent" in window)) {
        return void trouble(`This browser has no motion sensors: open the page on a phone, or ${instead}.`);
    }
    const askFirst = DeviceMotionEvent.requestPermission;
    const answer = askFirst ? await askFirst.call(DeviceMotionEvent).catch((error) => error.name) : "granted";
    if (answer !== "granted") {
        return void trouble(`The motion sensors were not allowed. Open the page again and allow them, or ${instead}.`);
    }
    // Apple's phones and tablets count acceleration the other way round; their tablets say "Macintosh".
    const flipped = /iP(hone|ad|od)|Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1;
    let before = null, next = 0, heard = performance.now();
    const listener = ({ accelerationIncludingGravity: a, rotationRate: w, timeStamp }) => {
        if (!a || a.x === null) return;
        const sign = flipped ? -1 : 1;
        const turn = w && w.beta !== null ? [w.beta, w.gamma, w.alpha] : [0, 0, 0];
        const reals = [a.x, a.y, a.z].map((value) => sign * value);
        reals.push(...turn.map((degrees) => (degrees * Math.PI) / 180));
        heard = performance.now();
        // After a gap, as of a page in the background, nothing is made up.
        if (!before || timeStamp - before.time > 1000) next = timeStamp;
        for (; before && next < timeStamp; next += 1000 / rate) {
            const share = (next - before.time) / (timeStamp - before.time);
            take(before.reals.map((value, i) => value + share * (reals[i] - value)));
        }
        before = { time: timeStamp, reals };
    };
    const none = "No motion arrives: this device has no sensors, or keeps them for https addresses.";
    const timer = setInterval(() => { if (performance.now() - heard > 3000) trouble(none); }, 500);
    addEventListener("devicemotion", listener);
    return () => { clearInterval(timer); removeEventListener("devicemotion", listener); };
}

/* Fill blocks of int16 with sound from -1 to 1; each full one goes to `step`. */
function filling(block, step) {
    let filled = 0;
    return (samples) => {
        for (const sample of samples) {
            block[filled++] = Math.max(-32768, Math.min(32767, Math.round(32768 * sample)));
            if (filled === block.length) { step(); filled = 0; }
        }
    };
}

/* The middle of a picture or of a camera's frame, in the shape and size asked for: red, green, blue, alpha. */
function scaled(source, wide, high, width, height) {
    const small = make("canvas", { width, height });
    const zoom = Math.min(wide / width, high / height);
    const context = small.getContext("2d", { willReadFrequently: true });
    context.drawImage(source, (wide - zoom * width) / 2, (high - zoom * height) / 2, zoom * width, zoom * height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
}

function greyOf(pixels) {
    return Uint8Array.from({ length: pixels.length / 4 }, (_, i) =>
        Math.round(0.299 * pixels[4 * i] + 0.587 * pixels[4 * i + 1] + 0.114 * pixels[4 * i + 2]));
}

/* Pixels of a file, scaled; undefined, and a sentence, where it is no picture. */
async function pixelsOf(file, width, height) {
    trouble("");
    try {
        const bitmap = await createImageBitmap(file);
        return scaled(bitmap, bitmap.width, bitmap.height, width, height);
    } catch {
        trouble(`${file.name} is no picture that this browser can open: take a JPEG or a PNG.`);
        return undefined;
    }
}

/* Choose a file under a label, or drop one anywhere on the page: `take` gets it. */
function chooser(text, take) {
    const input = make("input", { type: "file", accept: "image/*" });
    input.addEventListener("change", () => { if (input.files.length) take(input.files[0]); });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
        event.preventDefault();
        if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    });
    return make("label", {}, text, input);
}

/* A slider under its name and its value. */
function slider(text, min, max, step, value, moved) {
    const shown = make("span", { class: "value" }, String(Number(value.toFixed(2))));
    const input = make("input", { type: "range", min, max, step, value });
    input.addEventListener("input", () => { shown.textContent = input.value; moved(); });
    return { input, label: make("label", {}, `${text}: `, shown, make("br"), input) };
}

async function begin(task) {
    try {
        const module = bytesOf(live.module);
        await checkBytes(module);
        await task(module, document.getElementById("task"), live.task);
        document.body.dataset.ready = "yes";
    } catch (error) {
        trouble(error.message);
    }
}
