/* Transposed convolution: each output gathers what the inputs that reach it would have scattered. */
#include "arithmetic.h"
#include "kernels.h"

void tm_transpose_conv(const tm_conv *layer, const int8_t *input, int8_t *output) {
    const tm_window *w = &layer->window;
    const int32_t depth = w->input_channels;
    for (int32_t y = 0; y < w->output_height; y++) {
        for (int32_t x = 0; x < w->output_width; x++) {
            const int8_t *weights = (const int8_t *)layer->weights;
            for (int32_t channel = 0; channel < w->output_channels; channel++) {
                const tm_channel *c = layer->channels + channel;
                int32_t sum = c->bias;
                for (int32_t i = 0; i < w->kernel_height; i++) {
                    const int32_t row = y + w->padding_top - i, from_y = row / w->stride_height;
                    const int32_t missed = row < 0 || row % w->stride_height || from_y >= w->input_height;
                    for (int32_t j = 0; j < w->kernel_width; j++, weights += depth) {
                        const int32_t column = x + w->padding_left - j, from_x = column / w->stride_width;
                        if (missed || column < 0 || column % w->stride_width || from_x >= w->input_width)
                            continue;
                        const int8_t *from = input + (from_y * w->input_width + from_x) * depth;
                        for (int32_t k = 0; k < depth; k++)
                            sum += (from[k] - layer->input_zero_point) * weights[k];
                    }
                }
                sum = scale_by(sum, c->multiplier, c->shift) + layer->output_zero_point;
                *output++ = (int8_t)clamp(sum, layer->output_min, layer->output_max);
            }
        }
    }
}
