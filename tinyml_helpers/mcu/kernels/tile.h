/* Two filters over the pixels that wait in columns: what the convolutions share that read each weight
   once for a tile of pixels. */
#ifndef TINYML_TILE_H
#define TINYML_TILE_H
#include "columns.h"

#ifdef TINYML_DSP
enum { MOST_PIXELS = 32 };

/* What two filters need to run over a tile. The order of the fields counts: see run_tile(). */
typedef struct {
    const uint32_t *filters;
    void *entry; /* used by run_tile() */
    uint32_t quads;
    const uint32_t *columns; /* for each two pixels: their corrections, and their inputs */
    int32_t bias[2];
    struct {
        int32_t multiplier, offset, shift;
    } scales[2];
    int8_t *to[2];
    uint32_t step; /* from two pixels of the output to the next two */
    const uint32_t *end;
    const tm_channel *channel;
    uint32_t half; /* 2 zero_point + 1 */
} tile_job;

#ifdef __ARM_FEATURE_DSP
#define REQUANTIZE_IN_PLACE(sum, multiplier, offset, shift)                   \
    "asr " sum ", " sum ", #7\n\t"                                   \
    SCALE("r11", sum, multiplier, offset)                            \
    "asr " sum ", r11, " shift "\n\t"                                \
    "ssat " sum ", #8, " sum ", asr #1\n\t"

/* As run(), but over pairs of pixels: r0 to r3 are the sums of filter a and pixels 0, 1,
   and of filter b; r6 runs through the weights, r7 through the pixels; r14 is the job. */
NAKED static void run_tile(tile_job *j UNNAMED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "mov lr, r0\n\t"
        "ldr r1, [lr, #8]\n\t" /* the loop runs four quads a turn and is entered in its middle */
        "rsb r2, r1, #0\n\t"
        "and r2, r2, #3\n\t"
        "adr.w r3, 3f\n\t"
        "add r2, r2, r2, lsl #1\n\t"
        "add r3, r3, r2, lsl #4\n\t" /* a quad has 48 bytes of code */
        "add r3, r3, #1\n\t"
        "add r1, r1, #3\n\t"
        "lsr r1, r1, #2\n\t"
        "strd r3, r1, [lr, #4]\n\t"
        "ldrd r0, r8, [lr, #64]\n\t" /* bias, multiplier, shift of both; offset = half << shift */
        "ldm r0, {r1, r2, r4, r5, r6, r7}\n\t"
        "lsl r3, r8, r4\n\t"
        "mov r12, r5\n\t"
        "mov r5, r6\n\t"
        "lsl r6, r8, r7\n\t"
        "add r0, lr, #24\n\t"
        "stm r0, {r2, r3, r4, r5, r6, r7}\n\t"
        "strd r1, r12, [lr, #16]\n\t"
        "ldr r7, [lr, #12]\n"
        "2:\n\t"
        "ldm lr, {r6, r10, r12}\n\t"
        "ldm r7!, {r8, r9}\n\t"
        "ldrd r4, r5, [lr, #16]\n\t"
        "add r0, r4, r8\n\t"
        "add r1, r4, r9\n\t"
        "add r2, r5, r8\n\t"
        "add r3, r5, r9\n\t"
        "bx r10\n\t"
        ".p2align 2\n"
        "3:\n\t" QUAD QUAD QUAD QUAD
        "subs r12, r12, #1\n\t"
        "bne 3b\n\t"
        "add r12, lr, #24\n\t"
        "ldm r12, {r4, r5, r6, r8, r9, r10}\n\t"
        REQUANTIZE_IN_PLACE("r0", "r4", "r5", "r6") REQUANTIZE_IN_PLACE("r1", "r4", "r5", "r6")
        REQUANTIZE_IN_PLACE("r2", "r8", "r9", "r10") REQUANTIZE_IN_PLACE("r3", "r8", "r9", "r10")
        "bfi r0, r2, #8, #8\n\t"
        "bfi r1, r3, #8, #8\n\t"
        "ldrd r4, r5, [lr, #48]\n\t"
        "ldrd r6, r8, [lr, #56]\n\t"
        "strh r1, [r5]\n\t" /* pixel 1 first: if there is none, it goes where pixel 0 goes */
        "strh r0, [r4]\n\t"
        "add r4, r4, r6\n\t"
        "add r5, r5, r6\n\t"
        "strd r4, r5, [lr, #48]\n\t"
        "cmp r7, r8\n\t"
        "bne 2b\n\t"
        "pop {r4-r11, pc}");
}
#else
static void run_tile(tile_job *j) {
    for (int32_t i = 0; i < 2; i++) {
        j->bias[i] = j->channel[i].bias;
        j->scales[i].multiplier = j->channel[i].multiplier, j->scales[i].shift = j->channel[i].shift;
        j->scales[i].offset = (int32_t)(j->half << j->channel[i].shift);
    }
    for (const uint32_t *columns = j->columns; columns != j->end; columns += 2 + 4 * j->quads) {
        int8_t bytes[2][2];
        for (int32_t i = 0; i < 4; i++) {
            const uint32_t *w = j->filters + i / 2, *x = columns + 2 + 2 * (i % 2);
            uint32_t sum = (uint32_t)j->bias[i / 2] + columns[i % 2];
            for (uint32_t left = j->quads; left; left--, x += 4, w += 2)
                sum = (uint32_t)smlad(*w & 0x00FF00FF, x[0], smlad(*w, x[1], (int32_t)sum));
            bytes[i % 2][i / 2] = (int8_t)requantize((int32_t)sum >> 7, j->scales[i / 2].multiplier,
                                                     j->scales[i / 2].offset, j->scales[i / 2].shift);
        }
        for (int32_t i = 1; i >= 0; i--) {
            j->to[i][0] = bytes[i][0], j->to[i][1] = bytes[i][1];
            j->to[i] += j->step;
        }
    }
}
#endif

/* Two filters over the pixels that wait in the columns; `apart` bytes lie between outputs of neighbours. */
static void run_over(tile_job *j, const uint32_t *columns, uint32_t pixels, int8_t *to, uint32_t apart) {
    const uint32_t quads = j->quads, words = 2 + 4 * quads;
    j->columns = columns, j->step = 2 * apart;
    j->to[0] = to, j->to[1] = to + apart, j->end = columns + pixels / 2 * words;
    if (pixels > 1) run_tile(j);
    if (pixels % 2) {
        j->quads = quads, j->columns = columns + pixels / 2 * words;
        j->to[0] = j->to[1] = to + (pixels - 1) * apart, j->end = j->columns + words;
        run_tile(j);
    }
    j->quads = quads;
}
#else
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
#endif
