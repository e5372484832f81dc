/* What convolutions share: the pixels under a window, gathered and written as the inner loops read them. */
#ifndef TINYML_COLUMNS_H
#define TINYML_COLUMNS_H
#include "arithmetic.h"
#include "kernels.h"

static inline uint8_t *fill(uint8_t *to, uint8_t value, int32_t count) {
#pragma GCC unroll 1
    for (; count > 0; count--) *to++ = value;
    return to;
}

static inline uint8_t *copy(uint8_t *to, const int8_t *from, int32_t count) {
#pragma GCC unroll 1
    for (; count >= 8; count -= 8, from += 8, to += 8) __builtin_memcpy(to, from, 8);
    if (count & 4) __builtin_memcpy(to, from, 4), from += 4, to += 4;
    if (count & 2) __builtin_memcpy(to, from, 2), from += 2, to += 2;
    if (count & 1) *to++ = (uint8_t)*from;
    return to;
}

/* Copy `columns` neighbouring columns of the window, or what of them lies in the image, for a row. */
static inline uint8_t *gather_row(const tm_conv *layer, const int8_t *row, int32_t x, int32_t columns, uint8_t *to) {
    const tm_window *w = &layer->window;
    const int32_t channels = w->input_channels, start = clamp(x, 0, w->input_width);
    const int32_t end = clamp(x + columns, start, w->input_width);
    const uint8_t outside = (uint8_t)layer->input_zero_point;
    if (end - start == columns) return copy(to, row + start * channels, columns * channels);
    const int32_t left = clamp(-x, 0, columns);
    to = fill(to, outside, left * channels);
    to = copy(to, row + start * channels, (end - start) * channels);
    return fill(to, outside, (columns - left - (end - start)) * channels);
}

/* Copy the part of the image under the window, rows one after another. */
static void gather(const tm_conv *layer, const int8_t *input, int32_t y, int32_t x, uint8_t *to) {
    const tm_window *w = &layer->window;
    const int32_t pitch = w->input_width * w->input_channels, apart = w->dilation_width;
    const int32_t columns = apart == 1 ? w->kernel_width : 1, parts = apart == 1 ? 1 : w->kernel_width;
    int32_t row = w->kernel_height;
    if (apart * w->dilation_height == 1 && y >= 0 && x >= 0 && x + columns <= w->input_width &&
        y + row <= w->input_height) {
        const int32_t bytes = columns * w->input_channels;
        const int8_t *from = input + y * pitch + x * w->input_channels;
        for (; row > 1 && bytes >= 4; row--, from += pitch, to += bytes) {
            /* words: what they hold too much, the next row writes again */
#pragma GCC unroll 1
            for (int32_t i = 0; i < bytes; i += 4) __builtin_memcpy(to + i, from + i, 4);
        }
#pragma GCC unroll 1
        for (; row > 0; row--, from += pitch) to = copy(to, from, bytes);
    }
#pragma GCC unroll 1
    for (; row > 0; row--, y += w->dilation_height) {
        if (y < 0 || y >= w->input_height) {
            to = fill(to, (uint8_t)layer->input_zero_point, w->kernel_width * w->input_channels);
            continue;
        }
#pragma GCC unroll 1
        for (int32_t i = 0; i < parts; i++) to = gather_row(layer, input + y * pitch, x + i * apart, columns, to);
    }
}

#ifdef TINYML_DSP
/* Pixels wait two or three together: for four inputs of each, their odd inputs, and then their even ones. */
#define PIXEL(columns, i) ((columns) + (i))
enum { QUAD_WORDS = 4 };

static inline __attribute__((always_inline)) int32_t expand_word(uint32_t x, uint32_t *to, uint32_t together, int32_t sum) {
    const uint32_t odd = ssub16(sxtb16(rotate8(x)), 0x007F007F);
    const uint32_t even = x << 8 & 0xFF00FF00;
    to[0] = odd;
    to[together] = ssub16(even, odd);
    return smlad(even, 0x00010001, sum);
}

