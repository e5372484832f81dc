/* Two filters over the pixels that wait in columns: what the convolutions share that read each weight
   once for a tile of pixels. */
#ifndef TINYML_TILE_H
#define TINYML_TILE_H
#include "columns.h"

/* Pixels that wait together: their corrections, and their inputs. */
#define TILE_WORDS(quads) (TOGETHER + TOGETHER * QUAD_WORDS / 2 * (quads))

#ifdef TINYML_DSP
enum { TOGETHER = 3, MOST_PIXELS = 30 };
#define expand_together expand_three

/* What pairs of filters need to run over a tile. The order of the fields counts: see run_tile(). */
typedef struct {
    const uint32_t *now; /* the weights that are multiplied: those that come, or their copy */
    void *entry;         /* used by run_tile() */
    uint32_t turns;      /* used by run_tile() */
    const uint32_t *columns;
    const tm_channel *channel;
    uint32_t half; /* 2 zero_point + 1 */
    int8_t *place; /* used by run_tile() */
    uint32_t second, third; /* from a pixel's output to that of the next; the third may be none */
    const uint32_t *columns_end;
    int8_t *to, *end;
    uint32_t *copy; /* where two filters wait, or none */
    const uint32_t *weights;
    uint32_t quads;
} tile_job;

#ifdef __ARM_FEATURE_DSP
/* Four taps of two filters over three pixels: sums r0 to r5, weights at r6, inputs at r7. */
#define THREES(weight, a, b, c)          \
    "smlad " a ", " weight ", r10, " a "\n\t" \
    "smlad " b ", " weight ", r11, " b "\n\t" \
    "smlad " c ", " weight ", r12, " c "\n\t"
#define THREE_BY_TWO                                          \
    "ldrd r8, r9, [r6], #8\n\t"                               \
    "ldm.w r7!, {r10, r11, r12}\n\t"                          \
    THREES("r8", "r0", "r1", "r2") THREES("r9", "r3", "r4", "r5") \
    "uxtb16 r8, r8\n\t"                                       \
    "uxtb16 r9, r9\n\t"                                       \
    "ldm.w r7!, {r10, r11, r12}\n\t"                          \
    THREES("r8", "r0", "r1", "r2") THREES("r9", "r3", "r4", "r5")
#define REQUANTIZE_IN_PLACE(sum, multiplier, offset, shift) \
    "asr " sum ", " sum ", #7\n\t"                          \
    SCALE("lr", sum, multiplier, offset)                    \
    "asr lr, lr, " shift "\n\t"                             \
    "ssat " sum ", #8, lr, asr #1\n\t"

/* All pairs of filters over all threes of pixels: r0 to r2 are the sums of a filter, r3 to r5 those of
   the next; the job is copied to the stack. What comes of a pixel that is not there is stored first,
   where another pixel goes. */
