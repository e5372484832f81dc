/* Depthwise convolution, one channel at a time: its plane is copied to int16 with its padding, then
   the filter moves over it. Because a plane is read before it is written, output may be the input. */
#include "arithmetic.h"
#include "kernels.h"

/* Copy one channel of an image into the middle of a padded plane. */
static void gather(const tm_window *w, const int8_t *input, int16_t *plane, int32_t pitch) {
    const int32_t channels = w->input_channels;
    plane += w->padding_top * pitch + w->padding_left;
    for (int32_t y = 0; y < w->input_height; y++, plane += pitch) {
        int16_t *to = plane;
        int32_t left = w->input_width;
        for (; left >= 4; left -= 4, to += 4) {
            to[0] = input[0], input += channels;
            to[1] = input[0], input += channels;
            to[2] = input[0], input += channels;
            to[3] = input[0], input += channels;
        }
        for (; left > 0; left--, input += channels) *to++ = *input;
    }
}

typedef struct {
    int32_t bias, multiplier, offset, shift;
} finish;

#define FINISH(sum) ((int8_t)requantize((int32_t)((uint32_t)(sum) << 1), f.multiplier, f.offset, f.shift))

#ifdef TINYML_DSP
static inline uint32_t pair(int32_t low_half, int32_t high_half) {
    return (uint32_t)(low_half & 0xFFFF) | (uint32_t)high_half << 16;
}

/* 3x3, stride 1, two outputs at a time; a plane's rows have an even number of values. */
static void filter_3x3(const tm_window *w, const int8_t *k, const int16_t *plane, int32_t pitch, finish f,
                       int8_t *output, int32_t step) {
    const uint32_t a01 = pair(k[0], k[1]), a2 = pair(k[2], 0), a_0 = pair(0, k[0]), a12 = pair(k[1], k[2]);
    const uint32_t b01 = pair(k[3], k[4]), b2 = pair(k[5], 0), b_0 = pair(0, k[3]), b12 = pair(k[4], k[5]);
    const uint32_t c01 = pair(k[6], k[7]), c2 = pair(k[8], 0), c_0 = pair(0, k[6]), c12 = pair(k[7], k[8]);
    for (int32_t y = 0; y < w->output_height; y++, plane += pitch) {
        const uint32_t *a = (const uint32_t *)(const void *)plane;
        const uint32_t *b = a + pitch / 2, *c = b + pitch / 2;
        for (int32_t left = w->output_width; left > 0; left -= 2, a++, b++, c++) {
            int32_t sum = smlad(c2, c[1], smlad(c01, c[0], smlad(b2, b[1], smlad(b01, b[0], f.bias))));
            sum = smlad(a2, a[1], smlad(a01, a[0], sum));
            *output = FINISH(sum);
            output += step;
            if (left == 1) break;
            sum = smlad(c12, c[1], smlad(c_0, c[0], smlad(b12, b[1], smlad(b_0, b[0], f.bias))));
            sum = smlad(a12, a[1], smlad(a_0, a[0], sum));
            *output = FINISH(sum);
            output += step;
        }
    }
}

static void filter(const tm_window *w, const int8_t *k, const int16_t *plane, int32_t pitch, finish f,
                   int8_t *output, int32_t step) {
    for (int32_t y = 0; y < w->output_height; y++, plane += w->stride_height * pitch) {
        const int16_t *start = plane;
        for (int32_t x = 0; x < w->output_width; x++, start += w->stride_width, output += step) {
            const int8_t *weights = k;
            const int16_t *row = start;
            int32_t sum = f.bias;
            for (int32_t i = 0; i < w->kernel_height; i++, row += pitch) {
                int32_t j = 0;
                for (; j + 1 < w->kernel_width; j += 2, weights += 2)
                    sum = smlad(pair(weights[0], weights[1]), load_word(row + j), sum);
                if (j < w->kernel_width) sum += *weights++ * row[j];
            }
            *output = FINISH(sum);
        }
    }
}
#else
static void filter(const tm_window *w, const int8_t *k, const int16_t *plane, int32_t pitch, finish f,
                   int8_t *output, int32_t step) {
    for (int32_t y = 0; y < w->output_height; y++, plane += w->stride_height * pitch) {
        const int16_t *start = plane;
        for (int32_t x = 0; x < w->output_width; x++, start += w->stride_width, output += step) {
            const int8_t *weights = k;
            const int16_t *row = start;
            int32_t sum = f.bias;
            for (int32_t i = 0; i < w->kernel_height; i++, row += pitch)
                for (int32_t j = 0; j < w->kernel_width; j++) sum += *weights++ * row[j];
            *output = FINISH(sum);
        }
    }
}
#define filter_3x3 filter
#endif

void tm_depthwise_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch) {
    const tm_window *w = &layer->window;
    const int32_t taps = w->kernel_height * w->kernel_width;
    const int32_t step = w->output_channels, multiplier = step / w->input_channels;
    const int32_t right = (w->output_width - 1) * w->stride_width + w->kernel_width;
    const int32_t width = w->padding_left + w->input_width;
    const int32_t pitch = ((right > width ? right : width) + 2) & ~1;
    const int32_t bottom = (w->output_height - 1) * w->stride_height + w->kernel_height;
    const int32_t height = w->padding_top + w->input_height;
    const int32_t rows = bottom > height ? bottom : height;
    const int small = taps == 9 && w->kernel_width == 3 && w->stride_height == 1 && w->stride_width == 1;
    int16_t *plane = scratch;
    for (int32_t i = 0; i < rows * pitch; i++) plane[i] = layer->input_zero_point;
    const int8_t *weights = layer->weights;
    const tm_channel *c = layer->channels;
    for (int32_t channel = 0; channel < w->output_channels; c++, weights += taps, channel++, output++) {
        if (channel % multiplier == 0) gather(w, input++, plane, pitch);
        const int32_t half = 2 * layer->output_zero_point + 1;
        const finish f = {c->bias, c->multiplier, (int32_t)((uint32_t)half << c->shift), c->shift};
        if (small)
            filter_3x3(w, weights, plane, pitch, f, output, step);
        else
            filter(w, weights, plane, pitch, f, output, step);
    }
}
