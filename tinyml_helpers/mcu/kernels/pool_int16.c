/* Mean and largest of int16 under a window, and over the middle of three dimensions. */
#include "arithmetic.h"
#include "kernels.h"

static void pool(const tm_pool *layer, const int16_t *input, int16_t *output, int32_t mean) {
    const tm_window *w = &layer->window;
    const int32_t channels = w->input_channels;
    for (int32_t y = 0; y < w->output_height; y++)
        for (int32_t x = 0; x < w->output_width; x++)
            for (int32_t channel = 0; channel < channels; channel++) {
                const int32_t top = y * w->stride_height - w->padding_top;
                const int32_t left = x * w->stride_width - w->padding_left;
                int32_t sum = 0, largest = -32768, count = 0;
                for (int32_t i = clamp(top, 0, w->input_height); i < w->input_height && i < top + w->kernel_height; i++)
                    for (int32_t j = clamp(left, 0, w->input_width); j < w->input_width && j < left + w->kernel_width;
                         j++, count++) {
                        const int32_t value = input[(i * w->input_width + j) * channels + channel];
                        sum += value;
                        largest = value > largest ? value : largest;
                    }
                if (mean) largest = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                *output++ = (int16_t)clamp(largest, layer->output_min, layer->output_max);
            }
}

void tm_average_pool_2d_int16(const tm_pool *layer, const int16_t *input, int16_t *output) {
    pool(layer, input, output, 1);
}

void tm_max_pool_2d_int16(const tm_pool *layer, const int16_t *input, int16_t *output) {
    pool(layer, input, output, 0);
}

void tm_mean_of_int16(const tm_mean *layer, const int16_t *input, int16_t *output) {
    for (int32_t i = 0; i < layer->outer; i++, input += layer->reduced * layer->inner) {
        for (int32_t j = 0; j < layer->inner; j++) {
            const int16_t *from = input + j;
            int32_t sum = 0;
            for (int32_t k = 0; k < layer->reduced; k++, from += layer->inner) sum += *from;
            *output++ = (int16_t)clamp(scale_by(sum, layer->multiplier, layer->shift), -32768, 32767);
        }
    }
}
