/* One network as WebAssembly, in a page or in node:

       const bytes = await (await fetch("network.wasm")).arrayBuffer();
       const network = await loadNetwork(bytes);
       network.inputs[0].set(values);    // before each run: the network works in the same memory
       const answer = network.run();     // of what stands behind the network, or 0
       network.outputs[0]                // a typed array: int8, as on the chip
       network.real(0)                   // the same as real numbers

   `network.description` names type and shape of each input and output, with scale and zero point:
   real = scale * (value - zero_point). What a streaming network remembers is forgotten by loading it
   again. It is no module, so that a page without a server can contain it. */
async function loadNetwork(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes);
    const { memory, description, input, output, run } = instance.exports;
    const text = new Uint8Array(memory.buffer, description());
    const described = JSON.parse(new TextDecoder().decode(text.subarray(0, text.indexOf(0))));
    const arrays = {
        bool: Uint8Array, int8: Int8Array, uint8: Uint8Array,
        int16: Int16Array, int32: Int32Array, float32: Float32Array,
    };
    const view = (port, address) => {
        const count = port.shape.reduce((product, size) => product * size, 1);
        return new arrays[port.type](memory.buffer, address, count);
    };
    const outputs = described.outputs.map((port, i) => view(port, output(i)));
    return {
        description: described,
        inputs: described.inputs.map((port, i) => view(port, input(i))),
        outputs,
        exports: instance.exports, // for what a pipeline of your own exports
        run,
        real(i) {
            const { scale = 1, zero_point = 0 } = described.outputs[i];
            return Float32Array.from(outputs[i], (value) => scale * (value - zero_point));
        },
    };
}
