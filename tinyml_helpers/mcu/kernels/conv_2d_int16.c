/* Convolutions and dense layers of int16 by int8, of any form: groups (a depthwise one has a group for
   each channel), dilation; a dense layer is a column of single pixels. Sums have 64 bits. */
#include "arithmetic.h"
#include "kernels.h"

static int64_t sum_of(const tm_conv_int16 *layer, const int16_t *input, const int8_t *weights, int32_t y, int32_t x,
                      int32_t depth) {
    const tm_window *w = &layer->window;
    int64_t sum = 0;
    for (int32_t row = 0; row < w->kernel_height; row++) {
        for (int32_t column = 0; column < w->kernel_width; column++, weights += depth) {
            const int32_t at_y = y + row * w->dilation_height, at_x = x + column * w->dilation_width;
            if (at_y < 0 || at_y >= w->input_height || at_x < 0 || at_x >= w->input_width) continue;
            const int16_t *from = input + (at_y * w->input_width + at_x) * w->input_channels;
            for (int32_t i = 0; i < depth; i++) sum += from[i] * weights[i];
        }
    }
    return sum;
}

static int64_t divide(int64_t value, int32_t bits, int32_t down) {
    return (value + ((int64_t)1 << (bits - 1)) - down) >> bits;
}

/* A convolution's factor has 15 bits beside a bias of 64; beside one of 32, sums wrap around and are
   rounded twice. A dense layer's sum fits 32 bits, and is rounded once, halves away from zero. */
static int64_t finish(const tm_conv_int16 *layer, int64_t sum, int32_t channel) {
    const int32_t multiplier = layer->multipliers[channel], shift = layer->shifts[channel];
    if (layer->rounding == TINYML_TWICE) return scale_by((int32_t)sum, multiplier, shift);
    if (layer->rounding == TINYML_ONCE) return divide(sum * multiplier, 31 + shift, sum < 0);
    return (int32_t)divide(sum * multiplier, shift, 0);
}

void tm_conv_2d_int16(const tm_conv_int16 *layer, const int16_t *input, int16_t *output) {
    const tm_window *w = &layer->window;
    const int32_t depth = w->input_channels / layer->groups, filters = w->output_channels / layer->groups;
    const int32_t filter_bytes = w->kernel_height * w->kernel_width * depth;
    for (int32_t y = 0; y < w->output_height; y++) {
        for (int32_t x = 0; x < w->output_width; x++) {
            for (int32_t channel = 0; channel < w->output_channels; channel++) {
                const int64_t sum = sum_of(layer, input + channel / filters * depth,
                                           layer->weights + channel * filter_bytes,
                                           y * w->stride_height - w->padding_top,
                                           x * w->stride_width - w->padding_left, depth);
                const int64_t scaled = finish(layer, sum + layer->bias[channel], channel);
                *output++ = (int16_t)(scaled < layer->output_min   ? layer->output_min
                                      : scaled > layer->output_max ? layer->output_max
                                                                   : scaled);
            }
        }
    }
}
