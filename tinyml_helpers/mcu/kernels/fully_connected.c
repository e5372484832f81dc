/* Fully connected layer: one input by four filters at a time; see conv_2d.c for the arithmetic. */
#include "four_filters.h"

void tm_fully_connected(const tm_dense *layer, const int8_t *input, int8_t *output, void *scratch) {
    uint32_t *const expanded = (uint32_t *)scratch;
    for (uint32_t row = 0; row < layer->rows; row++, input += layer->inputs, output += layer->outputs) {
        const uint32_t correction = (uint32_t)-128 * expand(input, layer->inputs, expanded);
        run_filters(layer, (const uint32_t *)layer->weights, 0, layer->outputs, expanded, correction, output);
    }
}
