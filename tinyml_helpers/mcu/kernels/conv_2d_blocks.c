/* Convolution of which only those blocks of four weights are stored, and multiplied, that are not all zero: one
   filter at a time runs over a tile of pixels, four of them side by side. See fully_connected_blocks.c for
   what a filter is. */
#include "columns.h"

#ifdef TINYML_DSP
#define DOUBLED(sum) ((sum) >> 7)
#else
#define DOUBLED(sum) (2 * (sum))
#endif

/* A filter over two pairs of pixels. The order of the fields counts: see run_blocks(). */
typedef struct {
    int32_t sums[4];
    const uint8_t *step;
    const uint32_t *word, *x, *y;
    const uint8_t *end;
} job;

#ifdef __ARM_FEATURE_DSP
/* Sums r1 to r4; r5 runs through the steps, r6 through the blocks, r7 and r8 through the pixels. */
#define TWO_PIXELS(pair, a, b)         \
    "ldrd r11, r12, [" pair "]\n\t"   \
    "smlad " a ", r10, r11, " a "\n\t" \
    "smlad " b ", r10, r12, " b "\n\t" \
    "ldrd r11, r12, [" pair ", #8]\n\t" \
    "smlad " a ", r0, r11, " a "\n\t"  \
    "smlad " b ", r0, r12, " b "\n\t"
NAKED static void run_blocks(job *j UNNAMED) {
    __asm__ volatile(
        "push {r0, r4-r11, lr}\n\t"
        "ldm r0, {r1-r9}\n\t"
        "cmp r5, r9\n\t"
        "beq 2f\n"
        "1:\n\t"
        "ldrb lr, [r5], #1\n\t"
        "ldr r10, [r6], #4\n\t"
        "add r7, r7, lr, lsl #4\n\t"
        "add r8, r8, lr, lsl #4\n\t"
        "sxtb16 r0, r10\n\t"
        TWO_PIXELS("r7", "r1", "r2") TWO_PIXELS("r8", "r3", "r4")
        "cmp r5, r9\n\t"
        "bne 1b\n"
        "2:\n\t"
        "ldr r0, [sp], #4\n\t"
        "stm r0, {r1-r4}\n\t"
        "pop {r4-r11, pc}");
}
#else
#ifdef TINYML_DSP
static inline int32_t add_block(uint32_t weights, const uint32_t *x, int32_t sum) {
    return smlad(sxtb16(weights), x[2], smlad(weights, x[0], sum));
}
#else
static inline int32_t add_block(uint32_t weights, const uint32_t *words, int32_t sum) {
    const uint8_t *x = (const uint8_t *)words;
    for (uint32_t i = 0; i < 4; i++) sum += (int8_t)(weights >> 8 * i) * x[2 * i];
    return sum;
}
#endif
static void run_blocks(job *j) {
    int32_t a = j->sums[0], b = j->sums[1], c = j->sums[2], d = j->sums[3];
    const uint32_t *x = j->x, *y = j->y, *word = j->word;
    for (const uint8_t *step = j->step; step != j->end; step++) {
        const uint32_t weights = *word++, far = QUAD_WORDS * *step;
        x += far, y += far;
        a = add_block(weights, PIXEL(x, 0), a);
        b = add_block(weights, PIXEL(x, 1), b);
        c = add_block(weights, PIXEL(y, 0), c);
        d = add_block(weights, PIXEL(y, 1), d);
    }
    j->sums[0] = a, j->sums[1] = b, j->sums[2] = c, j->sums[3] = d;
}
#endif

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
            job j = {{c->bias, c->bias, c->bias, c->bias}, step + 2, word, x, y, step + 2 + count};
            run_blocks(&j);
            for (uint32_t k = 0; k < 4 && pixel + k < pixels; k++)
                to[(pixel + k) * channels + i] = (int8_t)requantize(DOUBLED(j.sums[k]), c->multiplier, offset, c->shift);
        }
        step += 2 + count, word += count;
    }
}

void tm_conv_2d_blocks(const tm_conv *layer, const uint8_t *steps, const int8_t *input, int8_t *output, void *scratch,
                       uint32_t tile) {
    const tm_window *w = &layer->window;
    const uint32_t all = (uint32_t)w->output_height * w->output_width;
    walk place = start_walk(layer, input, expand_two);
    const uint32_t words = QUAD_WORDS * place.quads;
    uint32_t *const columns = (uint32_t *)scratch;
    place.window = (uint8_t *)(columns + tile / 2 * words);
    for (uint32_t pixel = 0; pixel < all; pixel += tile) {
        const uint32_t pixels = all - pixel < tile ? all - pixel : tile;
        for (uint32_t i = 0; i < pixels; i++) next_pixel(&place, PIXEL(columns + i / 2 * words, i % 2));
        run_filters(layer, steps, columns, words, pixels, output + pixel * w->output_channels);
    }
}
