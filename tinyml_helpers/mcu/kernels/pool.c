/* The mean or the largest of the part of the image under a window. */
#include "arithmetic.h"
#include "kernels.h"

typedef struct {
    int32_t top, bottom, left, right;
} box;

/* The window for one output, cut to the image. */
static box place(const tm_window *w, int32_t y, int32_t x) {
    const int32_t top = y * w->stride_height - w->padding_top, left = x * w->stride_width - w->padding_left;
    return (box){clamp(top, 0, w->input_height), clamp(top + w->kernel_height, 0, w->input_height),
                 clamp(left, 0, w->input_width), clamp(left + w->kernel_width, 0, w->input_width)};
}

static inline int8_t mean_of(const tm_pool *layer, int32_t sum, int32_t count) {
    sum = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
    return (int8_t)clamp(sum, layer->output_min, layer->output_max);
}

#ifdef TINYML_DSP
/* Four channels at a time, each byte as x + 128 in a half of a word: 256 of them fit 16 bits. */
static int32_t average_fours(const tm_pool *layer, const box *b, int32_t count, const int8_t *corner, int8_t *output) {
    const int32_t channels = layer->window.input_channels, down = layer->window.input_width * channels;
    int32_t done = 0;
    for (; done + 4 <= channels; done += 4, corner += 4, output += 4) {
        const int8_t *row = corner;
        uint32_t even = 0, odd = 0;
        for (int32_t i = b->top; i < b->bottom; i++, row += down) {
            const int8_t *from = row;
#pragma GCC unroll 1
            for (int32_t j = b->left; j < b->right; j++, from += channels) {
                const uint32_t x = load_word(from) ^ 0x80808080;
                even += x & 0x00FF00FF;
                odd += x >> 8 & 0x00FF00FF;
            }
        }
        output[0] = mean_of(layer, (int32_t)(even & 0xFFFF) - 128 * count, count);
        output[1] = mean_of(layer, (int32_t)(odd & 0xFFFF) - 128 * count, count);
        output[2] = mean_of(layer, (int32_t)(even >> 16) - 128 * count, count);
        output[3] = mean_of(layer, (int32_t)(odd >> 16) - 128 * count, count);
    }
    return done;
}
#endif

void tm_average_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output) {
    const tm_window *w = &layer->window;
    const int32_t channels = w->input_channels;
    for (int32_t y = 0; y < w->output_height; y++) {
        for (int32_t x = 0; x < w->output_width; x++, output += channels) {
            const box b = place(w, y, x);
            const int32_t count = (b.bottom - b.top) * (b.right - b.left);
            const int8_t *corner = input + (b.top * w->input_width + b.left) * channels;
            int32_t channel = 0;
#ifdef TINYML_DSP
            if (count <= 256) channel = average_fours(layer, &b, count, corner, output);
#endif
            for (; channel < channels; channel++) {
                const int8_t *row = corner + channel;
                int32_t sum = 0;
                for (int32_t i = b.top; i < b.bottom; i++, row += w->input_width * channels) {
                    const int8_t *from = row;
#pragma GCC unroll 1
                    for (int32_t j = b.left; j < b.right; j++, from += channels) sum += *from;
                }
                output[channel] = mean_of(layer, sum, count);
            }
        }
    }
}

void tm_max_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output) {
    const tm_window *w = &layer->window;
    const int32_t channels = w->input_channels;
    for (int32_t y = 0; y < w->output_height; y++) {
        for (int32_t x = 0; x < w->output_width; x++) {
            const box b = place(w, y, x);
            const int8_t *corner = input + (b.top * w->input_width + b.left) * channels;
            for (int32_t channel = 0; channel < channels; channel++, corner++) {
                const int8_t *row = corner;
                int32_t largest = layer->output_min;
                for (int32_t i = b.top; i < b.bottom; i++, row += w->input_width * channels) {
                    const int8_t *from = row;
                    for (int32_t j = b.left; j < b.right; j++, from += channels)
                        largest = *from > largest ? *from : largest;
                }
                *output++ = (int8_t)(largest < layer->output_max ? largest : layer->output_max);
            }
        }
    }
}
