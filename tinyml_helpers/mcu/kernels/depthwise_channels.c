/* Depthwise convolution whose window never leaves the image, four channels side by side, as they lie
   in memory: nothing is copied first. Suits networks over time, whose planes are one column wide. */
#include "arithmetic.h"
#include "kernels.h"

static inline int8_t finish(const tm_conv *layer, const tm_channel *c, int32_t sum) {
    const uint32_t half = 2u * (uint32_t)layer->output_zero_point + 1;
    return (int8_t)requantize(2 * sum, c->multiplier, (int32_t)(half << c->shift), c->shift);
}

/* How a window walks: `rows` times over `columns` taps that lie `step` apart. */
typedef struct {
    int32_t rows, columns, step, down, channels;
} walk;

static walk walk_of(const tm_window *w) {
    const int32_t channels = w->input_channels, down = w->input_width * channels;
    if (w->kernel_width == 1) return (walk){1, w->kernel_height, down, 0, channels};
    return (walk){w->kernel_height, w->kernel_width, channels, down, channels};
}

static int8_t one(const tm_conv *layer, const tm_channel *c, walk k, const int8_t *row, const int8_t *tap) {
    int32_t sum = c->bias;
    for (; k.rows > 0; k.rows--, row += k.down) {
        const int8_t *at = row;
        for (int32_t left = k.columns; left > 0; left--, at += k.step, tap += k.channels) sum += *at * *tap;
    }
    return finish(layer, c, sum);
}

#ifdef TINYML_DSP
static void four(const tm_conv *layer, const tm_channel *c, walk k, const int8_t *row, const int8_t *tap,
                 int8_t *output) {
    int32_t sum0 = c[0].bias, sum1 = c[1].bias, sum2 = c[2].bias, sum3 = c[3].bias;
    for (; k.rows > 0; k.rows--, row += k.down) {
        const int8_t *at = row;
        for (int32_t left = k.columns; left > 0; left--, at += k.step, tap += k.channels) {
            const uint32_t values = load_word(at), weights = load_word(tap);
            const uint32_t even = sxtb16(values), odd = sxtb16(rotate8(values));
            const uint32_t even_taps = sxtb16(weights), odd_taps = sxtb16(rotate8(weights));
            sum0 = smlabb(even, even_taps, sum0);
            sum1 = smlabb(odd, odd_taps, sum1);
            sum2 = smlatt(even, even_taps, sum2);
            sum3 = smlatt(odd, odd_taps, sum3);
        }
    }
    output[0] = finish(layer, c, sum0), output[1] = finish(layer, c + 1, sum1);
    output[2] = finish(layer, c + 2, sum2), output[3] = finish(layer, c + 3, sum3);
}
#endif

void tm_depthwise_conv_2d_channels(const tm_conv *layer, const int8_t *input, int8_t *output) {
    const tm_window *w = &layer->window;
    const tm_channel *c = layer->channels;
    const walk k = walk_of(w);
    const int32_t channels = w->input_channels, down = w->stride_height * w->input_width * channels;
    for (int32_t y = 0; y < w->output_height; y++)
        for (int32_t x = 0; x < w->output_width; x++, output += channels) {
            const int8_t *window = input + y * down + x * w->stride_width * channels;
            const int8_t *taps = (const int8_t *)layer->weights;
            int32_t i = 0;
#ifdef TINYML_DSP
            for (; i + 4 <= channels; i += 4) four(layer, c + i, k, window + i, taps + i, output + i);
#endif
            for (; i < channels; i++) output[i] = one(layer, c + i, k, window + i, taps + i);
        }
}
