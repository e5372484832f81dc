/* Fully connected layer with sums and scales of any size. Slow: see fully_connected.c. */
#include "arithmetic.h"
#include "kernels.h"

void tm_fully_connected_general(const tm_dense *layer, const int8_t *input, int8_t *output) {
    for (uint32_t row = 0; row < layer->rows; row++, input += layer->inputs) {
        const int8_t *weights = (const int8_t *)layer->weights;
        for (int32_t i = 0; i < layer->outputs; i++) {
            const tm_channel *c = layer->channels + i;
            int32_t sum = c->bias;
            for (int32_t j = 0; j < layer->inputs; j++) sum += (input[j] - layer->input_zero_point) * *weights++;
            sum = scale_once(sum, c->multiplier, c->shift);
            const int64_t moved = (int64_t)sum + layer->output_zero_point;
            *output++ = (int8_t)(moved < layer->output_min   ? layer->output_min
                                 : moved > layer->output_max ? layer->output_max
                                                             : moved);
        }
    }
}
