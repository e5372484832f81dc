/* Boxes of the tiny detector, on scenes that the page brings, on a picture, or on a camera. */
begin(async (module, place, { classes, side, stride, anchor, variances, overlap, scenes }) => {
    const ZOOM = 4, NUMBERS = 4 + classes.length;
    const network = await loadNetwork(module);
    const small = make("canvas", { width: side, height: side });
    const picture = make("canvas", { id: "scene", width: side * ZOOM, height: side * ZOOM, role: "img" });
    const said = make("p", { class: "said", role: "status" });
    const least = make("input", { type: "range", min: 0.05, max: 0.95, step: 0.05, value: 0.3 });
    const shown = make("span", { class: "value" }, "0.3");
    let camera = null, current = bytesOf(scenes[0]);

    const sigmoid = (x) => 1 / (1 + Math.exp(-x));

    /* Every cell's box, with the class that it scores best: x1, y1, x2, y2 in pixels. */
    function decode(real) {
        const cells = Math.sqrt(real.length / NUMBERS);
        const found = [];
        for (let cell = 0; cell < cells * cells; cell++) {
            const codes = real.subarray(NUMBERS * cell, NUMBERS * cell + 4);
            const logits = real.subarray(NUMBERS * cell + 4, NUMBERS * (cell + 1));
            const label = logits.indexOf(Math.max(...logits));
            const x = (codes[1] / variances[0]) * anchor + (cell % cells) * stride + 0.5;
            const y = (codes[0] / variances[0]) * anchor + Math.floor(cell / cells) * stride + 0.5;
            const [height, width] = [codes[2], codes[3]].map((code) => anchor * Math.exp(code / variances[1]));
            const box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
            found.push({ label, score: sigmoid(logits[label]), box: box.map((v) => Math.min(side, Math.max(0, v))) });
        }
        return found;
    }

    function iou(a, b) {
        const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
        const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
        if (width <= 0 || height <= 0) return 0;
        const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
        return (width * height) / (area(a) + area(b) - width * height);
    }

    /* Best first; of two boxes that share much of their place the weaker goes. */
    function select(candidates) {
        const kept = [];
        candidates.filter(({ score }) => score >= Number(least.value))
            .sort((a, b) => b.score - a.score)
            .forEach((one) => { if (kept.every((other) => iou(one.box, other.box) <= overlap)) kept.push(one); });
        return kept;
    }

    function paint(values) {
        const context = small.getContext("2d", { willReadFrequently: true });
        const image = context.createImageData(side, side);
        values.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
        context.putImageData(image, 0, 0);
    }

    function ask(values) {
        current = values;
        network.inputs[0].set(values);
        timed(network);
        const found = select(decode(network.real(0)));
        paint(values);
        const context = picture.getContext("2d");
        context.imageSmoothingEnabled = false;
        context.drawImage(small, 0, 0, picture.width, picture.height);
        context.strokeStyle = context.fillStyle = "#f0a35e";
        context.lineWidth = 2;
        context.font = "14px sans-serif";
        for (const { label, score, box: [x1, y1, x2, y2] } of found) {
            context.strokeRect(ZOOM * x1, ZOOM * y1, ZOOM * (x2 - x1), ZOOM * (y2 - y1));
            context.fillText(`${classes[label]} ${score.toFixed(2)}`, ZOOM * x1 + 2, Math.max(14, ZOOM * y1 - 4));
        }
        const words = found.map(({ label, score }) => `${classes[label]} ${score.toFixed(2)}`).join(", ");
        said.textContent = words || "nothing found";
        picture.setAttribute("aria-label", `A scene with what was found in it: ${words || "nothing"}`);
    }

    async function take(file) {
        const pixels = await pixelsOf(file, side, side);
        if (pixels) ask(greyOf(pixels));
    }

    function stop() {
        clearInterval(camera.timer);
        camera.stream.getTracks().forEach((track) => track.stop());
        camera = null;
    }

    async function watch() {
        try {
            const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
            const video = make("video", { playsinline: "", muted: "" });
            video.srcObject = stream;
            await video.play();
            const timer = setInterval(() => ask(greyOf(scaled(video, video.videoWidth, video.videoHeight, side, side))), 200);
            camera = { stream, timer };
        } catch (error) {
            trouble(explain(error, "camera", "take one of the scenes, or a picture"));
        }
    }

    const look = make("button", { type: "button", "aria-pressed": "false", onclick: async () => {
        trouble("");
        if (camera) stop();
        else await watch();
        look.setAttribute("aria-pressed", String(Boolean(camera)));
        look.textContent = camera ? "Stop the camera" : "Use the camera";
    } }, "Use the camera");
    least.addEventListener("input", () => { shown.textContent = least.value; ask(current); });
    const choices = scenes.map((text, i) => {
        const values = bytesOf(text);
        paint(values);
        const icon = make("canvas", { width: side, height: side, "aria-hidden": "true" });
        icon.getContext("2d").drawImage(small, 0, 0);
        return make("button", { type: "button", "aria-label": `scene ${i + 1}`, onclick: () => ask(values) }, icon);
    });
    place.append(
        make("div", { class: "row" },
            picture,
            make("div", { class: "grow" },
                said,
                make("label", {}, "Least score: ", shown, make("br"), least),
                make("div", { class: "photos scenes" }, ...choices),
                make("div", { class: "row" }, look),
                chooser("Or a picture, or drop one on the page: ", take))),
    );
    ask(current);
});
