/* One input by four filters: what the fully connected layers share; see conv_2d.c for the arithmetic. */
#ifndef TINYML_FOUR_FILTERS_H
#define TINYML_FOUR_FILTERS_H
#include "arithmetic.h"
#include "kernels.h"

#ifdef TINYML_DSP
static uint32_t expand(const int8_t *from, uint32_t count, uint32_t *to) {
    int32_t sum = 0;
    for (int32_t left = (int32_t)count; left > 0; left -= 4, from += 4, to += 2) {
        uint32_t x = 0;
        if (left >= 4) {
            x = load_word(from);
        } else {
            for (int32_t i = 0; i < left; i++) x |= (uint32_t)(uint8_t)from[i] << 8 * i;
        }
        const uint32_t odd = ssub16(sxtb16(rotate8(x)), 0x007F007F);
        const uint32_t even = x << 8 & 0xFF00FF00;
        to[0] = ssub16(even, odd);
        to[1] = odd;
        sum = smlad(even, 0x00010001, sum);
    }
    return (uint32_t)sum;
}

static inline const uint32_t *multiply(const uint32_t *weights, const uint32_t *inputs, uint32_t quads,
                                       int32_t sums[4]) {
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
#ifdef __ARM_FEATURE_DSP
    uint32_t even, odd;
#define QUAD                                    \
    "ldrd %[even], %[odd], [%[inputs]], #8\n\t" \
    "ldm %[weights]!, {r8, r9, r10, r11}\n\t"   \
    "smlad %[a], r8, %[odd], %[a]\n\t"          \
    "smlad %[b], r9, %[odd], %[b]\n\t"          \
    "smlad %[c], r10, %[odd], %[c]\n\t"         \
    "smlad %[d], r11, %[odd], %[d]\n\t"         \
    "uxtb16 r8, r8\n\t"                         \
    "uxtb16 r9, r9\n\t"                         \
    "uxtb16 r10, r10\n\t"                       \
    "uxtb16 r11, r11\n\t"                       \
    "smlad %[a], r8, %[even], %[a]\n\t"         \
    "smlad %[b], r9, %[even], %[b]\n\t"         \
    "smlad %[c], r10, %[even], %[c]\n\t"        \
    "smlad %[d], r11, %[even], %[d]\n\t"
    __asm__("adds %[quads], #1\n\t"
            "lsrs %[quads], #1\n\t"
            "bcc 2f\n" /* an odd number starts in the middle */
            "1:\n\t" QUAD
            "2:\n\t" QUAD
            "subs %[quads], #1\n\t"
            "bne 1b"
            : [a] "+&r"(a), [b] "+&r"(b), [c] "+&r"(c), [d] "+&r"(d), [even] "=&r"(even), [odd] "=&r"(odd),
              [weights] "+&r"(weights), [inputs] "+&r"(inputs), [quads] "+&l"(quads)
            :
            : "r8", "r9", "r10", "r11", "cc", "memory");
#else
    for (; quads; quads--, inputs += 2, weights += 4) {
        a = smlad(weights[0] & 0x00FF00FF, inputs[0], smlad(weights[0], inputs[1], a));
        b = smlad(weights[1] & 0x00FF00FF, inputs[0], smlad(weights[1], inputs[1], b));
        c = smlad(weights[2] & 0x00FF00FF, inputs[0], smlad(weights[2], inputs[1], c));
        d = smlad(weights[3] & 0x00FF00FF, inputs[0], smlad(weights[3], inputs[1], d));
    }
#endif
    sums[0] = a >> 7, sums[1] = b >> 7, sums[2] = c >> 7, sums[3] = d >> 7;
    return weights;
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
#endif
#endif