/* Write one pixel's inputs as o and 256 x - o; return 256 times the sum of its even inputs. */
static uint32_t expand(const uint8_t *from, uint32_t quads, uint32_t *to, uint32_t together) {
    int32_t sum = 0;
    if (together == 3)
        for (; quads; quads--, from += 4, to += 6) sum = expand_word(load_word(from), to, 3, sum);
    else
        for (; quads; quads--, from += 4, to += 4) sum = expand_word(load_word(from), to, 2, sum);
    return (uint32_t)sum;
}

#ifdef __ARM_FEATURE_DSP
/* Four taps of two filters over two pixels: sums r0 to r3, weights at r6, inputs at r7. */
#define QUAD                            \
    "ldm.w r7!, {r8, r9, r10, r11}\n\t" \
    "ldrd r4, r5, [r6], #8\n\t"         \
    "smlad r0, r4, r8, r0\n\t"          \
    "smlad r1, r4, r9, r1\n\t"          \
    "uxtb16 r4, r4\n\t"                 \
    "smlad r2, r5, r8, r2\n\t"          \
    "smlad r3, r5, r9, r3\n\t"          \
    "uxtb16 r5, r5\n\t"                 \
    "smlad r0, r4, r10, r0\n\t"         \
    "smlad r1, r4, r11, r1\n\t"         \
    "smlad r2, r5, r10, r2\n\t"         \
    "smlad r3, r5, r11, r3\n\t"
#endif
#else
#define PIXEL(columns, i) ((uint32_t *)((uint8_t *)(columns) + (i))) /* bytes, alternating */
enum { QUAD_WORDS = 2 };

/* Write one pixel's inputs as x + 128, every other byte; return their sum. */
static uint32_t expand(const uint8_t *from, uint32_t quads, uint32_t *columns, uint32_t together) {
    (void)together;
    uint8_t *to = (uint8_t *)columns;
    uint32_t sum = 0;
    for (quads *= 4; quads; quads--, to += 2) sum += *to = *from++ ^ 0x80;
    return sum;
}
#endif

/* The pixels of the output in turn, and where what their windows see is gathered. */
typedef struct {
    const tm_conv *layer;
    const int8_t *input;
    uint8_t *window;
    uint32_t taps, quads, together, left;
    int32_t y, x, direct; /* direct: a pixel of the output sees one of the input */
} walk;

static inline walk start_walk(const tm_conv *layer, const int8_t *input, uint32_t together) {
    const tm_window *w = &layer->window;
    const uint32_t taps = (uint32_t)w->kernel_height * w->kernel_width * w->input_channels;
    return (walk){.layer = layer,
                  .input = input,
                  .taps = taps,
                  .quads = (taps + 3) / 4,
                  .together = together,
                  .left = (uint32_t)w->output_height * w->output_width * taps,
                  .direct = taps == w->input_channels && w->stride_height == 1 && w->stride_width == 1};
}

/* Write the inputs of the next pixel; return what takes the offset of the weights back. Where the
   taps end within a word, its other bytes may hold anything: their weights are zero. */
static __attribute__((noinline)) uint32_t next_pixel(walk *p, uint32_t *to) {
    const tm_window *w = &p->layer->window;
    const uint8_t *from = p->window;
    if (p->direct) {
        if (p->left >= 4 * p->quads)
            from = (const uint8_t *)p->input;
        else
            copy(p->window, p->input, (int32_t)p->taps);
        p->input += p->taps, p->left -= p->taps;
    } else {
        gather(p->layer, p->input, p->y - w->padding_top, p->x - w->padding_left, p->window);
        if ((p->x += w->stride_width) == w->stride_width * w->output_width) p->x = 0, p->y += w->stride_height;
    }
    return (uint32_t)-128 * expand(from, p->quads, to, p->together);
}
#endif
