/* Networks where a visitor runs them: in a page, where LiteRT.js stands beside us, or in node.
   Each run does what a page does: hand over the input, run, take a copy of the output. */

async function ours(bytes) {
    const network = await loadNetwork(bytes);
    return (values) => {
        network.inputs[0].set(values);
        network.run();
        return network.outputs[0].slice();
    };
}

async function liteRt(core, bytes, shape) {
    const model = await core.loadAndCompile(bytes, { accelerator: "wasm" });
    return async (values) => {
        const given = new core.Tensor(values, shape);
        const [made] = await model.run([given]);
        const output = (await made.data()).slice();
        given.delete();
        made.delete();
        return output;
    };
}

async function outputsOf(run, inputs) {
    const outputs = [];
    for (const values of inputs) outputs.push(Array.from(await run(values)));
    return outputs;
}

async function repeat(run, inputs, count) {
    for (let i = 0; i < count; i++) await run(inputs[i % inputs.length]);
}
