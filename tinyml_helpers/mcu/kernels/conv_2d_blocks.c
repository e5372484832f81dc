/* Convolution of which only those blocks of four weights are stored, and multiplied, that are not all zero: one
   filter at a time runs over a tile of pixels, four of them side by side. See fully_connected_blocks.c for
   what a filter is. */
#include "columns.h"

#ifdef TINYML_DSP
static inline int32_t add_block(uint32_t weights, uint32_t even, const uint32_t *x, int32_t sum) {
    return smlad(even, x[0], smlad(weights, x[1], sum));
}
#define EVEN(weights) sxtb16(weights)
#define DOUBLED(sum) ((sum) >> 7)
#else
static inline int32_t add_block(uint32_t weights, uint32_t even, const uint32_t *words, int32_t sum) {
    const uint8_t *x = (const uint8_t *)words;
    (void)even;
    for (uint32_t i = 0; i < 4; i++) sum += (int8_t)(weights >> 8 * i) * x[2 * i];
    return sum;
}
#define EVEN(weights) (weights)
#define DOUBLED(sum) (2 * (sum))
#endif

/* A filter over two pairs of pixels: add to four sums. */
static __attribute__((noinline)) void run_blocks(const uint8_t *step, const uint8_t *end, const uint32_t *word,
                                                 const uint32_t *x, const uint32_t *y, int32_t sums[4]) {
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (; step != end; step++) {
        const uint32_t weights = *word++, even = EVEN(weights), far = QUAD_WORDS * *step;
        x += far, y += far;
        a = add_block(weights, even, PIXEL(x, 0), a);
        b = add_block(weights, even, PIXEL(x, 1), b);
        c = add_block(weights, even, PIXEL(y, 0), c);
        d = add_block(weights, even, PIXEL(y, 1), d);
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* All filters over the pixels that wait in the columns. */
static void run_filters(const tm_conv *layer, const uint8_t *step, const uint32_t *columns, uint32_t words,
                        uint32_t pixels, int8_t *to) {
    const uint32_t channels = layer->window.output_channels, half = 2u * (uint32_t)layer->output_zero_point + 1;
    const uint32_t *word = (const uint32_t *)layer->weights;
    for (uint32_t i = 0; i < channels; i++) {
        const tm_channel *c = layer->channels + i;
        const uint32_t count = step[0] | (uint32_t)step[1] << 8;
        const int32_t offset = (int32_t)(half << c->shift);
        for (uint32_t pixel = 0; pixel < pixels; pixel += 4) {
            const uint32_t *const x = columns + pixel / 2 * words, *const y = pixel + 2 < pixels ? x + words : x;
            int32_t sums[4] = {c->bias, c->bias, c->bias, c->bias};
            run_blocks(step + 2, step + 2 + count, word, x, y, sums);
            for (uint32_t k = 0; k < 4 && pixel + k < pixels; k++)
                to[(pixel + k) * channels + i] = (int8_t)requantize(DOUBLED(sums[k]), c->multiplier, offset, c->shift);
        }
        step += 2 + count, word += count;
    }
}

void tm_conv_2d_blocks(const tm_conv *layer, const uint8_t *steps, const int8_t *input, int8_t *output, void *scratch,
                       uint32_t tile) {
    const tm_window *w = &layer->window;
    const uint32_t all = (uint32_t)w->output_height * w->output_width;
    walk place = start_walk(layer, input);
    const uint32_t words = QUAD_WORDS * place.quads;
    uint32_t *const columns = (uint32_t *)scratch;
    place.window = (uint8_t *)(columns + tile / 2 * words);
    for (uint32_t pixel = 0; pixel < all; pixel += tile) {
        const uint32_t pixels = all - pixel < tile ? all - pixel : tile;
        for (uint32_t i = 0; i < pixels; i++) next_pixel(&place, PIXEL(columns + i / 2 * words, i % 2));
        run_filters(layer, steps, columns, words, pixels, output + pixel * w->output_channels);
    }
}