NAKED static void run_tile(const tile_job *j UNNAMED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "sub sp, #60\n\t"
        "ldm r0!, {r4-r11}\n\t"
        "mov lr, sp\n\t"
        "stm lr!, {r4-r11}\n\t"
        "ldm r0, {r4-r10}\n\t"
        "stm lr, {r4-r10}\n\t"
        "rsb r2, r10, #0\n\t" /* the loop runs four quads a turn and is entered in its middle */
        "and r2, r2, #3\n\t"
        "adr.w r3, 3f\n\t"
        "add r3, r3, r2, lsl #6\n\t" /* a quad has 68 bytes of code */
        "add r3, r3, r2, lsl #2\n\t"
        "add r3, r3, #1\n\t"
        "add r10, r10, #3\n\t"
        "lsr r10, r10, #2\n\t"
        "strd r3, r10, [sp, #4]\n"
        "1:\n\t" /* two filters */
        "add lr, sp, #48\n\t"
        "ldm lr, {r4, r6, r12}\n\t"
        "cbz r4, 6f\n\t"
        "lsrs r5, r12, #1\n\t"
        "bcc 4f\n\t"
        "ldm.w r6!, {r8, r9}\n\t"
        "stm.w r4!, {r8, r9}\n"
        "4:\n\t"
        "cbz r5, 6f\n"
        "5:\n\t"
        "ldm.w r6!, {r8, r9, r10, r11}\n\t"
        "stm.w r4!, {r8, r9, r10, r11}\n\t"
        "subs r5, r5, #1\n\t"
        "bne 5b\n"
        "6:\n\t"
        "ldr r7, [sp, #12]\n\t"
        "ldr r4, [sp, #40]\n\t"
        "str r4, [sp, #24]\n"
        "2:\n\t" /* three pixels */
        "ldm r7!, {r0, r1, r2}\n\t"
        "ldm sp, {r6, r8, lr}\n\t"
        "mov r3, r0\n\t"
        "mov r4, r1\n\t"
        "mov r5, r2\n\t"
        "bx r8\n\t"
        ".p2align 2\n"
        "3:\n\t" THREE_BY_TWO THREE_BY_TWO THREE_BY_TWO THREE_BY_TWO
        "subs lr, lr, #1\n\t"
        "bne 3b\n\t"
        "ldrd r8, lr, [sp, #16]\n\t"
        "ldm r8, {r6, r8, r9, r10, r11, r12}\n\t" /* bias, multiplier, shift of both */
        "add r0, r0, r6\n\t"
        "add r1, r1, r6\n\t"
        "add r2, r2, r6\n\t"
        "add r3, r3, r10\n\t"
        "add r4, r4, r10\n\t"
        "add r5, r5, r10\n\t"
        "lsl r6, lr, r9\n\t"
        "lsl r10, lr, r12\n\t"
        REQUANTIZE_IN_PLACE("r0", "r8", "r6", "r9") REQUANTIZE_IN_PLACE("r1", "r8", "r6", "r9")
        REQUANTIZE_IN_PLACE("r2", "r8", "r6", "r9") REQUANTIZE_IN_PLACE("r3", "r11", "r10", "r12")
        REQUANTIZE_IN_PLACE("r4", "r11", "r10", "r12") REQUANTIZE_IN_PLACE("r5", "r11", "r10", "r12")
        "bfi r0, r3, #8, #8\n\t"
        "bfi r1, r4, #8, #8\n\t"
        "bfi r2, r5, #8, #8\n\t"
        "add r8, sp, #24\n\t"
        "ldm r8, {r8, r9, r10, r12}\n\t"
        "add r11, r8, r9\n\t"
        "add lr, r11, r10\n\t"
        "strh r2, [lr]\n\t"
        "strh r1, [r11]\n\t"
        "strh r0, [r8]\n\t"
        "add lr, lr, r9\n\t"
        "str lr, [sp, #24]\n\t"
        "cmp r7, r12\n\t"
        "bne 2b\n\t"
        "ldr r4, [sp, #16]\n\t"
        "add r4, r4, #24\n\t"
        "str r4, [sp, #16]\n\t"
        "add lr, sp, #40\n\t"
        "ldm lr, {r4, r5, r6, r7, r8}\n\t" /* to, end, copy, weights, quads */
        "add r7, r7, r8, lsl #3\n\t"
        "add r4, r4, #2\n\t"
        "str r4, [sp, #40]\n\t"
        "str r7, [sp, #52]\n\t"
        "cbnz r6, 7f\n\t"
        "str r7, [sp]\n"
        "7:\n\t"
        "cmp r4, r5\n\t"
        "bne 1b\n\t"
        "add sp, #60\n\t"
        "pop {r4-r11, pc}");
}
#else
static void run_tile(const tile_job *j) {
    const tm_channel *c = j->channel;
    const uint32_t *weights = j->weights;
    for (int8_t *to = j->to; to != j->end; to += 2, c += 2, weights += 2 * j->quads) {
        int8_t *place = to;
        for (const uint32_t *columns = j->columns; columns != j->columns_end; columns += TILE_WORDS(j->quads)) {
            int8_t bytes[6];
            for (uint32_t i = 0; i < 6; i++) {
                const uint32_t *w = weights + i / 3, *x = columns + 3 + i % 3;
                const tm_channel *of = c + i / 3;
                uint32_t sum = columns[i % 3];
                for (uint32_t left = j->quads; left; left--, x += 6, w += 2)
                    sum = (uint32_t)smlad(*w & 0x00FF00FF, x[3], smlad(*w, x[0], (int32_t)sum));
                bytes[i] = (int8_t)requantize((int32_t)(sum + (uint32_t)of->bias) >> 7, of->multiplier,
                                              (int32_t)(j->half << of->shift), of->shift);
            }
            int8_t *const second = place + j->second, *const third = second + j->third;
            third[0] = bytes[2], third[1] = bytes[5];
            second[0] = bytes[1], second[1] = bytes[4];
            place[0] = bytes[0], place[1] = bytes[3];
            place = third + j->second;
        }
    }
}
#endif

/* Pairs of filters, the first of them number `first`, over the pixels that wait in the columns; `apart`
   bytes lie between outputs of neighbours. */
