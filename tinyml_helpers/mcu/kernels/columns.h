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
static __attribute__((noinline)) void gather(const tm_conv *layer, const int8_t *input, int32_t y, int32_t x, uint8_t *to) {
    const tm_window *w = &layer->window;
    const int32_t pitch = w->input_width * w->input_channels, apart = w->dilation_width;
    const int32_t columns = apart == 1 ? w->kernel_width : 1, parts = apart == 1 ? 1 : w->kernel_width;
    int32_t row = w->kernel_height;
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

/* The pixels of the output in turn, and where what their windows see is gathered. */
typedef struct walk {
    const tm_conv *layer;
    const int8_t *input;
    uint8_t *window;
    uint32_t (*expand)(const struct walk *p, const uint8_t *from, int32_t pitch, uint32_t *to);
    uint32_t taps, quads;
    int32_t y, x, last_y, last_x; /* between 0 and the last ones all of the window lies in the image */
    int32_t right;                /* x behind the last pixel of a row */
    int32_t rows, bytes, pitch;   /* of the window, a row of it, and a row of the image */
} walk;

#ifdef TINYML_DSP
/* Pixels wait two or three together: for four inputs of each, their odd inputs, and then their even ones. */
#define PIXEL(columns, i) ((columns) + (i))
enum { QUAD_WORDS = 4 };

static inline __attribute__((always_inline)) int32_t expand_word(uint32_t x, uint32_t *to, uint32_t together, int32_t sum) {
    const uint32_t odd = ssub16(sxtb16(rotate8(x)), 0x007F007F);
    const uint32_t even = x << 8 & 0xFF00FF00;
    to[0] = odd;
    to[together] = ssub16(even, odd);
    return smlad(even, 0xFF80FF80, sum);
}

static inline __attribute__((always_inline)) uint32_t expand_by(const walk *p, const uint8_t *from, int32_t pitch,
                                                              uint32_t *to, uint32_t together) {
    const int32_t whole = pitch == p->bytes, bytes = whole ? (int32_t)p->taps : p->bytes;
    int32_t sum = 0, left = bytes;
    for (int32_t rows = whole ? 1 : p->rows;;) {
#pragma GCC unroll 1
        for (; left > 7; left -= 8, from += 8, to += 4 * together) {
            const uint32_t first = load_word(from), second = load_word(from + 4);
            sum = expand_word(first, to, together, sum);
            sum = expand_word(second, to + 2 * together, together, sum);
        }
        if (left > 3) {
            sum = expand_word(load_word(from), to, together, sum);
            left -= 4, from += 4, to += 2 * together;
        }
        if (--rows == 0) break;
        const uint8_t *next = from + left - bytes + pitch;
        if (left) { /* a word of two rows */
            const uint32_t later = ~0u << 8 * left;
            sum = expand_word((load_word(from) & ~later) | (load_word(next - left) & later), to, together, sum);
            to += 2 * together, next += 4 - left, left -= 4;
        }
        left += bytes, from = next;
    }
    return (uint32_t)(left ? expand_word(load_word(from + left - 4) >> (32 - 8 * left), to, together, sum) : sum);
}

/* Write one pixel's inputs, in rows that lie `pitch` apart, as o and 256 x - o; return what takes the
   offset of the weights back: -128 times 256 times the sum of the even inputs. */
static inline uint32_t expand_two(const walk *p, const uint8_t *from, int32_t pitch, uint32_t *to) {
    return expand_by(p, from, pitch, to, 2);
}

static inline uint32_t expand_three(const walk *p, const uint8_t *from, int32_t pitch, uint32_t *to) {
    return expand_by(p, from, pitch, to, 3);
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

/* Write one pixel's inputs, in rows that lie `pitch` apart, as x + 128, every other byte; return what takes
   the offset of the weights back: -128 times their sum. */
static inline uint32_t expand_two(const walk *p, const uint8_t *from, int32_t pitch, uint32_t *columns) {
    uint8_t *to = (uint8_t *)columns;
    uint32_t sum = 0;
    for (uint32_t i = p->taps; i & 3; i++) to[2 * i] = 0;
    const int32_t whole = pitch == p->bytes, bytes = whole ? (int32_t)p->taps : p->bytes;
#pragma GCC unroll 1
    for (int32_t rows = whole ? 1 : p->rows; rows; rows--, from += pitch - bytes)
#pragma GCC unroll 4
        for (int32_t left = bytes; left; left--, to += 2) sum += *to = *from++ ^ 0x80;
    return (uint32_t)-128 * sum;
}
#endif

static inline walk start_walk(const tm_conv *layer, const int8_t *input,
                              uint32_t (*expand)(const walk *, const uint8_t *, int32_t, uint32_t *)) {
    const tm_window *w = &layer->window;
    const int32_t bytes = w->kernel_width * w->input_channels, taps = w->kernel_height * bytes;
    const int32_t simple = taps > 3 && bytes > 1 && w->dilation_height * w->dilation_width == 1;
    return (walk){.layer = layer,
                  .input = input,
                  .expand = expand,
                  .taps = (uint32_t)taps,
                  .quads = (uint32_t)(taps + 3) / 4,
                  .y = -(int32_t)w->padding_top,
                  .x = -(int32_t)w->padding_left,
                  .last_y = simple ? w->input_height - w->kernel_height : -1,
                  .last_x = w->input_width - w->kernel_width,
                  .right = w->stride_width * w->output_width - w->padding_left,
                  .rows = w->kernel_height,
                  .bytes = bytes,
                  .pitch = w->input_width * w->input_channels};
}

/* Write the inputs of the next pixel; return what takes the offset of the weights back. Where the
   taps end within a word, its other bytes may hold anything: their weights are zero. */
static __attribute__((noinline)) uint32_t next_pixel(walk *p, uint32_t *to) {
    const tm_window *w = &p->layer->window;
    const int32_t y = p->y, x = p->x;
    p->x += w->stride_width;
    if (p->x == p->right) p->x = -w->padding_left, p->y += w->stride_height;
    if (y >= 0 && x >= 0 && y <= p->last_y && x <= p->last_x)
        return p->expand(p, (const uint8_t *)p->input + y * p->pitch + x * w->input_channels, p->pitch, to);
    gather(p->layer, p->input, y, x, p->window);
    return p->expand(p, p->window, p->bytes, to);
}
#endif
