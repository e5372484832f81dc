/* Fully connected layer: one input by four filters at a time; see conv_2d.c for the arithmetic. */
#include "four_filters.h"

void tm_fully_connected(const tm_dense *layer, const int8_t *input, int8_t *output, void *scratch) {
    uint32_t *const expanded = (uint32_t *)scratch;
    const uint32_t half = 2u * (uint32_t)layer->output_zero_point + 1;
    for (uint32_t row = 0; row < layer->rows; row++, input += layer->inputs) {
        const uint32_t correction = (uint32_t)-128 * expand(input, layer->inputs, expanded);
        const uint32_t *weights = (const uint32_t *)layer->weights;
        const tm_channel *channel = layer->channels;
        for (const int8_t *end = output + layer->outputs; output < end;) {
            int32_t sums[4];
            for (uint32_t i = 0; i < 4; i++) sums[i] = (int32_t)((uint32_t)channel[i].bias + correction);
            weights = multiply(weights, expanded, (layer->inputs + 3u) / 4, sums);
            for (uint32_t i = 0; i < 4 && output < end; i++, channel++) {
                const int32_t offset = (int32_t)(half << channel->shift);
                *output++ = (int8_t)requantize_once(sums[i], channel->multiplier, offset, channel->shift);
            }
        }
    }
}
