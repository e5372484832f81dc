/* One input by four filters: what the fully connected layers share; see conv_2d.c for the arithmetic. */
#ifndef TINYML_FOUR_FILTERS_H
#define TINYML_FOUR_FILTERS_H
#include "arithmetic.h"
#include "kernels.h"

#ifdef TINYML_DSP
static uint32_t expand(const int8_t *from, uint32_t count, uint32_t *to) {
    int32_t sum = 0;
#pragma GCC unroll 1
    for (int32_t left = (int32_t)count; left > 0; left -= 4, from += 4, to += 2) {
        uint32_t x = 0;
        if (left >= 4)
            x = load_word(from);
        else
#pragma GCC unroll 1
            for (int32_t i = 0; i < left; i++) x |= (uint32_t)(uint8_t)from[i] << 8 * i;
        const uint32_t odd = ssub16(sxtb16(rotate8(x)), 0x007F007F);
        const uint32_t even = x << 8 & 0xFF00FF00;
        to[0] = ssub16(even, odd);
        to[1] = odd;
        sum = smlad(even, 0x00010001, sum);
    }
    return (uint32_t)sum;
}

/* What filters need to run over an input, four at a time. The order of the fields counts: see run(). */
typedef struct {
    uint32_t correction;
    void *entry; /* used by run() */
    const uint32_t *inputs;
    uint32_t quads;
    const uint32_t *weights;
    const tm_channel *channel;
    uint32_t half; /* 2 zero_point + 1 */
    int8_t *to, *end;
} job;

#ifdef __ARM_FEATURE_DSP
#ifdef TINYML_ROUND_AS_TFLM
#define SCALE_DENSE SCALE_TWICE
#else
#define SCALE_DENSE SCALE_ONCE
#endif
/* Four taps: sums r0 to r3, weights at r6, inputs at r7. */
#define QUAD                            \
    "ldrd r4, r5, [r7], #8\n\t"         \
    "ldm.w r6!, {r8, r9, r10, r11}\n\t" \
    "smlad r0, r8, r5, r0\n\t"          \
    "smlad r1, r9, r5, r1\n\t"          \
    "smlad r2, r10, r5, r2\n\t"         \
    "smlad r3, r11, r5, r3\n\t"         \
    "uxtb16 r8, r8\n\t"                 \
    "uxtb16 r9, r9\n\t"                 \
    "uxtb16 r10, r10\n\t"               \
    "uxtb16 r11, r11\n\t"               \
    "smlad r0, r8, r4, r0\n\t"          \
    "smlad r1, r9, r4, r1\n\t"          \
    "smlad r2, r10, r4, r2\n\t"         \
    "smlad r3, r11, r4, r3\n\t"
#define FINISH(sum, bias, multiplier, shift)     \
    "add " sum ", " sum ", " bias "\n\t"         \
    "asr " sum ", " sum ", #7\n\t"               \
    "lsl " bias ", lr, " shift "\n\t"            \
    SCALE_DENSE("r11", sum, multiplier, bias)    \
    "asr r11, r11, " shift "\n\t"                \
    "ssat " sum ", #8, r11, asr #1\n\t"
#define FINISH_TWO(first, second)                \
    "ldm r12!, {r4, r5, r7, r8, r9, r10}\n\t"    \
    FINISH(first, "r4", "r5", "r7") FINISH(second, "r8", "r9", "r10")

/* All filters over the input; the job is copied to the stack. */
NAKED static void run(const job *j UNNAMED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "sub sp, #36\n\t"
        "ldm r0, {r1-r9}\n\t"
        "rsb r0, r4, #0\n\t" /* the loop runs four quads a turn and is entered in its middle */
        "and r0, r0, #3\n\t"
        "adr.w r2, 3f\n\t"
        "add r2, r2, r0, lsl #6\n\t" /* a quad has 56 bytes of code */
        "sub r2, r2, r0, lsl #3\n\t"
        "add r2, r2, #1\n\t"
        "add r4, r4, #3\n\t"
        "lsr r4, r4, #2\n\t"
        "stm sp, {r1-r9}\n\t"
        "mov r6, r5\n"
        "1:\n\t" /* four filters */
        "ldm sp, {r0, r4, r7, r12}\n\t"
        "mov r1, r0\n\t"
        "mov r2, r0\n\t"
        "mov r3, r0\n\t"
        "bx r4\n\t"
        ".p2align 2\n"
        "3:\n\t" QUAD QUAD QUAD QUAD
        "subs r12, r12, #1\n\t"
        "bne 3b\n\t"
        "ldrd r12, lr, [sp, #20]\n\t" /* channel, half */
        FINISH_TWO("r0", "r1") FINISH_TWO("r2", "r3")
        "ldrd r4, r5, [sp, #28]\n\t" /* to, end */
        "str r12, [sp, #20]\n\t"
        "strb r0, [r4]\n\t"
        "strb r1, [r4, #1]\n\t"
        "strb r2, [r4, #2]\n\t"
        "strb r3, [r4, #3]\n\t"
        "add r4, r4, #4\n\t"
        "str r4, [sp, #28]\n\t"
        "cmp r4, r5\n\t"
        "bne 1b\n\t"
        "add sp, #36\n\t"
        "pop {r4-r11, pc}");
}
#else
static void run(const job *j) {
    const uint32_t *weights = j->weights;
    const tm_channel *c = j->channel;
    for (int8_t *to = j->to; to != j->end; to += 4) {
        uint32_t sums[4] = {j->correction, j->correction, j->correction, j->correction};
        const uint32_t *inputs = j->inputs;
        for (uint32_t quads = j->quads; quads; quads--, inputs += 2, weights += 4)
            for (uint32_t i = 0; i < 4; i++) {
                const int32_t sum = smlad(weights[i], inputs[1], (int32_t)sums[i]);
                sums[i] = (uint32_t)smlad(weights[i] & 0x00FF00FF, inputs[0], sum);
            }
        for (uint32_t i = 0; i < 4; i++, c++)
            to[i] = (int8_t)requantize_once((int32_t)(sums[i] + (uint32_t)c->bias) >> 7, c->multiplier,
                                            (int32_t)(j->half << c->shift), c->shift);
    }
}
#endif

