/* Convolution of any form: groups (a depthwise one has a group for each channel), dilation, sums
   and scales of any size. Slow: used where no fast kernel applies. */
#include "arithmetic.h"
#include "kernels.h"

static int32_t sum_of(const tm_conv *layer, const int8_t *input, const int8_t *weights, int32_t y, int32_t x,
                      int32_t depth) {
    const tm_window *w = &layer->window;
    int32_t sum = 0;
    for (int32_t row = 0; row < w->kernel_height; row++) {
        for (int32_t column = 0; column < w->kernel_width; column++, weights += depth) {
            const int32_t at_y = y + row * w->dilation_height, at_x = x + column * w->dilation_width;
            if (at_y < 0 || at_y >= w->input_height || at_x < 0 || at_x >= w->input_width) continue;
            const int8_t *from = input + (at_y * w->input_width + at_x) * w->input_channels;
            for (int32_t i = 0; i < depth; i++) sum += (from[i] - layer->input_zero_point) * weights[i];
        }
    }
    return sum;
}

void tm_conv_2d_general(const tm_conv *layer, const int8_t *input, int8_t *output) {
    const tm_window *w = &layer->window;
    const int32_t depth = w->input_channels / layer->groups, filters = w->output_channels / layer->groups;
    const int32_t filter_bytes = w->kernel_height * w->kernel_width * depth;
    for (int32_t y = 0; y < w->output_height; y++) {
        for (int32_t x = 0; x < w->output_width; x++) {
            for (int32_t channel = 0; channel < w->output_channels; channel++) {
                const tm_channel *c = layer->channels + channel;
                const int8_t *weights = (const int8_t *)layer->weights + channel * filter_bytes;
                int32_t sum = sum_of(layer, input + channel / filters * depth, weights,
                                     y * w->stride_height - w->padding_top,
                                     x * w->stride_width - w->padding_left, depth);
                sum = scale_sum((int32_t)((uint32_t)sum + (uint32_t)c->bias), c->multiplier, c->shift);
                sum = clamp(sum + layer->output_zero_point, layer->output_min, layer->output_max);
                *output++ = (int8_t)sum;
            }
        }
    }
}
