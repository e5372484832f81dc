/* Fully connected layer whose weights are stored in fewer bits, or two of four: four filters are
   unpacked into RAM at a time. The bytes are those of the weights in eight bits. */
#include "four_filters.h"

void tm_fully_connected_packed(const tm_dense *layer, const tm_packed *packed, const int8_t *input, int8_t *output,
                               void *scratch) {
    const uint32_t quads = (layer->inputs + 3u) / 4;
    uint32_t *const filters = (uint32_t *)scratch, *const expanded = filters + 4 * quads;
    for (uint32_t row = 0; row < layer->rows; row++, input += layer->inputs, output += layer->outputs) {
        const uint32_t correction = (uint32_t)-128 * expand(input, layer->inputs, expanded);
        const uint8_t *from = (const uint8_t *)layer->weights;
        for (uint32_t first = 0; first < layer->outputs; first += 4) {
            const uint32_t end = first + 4 < layer->outputs ? first + 4 : layer->outputs;
            from = tm_unpack(packed, from, first, layer->outputs, layer->inputs, 4, (uint8_t *)filters);
            run_filters(layer, filters, first, end, expanded, correction, output);
        }
    }
}
