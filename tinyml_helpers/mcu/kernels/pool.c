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

void tm_average_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output) {
    const tm_window *w = &layer->window;
    const int32_t channels = w->input_channels;
    for (int32_t y = 0; y < w->output_height; y++) {
        for (int32_t x = 0; x < w->output_width; x++) {
            const box b = place(w, y, x);
            const int32_t count = (b.bottom - b.top) * (b.right - b.left);
            const int8_t *corner = input + (b.top * w->input_width + b.left) * channels;
            for (int32_t channel = 0; channel < channels; channel++, corner++) {
                const int8_t *row = corner;
                int32_t sum = 0;
                for (int32_t i = b.top; i < b.bottom; i++, row += w->input_width * channels) {
                    const int8_t *from = row;
                    for (int32_t j = b.left; j < b.right; j++, from += channels) sum += *from;
                }
                sum = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                *output++ = (int8_t)clamp(sum, layer->output_min, layer->output_max);
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
