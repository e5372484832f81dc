/* Filters of rank one in time, which remember what their features were. */
#include "arithmetic.h"
#include "kernels.h"

void tm_svdf(const tm_svdf_filters *layer, const int8_t *input, int16_t *state, int8_t *output) {
    const int8_t *weights = layer->features;
    const int32_t last = layer->memory - 1;
    for (int32_t i = 0; i < layer->filters; i++) {
        int16_t *past = state + i * layer->memory;
        int32_t sum = 0;
        for (int32_t j = 0; j < layer->inputs; j++) sum += *weights++ * (input[j] - layer->input_zero_point);
        for (int32_t j = 0; j < last; j++) past[j] = past[j + 1];
        past[last] = (int16_t)clamp(scale_by(sum, layer->feature_multiplier, layer->feature_shift), -32768, 32767);
    }
    const int16_t *times = layer->times;
    for (int32_t i = 0; i < layer->filters / layer->rank; i++) {
        int32_t sum = layer->bias[i];
        for (int32_t j = 0; j < layer->rank * layer->memory; j++) sum += *times++ * *state++;
        sum = scale_by(sum, layer->multiplier, layer->shift) + layer->output_zero_point;
        *output++ = (int8_t)clamp(sum, -128, 127);
    }
}