/* Filters from number `first` up to `end`, whose weights come first in `weights`. The last four are
   filled up in the tables. */
static inline void run_filters(const tm_dense *layer, const uint32_t *weights, uint32_t first, uint32_t end,
                               const uint32_t *inputs, uint32_t correction, int8_t *output) {
    const uint32_t fours = (end - first) & ~3u, quads = (layer->inputs + 3u) / 4;
    job j = {.correction = correction, .inputs = inputs, .quads = quads, .weights = weights};
    j.half = 2u * (uint32_t)layer->output_zero_point + 1, j.channel = layer->channels + first;
    j.to = output + first, j.end = j.to + fours;
    if (fours) run(&j);
    first += fours;
    if (first == end) return;
    int8_t last[4];
    j.weights += fours * quads, j.channel += fours, j.to = last, j.end = last + 4;
    run(&j);
    for (uint32_t i = 0; first + i < end; i++) output[first + i] = last[i];
}
#else
static uint32_t expand(const int8_t *from, uint32_t count, uint32_t *words) {
    uint8_t *to = (uint8_t *)words;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < (count + 3) / 4 * 4; i++) sum += to[i] = i < count ? (uint8_t)from[i] ^ 0x80 : 0;
    return sum;
}

/* Add the products of an input and four filters to their sums. */
#ifdef __ARM_ARCH_6M__
#define TAP(input, a, b, c, d)        \
    "ldrb r2, [r1, #" input "]\n\t"  \
    "ldrb r3, [r0, #" a "]\n\t"      \
    "ldrb r4, [r0, #" b "]\n\t"      \
    "ldrb r5, [r0, #" c "]\n\t"      \
    "ldrb r6, [r0, #" d "]\n\t"      \
    "muls r3, r2, r3\n\t"            \
    "muls r4, r2, r4\n\t"            \
    "muls r5, r2, r5\n\t"            \
    "muls r6, r2, r6\n\t"            \
    "add r8, r3\n\t"                 \
    "add r9, r4\n\t"                 \
    "add r10, r5\n\t"                \
    "add r11, r6\n\t"

NAKED static void add_products(const uint8_t *w UNNAMED, const uint8_t *x UNNAMED, const uint8_t *end UNNAMED,
                               int32_t *sums UNNAMED) {
    __asm__ volatile(
        SUMS_TO_HIGH_REGISTERS
        "1:\n\t" TAP("0", "0", "1", "2", "3") TAP("1", "4", "5", "6", "7")
        TAP("2", "8", "9", "10", "11") TAP("3", "12", "13", "14", "15")
        "adds r0, #16\n\t"
        "adds r1, #4\n\t"
        "cmp r1, r12\n\t"
        "bne 1b\n\t"
        SUMS_TO_MEMORY);
}
#else
static inline void add_products(const uint8_t *w, const uint8_t *x, const uint8_t *end, int32_t sums[4]) {
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (; x != end; w += 16, x += 4) {
        for (int32_t i = 0; i < 4; i++) {
            a += w[4 * i] * x[i], b += w[4 * i + 1] * x[i];
            c += w[4 * i + 2] * x[i], d += w[4 * i + 3] * x[i];
        }
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}
#endif

static inline const uint32_t *multiply(const uint32_t *words, const uint32_t *inputs, uint32_t quads,
                                       int32_t sums[4]) {
    const uint8_t *x = (const uint8_t *)inputs;
    add_products((const uint8_t *)words, x, x + 4 * quads, sums);
    for (uint32_t i = 0; i < 4; i++) sums[i] *= 2;
    return words + 4 * quads;
}

static inline void run_filters(const tm_dense *layer, const uint32_t *weights, uint32_t first, uint32_t end,
                               const uint32_t *inputs, uint32_t correction, int8_t *output) {
    const uint32_t half = 2u * (uint32_t)layer->output_zero_point + 1;
    const tm_channel *channel = layer->channels + first;
    const int8_t *const stop = output + end;
    for (output += first; output < stop;) {
        int32_t sums[4];
        for (uint32_t i = 0; i < 4; i++) sums[i] = (int32_t)((uint32_t)channel[i].bias + correction);
        weights = multiply(weights, inputs, (layer->inputs + 3u) / 4, sums);
        for (uint32_t i = 0; i < 4 && output < stop; i++, channel++) {
            const int32_t offset = (int32_t)(half << channel->shift);
            *output++ = (int8_t)requantize_once(sums[i], channel->multiplier, offset, channel->shift);
        }
    }
}
#endif
#endif
