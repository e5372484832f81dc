/* Any network: numbers or a picture go in, numbers come out. */
begin(async (module, place, { classes }) => {
    const network = await loadNetwork(module);
    const { inputs, outputs } = network.description;
    const said = make("p", { class: "said", role: "status" });
    const shown = make("div");
    const chart = classes.length ? bars(classes) : null;

    const reals = (values, { scale = 1, zero_point = 0 }) => Array.from(values, (one) => (one - zero_point) * scale);
    const text = (values) => values.map((value) => Number(value.toPrecision(7))).join(" ");
    const size = ({ shape }) => shape.reduce((a, b) => a * b, 1);

    const fields = inputs.map((one, i) => {
        rawOf(network.inputs[i]).set(bytesOf(live.probe.inputs[i]));
        const field = make("textarea", { rows: 4, spellcheck: "false" });
        field.value = text(reals(network.inputs[i], one));
        return { field, label: make("label", {}, `Input ${i + 1}, ${size(one)} numbers (${one.shape.join(" x ")}): `, field) };
    });

    function run() {
        trouble("");
        for (const [i, { field }] of fields.entries()) {
            const values = field.value.split(/[\s,;]+/).filter(Boolean).map(Number);
            if (values.length !== size(inputs[i]) || values.some(Number.isNaN)) {
                const wrong = values.filter(Number.isNaN).length;
                return trouble(`Input ${i + 1} takes ${size(inputs[i])} numbers; there are ${values.length - wrong}`
                    + `${wrong ? `, and ${wrong} that are none` : ""}.`);
            }
            network.inputs[i].set(quantize(network, values, i));
        }
        timed(network);
        const found = outputs.map((_, i) => Array.from(network.real(i)));
        shown.replaceChildren(...found.map((values, i) =>
            make("p", { class: "path" }, `Output ${i + 1} (${outputs[i].shape.join(" x ")}): ${text(values)}`)));
        const best = found[0].indexOf(Math.max(...found[0]));
        if (chart) chart.show(shares(network));
        said.textContent = `Largest: ${classes[best] ?? `number ${best}`}, ${Number(found[0][best].toPrecision(4))}`;
    }

    const go = make("button", { type: "button", onclick: run }, "Run the network");
    const [, height, width, channels] = inputs[0].shape;
    const looks = inputs.length === 1 && inputs[0].shape.length === 4 && height > 1 && width > 1 && [1, 3].includes(channels);

    /* A picture over the whole range of the input: black is its least number, white its greatest. */
    async function take(file) {
        const pixels = await pixelsOf(file, width, height);
        if (!pixels) return;
        const { type, scale = 1, zero_point = 0 } = inputs[0];
        const low = type === "float32" ? 0 : ((type === "uint8" ? 0 : -128) - zero_point) * scale;
        const values = channels === 1 ? greyOf(pixels) : pixels.filter((_, i) => i % 4 < 3);
        fields[0].field.value = text(Array.from(values, (value) => low + (type === "float32" ? value / 255 : value * scale)));
        run();
    }

    place.append(
        ...fields.map(({ label }) => label),
        make("div", { class: "row" }, go),
        ...(looks ? [chooser("A picture instead, or drop one on the page: ", take)] : []),
        said, ...(chart ? [chart.list] : []), shown,
    );
    run();
});
