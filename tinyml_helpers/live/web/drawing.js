/* A pad of 28 x 28 pixels for a network that looks at grey pictures from 0 to 1. */
begin(async (module, place, { classes, photos }) => {
    const SIDE = 28;
    const network = await loadNetwork(module);
    const pixels = new Float32Array(SIDE * SIDE);
    const pad = make("canvas", {
        id: "pad", width: SIDE, height: SIDE, tabindex: 0, role: "application",
        "aria-label": "Drawing pad. Arrow keys move the pen, space draws, Delete clears.",
    });
    const said = make("p", { class: "said", role: "status" });
    const { list, show } = bars(classes);
    let erases = false, last = null, pen = [14, 14];

    function paint(canvas, values, mark) {
        const context = canvas.getContext("2d");
        const image = context.createImageData(SIDE, SIDE);
        values.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
        if (mark) image.data.set([240, 163, 94, 255], 4 * (mark[1] * SIDE + mark[0]));
        context.putImageData(image, 0, 0);
    }

    function ask(mark = null) {
        paint(pad, pixels, mark);
        network.inputs[0].set(quantize(network, Array.from(pixels, (value) => Math.round(value) / 255)));
        timed(network);
        const values = shares(network);
        const best = show(values);
        said.textContent = `${classes[best]}, ${Math.round(100 * values[best])} %`;
    }

    /* A soft pen: full in the middle, nothing two pixels away. */
    function dab(x, y) {
        for (let row = 0; row < SIDE; row++) {
            for (let column = 0; column < SIDE; column++) {
                const strength = Math.max(0, Math.min(1, 2 - Math.hypot(column + 0.5 - x, row + 0.5 - y)));
                const i = row * SIDE + column;
                pixels[i] = erases ? Math.min(pixels[i], 255 * (1 - strength)) : Math.max(pixels[i], 220 * strength);
            }
        }
    }

    function at(event) {
        const box = pad.getBoundingClientRect();
        return [(SIDE * (event.clientX - box.left)) / box.width, (SIDE * (event.clientY - box.top)) / box.height];
    }

    function draw(event) {
        if (!last) return;
        const next = at(event);
        const steps = Math.ceil(2 * Math.hypot(next[0] - last[0], next[1] - last[1])) || 1;
        for (let i = 1; i <= steps; i++) {
            dab(last[0] + ((next[0] - last[0]) * i) / steps, last[1] + ((next[1] - last[1]) * i) / steps);
        }
        last = next;
        ask();
    }

    pad.addEventListener("pointerdown", (event) => {
        pad.setPointerCapture(event.pointerId);
        last = at(event);
        draw(event);
    });
    pad.addEventListener("pointermove", draw);
    for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; });
    pad.addEventListener("keydown", (event) => {
        const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (move) pen = pen.map((value, i) => Math.min(SIDE - 1, Math.max(0, value + move[i])));
        else if (event.key === " ") dab(pen[0] + 0.5, pen[1] + 0.5);
        else if (event.key === "Delete" || event.key === "Backspace") pixels.fill(0);
        else return;
        event.preventDefault();
        ask(pen);
    });

    const eraser = make("button", { type: "button", "aria-pressed": "false", onclick: () => {
        erases = !erases;
        eraser.setAttribute("aria-pressed", String(erases));
    } }, "Erase");
    const clear = make("button", { type: "button", onclick: () => { pixels.fill(0); ask(); } }, "Clear");
    const choices = photos.map((text, i) => {
        const values = bytesOf(text);
        const small = make("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
        paint(small, values);
        return make("button", {
            type: "button", "aria-label": `test photo ${i + 1}`, draggable: "true", onclick: () => beginWith(values),
            ondragstart: (event) => event.dataTransfer.setData("text/plain", `photo ${i}`),
        }, small);
    });

    function beginWith(values) {
        pixels.set(values);
        ask();
    }

    /* A picture as the network knows them: garments are bright, and what lies around them is black. */
    async function take(file) {
        const found = await pixelsOf(file, SIDE, SIDE);
        if (!found) return;
        const grey = greyOf(found), last = SIDE * SIDE - 1;
        const corners = [0, SIDE - 1, last - SIDE + 1, last].reduce((sum, i) => sum + grey[i], 0);
        beginWith(corners > 4 * 127 ? grey.map((value) => 255 - value) : grey);
    }

    pad.addEventListener("drop", (event) => {
        const dragged = /^photo (\d+)$/.exec(event.dataTransfer.getData("text/plain"));
        if (dragged && photos[dragged[1]]) beginWith(bytesOf(photos[dragged[1]]));
    });
    place.append(
        make("div", { class: "row" },
            make("div", { class: "pad" }, pad, make("div", { class: "row" }, eraser, clear)),
            make("div", { class: "grow" }, said, list)),
        ...(photos.length ? [
            make("p", {}, "Or begin with a photo that the network never saw (press it, or drag it onto the pad), and draw on it:"),
            make("div", { class: "photos" }, ...choices),
        ] : []),
        make("p", {}, chooser("Or a picture of yours, or drop one on the page: ", take)),
    );
    if (photos.length) pixels.set(bytesOf(photos[0]));
    ask();
});
