/* Fully connected layer whose weights are stored in fewer bits, or two of four: four filters are
   unpacked into RAM at a time. The bytes are those of the weights in eight bits. */
#include "four_filters.h"

/* By itself, for its assembly leaves no register to a function around it. */
static __attribute__((noinline)) void multiply_apart(const uint32_t *filters, const uint32_t *inputs, uint32_t quads,
                                                     int32_t sums[4]) {
    multiply(filters, inputs, quads, sums);
}

void tm_fully_connected_packed(const tm_dense *layer, const tm_packed *packed, const int8_t *input, int8_t *output,
                               void *scratch) {
    const uint32_t half = 2u * (uint32_t)layer->output_zero_point + 1, quads = (layer->inputs + 3u) / 4;
    uint32_t *const filters = (uint32_t *)scratch, *const expanded = filters + 4 * quads;
    for (uint32_t row = 0; row < layer->rows; row++, input += layer->inputs) {
        const uint32_t correction = (uint32_t)-128 * expand(input, layer->inputs, expanded);
        const uint8_t *from = (const uint8_t *)layer->weights;
        for (uint32_t first = 0; first < layer->outputs; first += 4) {
            const tm_channel *channel = layer->channels + first;
            int32_t sums[4];
#pragma GCC unroll 1
            for (uint32_t i = 0; i < 4; i++) sums[i] = (int32_t)((uint32_t)channel[i].bias + correction);
            from = tm_unpack(packed, from, first, layer->outputs, layer->inputs, 4, (uint8_t *)filters);
            multiply_apart(filters, expanded, quads, sums);
KEEP_ROLLED
            for (uint32_t i = 0; i < 4 && first + i < layer->outputs; i++, channel++) {
                const int32_t offset = (int32_t)(half << channel->shift);
                *output++ = (int8_t)requantize_once(sums[i], channel->multiplier, offset, channel->shift);
            }
        }
    }
}