static void run_pairs(const tm_conv *layer, tile_job *j, const uint32_t *columns, uint32_t pixels, uint32_t apart) {
    const uint32_t words = TILE_WORDS(j->quads), left = pixels % 3;
    int8_t *const to = j->to;
    j->half = 2u * (uint32_t)layer->output_zero_point + 1;
    j->now = j->copy ? j->copy : j->weights;
    j->columns = columns, j->columns_end = columns + pixels / 3 * words;
    j->second = j->third = apart;
    if (pixels > 2) run_tile(j);
    if (left) {
        j->copy = 0, j->now = j->weights;
        j->columns = j->columns_end, j->columns_end += words;
        j->second = left == 1 ? 0 : apart, j->third = 0;
        j->to = to + (pixels - left) * apart, j->end += (pixels - left) * apart;
        run_tile(j);
    }
}

/* Filters from number `first` up to `end` over the pixels that wait in the columns. An odd last filter
   has a partner in the tables, whose answers are thrown away. */
static void run_filters(const tm_conv *layer, const uint32_t *weights, uint32_t *copy, uint32_t first, uint32_t end,
                        const uint32_t *columns, uint32_t quads, uint32_t pixels, int8_t *to) {
    const uint32_t channels = layer->window.output_channels, even = end & ~1u;
    tile_job j = {.channel = layer->channels + first, .copy = copy, .weights = weights, .quads = quads};
    j.to = to + first, j.end = to + even;
    if (first != even) run_pairs(layer, &j, columns, pixels, channels);
    if (even != end) {
        int8_t last[2 * MOST_PIXELS];
        j = (tile_job){.channel = layer->channels + even, .weights = weights + (even - first) * quads, .quads = quads};
        j.to = last, j.end = last + 2;
        run_pairs(layer, &j, columns, pixels, 2);
KEEP_ROLLED
        for (uint32_t k = 0; k < pixels; k++) to[even + k * channels] = last[2 * k];
    }
}
#else
enum { TOGETHER = 2 };
#define expand_together expand_two

/* Add the products of two filters and two pixels to their sums: a0, a1, b0, b1. */
#ifdef __ARM_ARCH_6M__
#define TAP(a, b)                  \
    "ldrb r2, [r0, #" a "]\n\t"   \
    "ldrb r3, [r0, #" b "]\n\t"   \
    "ldrb r4, [r1, #" a "]\n\t"   \
    "ldrb r5, [r1, #" b "]\n\t"   \
    "mov r6, r2\n\t"              \
    "muls r6, r4, r6\n\t"         \
    "muls r2, r5, r2\n\t"         \
    "muls r4, r3, r4\n\t"         \
    "muls r5, r3, r5\n\t"         \
    "add r8, r6\n\t"              \
    "add r9, r2\n\t"              \
    "add r10, r4\n\t"             \
    "add r11, r5\n\t"

NAKED static void multiply(const uint8_t *w UNNAMED, const uint8_t *x UNNAMED, const uint8_t *end UNNAMED,
                           int32_t *sums UNNAMED) {
    __asm__ volatile(
        SUMS_TO_HIGH_REGISTERS
        "1:\n\t" TAP("0", "1") TAP("2", "3") TAP("4", "5") TAP("6", "7")
        "adds r0, #8\n\t"
        "adds r1, #8\n\t"
        "cmp r1, r12\n\t"
        "bne 1b\n\t"
        SUMS_TO_MEMORY);
}
#else
static inline void multiply(const uint8_t *w, const uint8_t *x, const uint8_t *end, int32_t sums[4]) {
    int32_t a0 = sums[0], a1 = sums[1], b0 = sums[2], b1 = sums[3];
    for (; x != end; w += 8, x += 8) {
        for (int32_t i = 0; i < 8; i += 2) {
            a0 += w[i] * x[i], a1 += w[i] * x[i + 1];
            b0 += w[i + 1] * x[i], b1 += w[i + 1] * x[i + 1];
        }
    }
    sums[0] = a0, sums[1] = a1, sums[2] = b0, sums[3] = b1;
}
#endif
#endif

/* Write the inputs of the next pixels, two or three together. */
static inline void gather_tile(walk *place, uint32_t *columns, uint32_t pixels) {
    for (uint32_t i = 0; i < pixels; i++) {
        uint32_t *const group = columns + i / TOGETHER * TILE_WORDS(place->quads);
        if (i % TOGETHER == 0) group[1] = 0; /* where there is none */
        group[i % TOGETHER] = next_pixel(place, PIXEL(group + TOGETHER, i % TOGETHER));
    }
}
#endif
