/* Operators of int16 that look at each value alone, or at two. */
#include "pairs.h"

static inline int16_t finish16(const tm_pairs *p, int32_t value) {
    return (int16_t)clamp(scale_by(value, p->multiplier, p->shift), p->output_min, p->output_max);
}

static inline int16_t sum_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish16(p, scaled_a(p, a, 15) + scaled_b(p, b, 15));
}

static inline int16_t difference_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish16(p, scaled_a(p, a, 15) - scaled_b(p, b, 15));
}

static inline int16_t product_of(const tm_pairs *p, int32_t a, int32_t b) { return finish16(p, a * b); }

KERNEL_OF_PAIRS(tm_add_int16, int16_t, int16_t, sum_of)
KERNEL_OF_PAIRS(tm_sub_int16, int16_t, int16_t, difference_of)
KERNEL_OF_PAIRS(tm_mul_int16, int16_t, int16_t, product_of)

static inline int32_t rescale(const tm_rescaling *r, int32_t value) {
    value -= r->input_zero_point;
    value = value < 0 ? scale_by(value, r->multiplier_below, r->shift_below) : scale_by(value, r->multiplier, r->shift);
    return clamp(value + r->output_zero_point, r->output_min, r->output_max);
}

#define KERNEL(name, from, to)                                                                         \
    void name(const tm_rescaling *r, const from *input, to *output, uint32_t count) {                  \
        for (; count; count--) *output++ = (to)rescale(r, *input++);                                   \
    }
KERNEL(tm_rescale_int16_to_int16, int16_t, int16_t)
KERNEL(tm_rescale_int16_to_int8, int16_t, int8_t)
KERNEL(tm_rescale_int8_to_int16, int8_t, int16_t)

/* The table holds 1 / (1 + e^-x) for x of 0, 1/24, 2/24 and on, in 16 bits; lines are drawn between. */
static inline uint32_t between(const int32_t *table, uint32_t x, uint32_t bits, uint32_t most) {
    const uint32_t place = x >> bits;
    if (place >= 255) return most;
    const uint32_t low = (uint32_t)table[place], high = (uint32_t)table[place + 1];
    return (low << bits) + (x & ((1u << bits) - 1)) * (high - low);
}

static inline int32_t scaled(int32_t x, int32_t multiplier, int32_t shift) {
    return (x * multiplier + (shift ? 1 << (shift - 1) : 0)) >> shift;
}

void tm_logistic_int16(const int32_t *table, int32_t multiplier, int32_t shift, const int16_t *input,
                       int16_t *output, uint32_t count) {
    for (; count; count--) {
        const int32_t x = scaled(*input++, multiplier, shift);
        const uint32_t result = between(table, (uint32_t)(x < 0 ? -x : x), 9, 0x7FFF << 10);
        *output++ = (int16_t)((x >= 0 ? result + 512 : (1u << 25) - result + 511) >> 10);
    }
}

void tm_tanh_int16(const int32_t *table, int32_t multiplier, int32_t shift, const int16_t *input,
                   int16_t *output, uint32_t count) {
    for (; count; count--) {
        const int32_t x = scaled(*input++, multiplier, shift);
        const int32_t result = (int32_t)between(table, (uint32_t)(x < 0 ? -x : x), 8, 0xFFFF << 8) - (1 << 23);
        *output++ = (int16_t)((x >= 0 ? result + 128 : 127 - result) >> 8);
    }
}

/* A table of 513 values from the least to the largest int16; lines are drawn between. */
static inline int32_t look_up(const int16_t *table, int32_t x) {
    const int16_t *at = table + 256 + (x >> 7);
    return at[0] + (((at[1] - at[0]) * (x & 127) + 64) >> 7);
}

void tm_softmax_int16(const int16_t *exponentials, const int16_t *reciprocals, int32_t multiplier, int32_t shift,
                      const int16_t *input, int16_t *output, uint32_t rows, uint32_t columns) {
    for (; rows; rows--, input += columns, output += columns) {
        int32_t largest = -32768, sum = 0;
        for (uint32_t i = 0; i < columns; i++) largest = input[i] > largest ? input[i] : largest;
        for (uint32_t i = 0; i < columns; i++) {
            const int32_t below = scale_by(input[i] - largest, multiplier, shift);
            output[i] = (int16_t)look_up(exponentials, below < -65535 ? -32768 : below + 32767);
            sum += output[i];
        }
        const int32_t zeros = __builtin_clz((uint32_t)sum);
        const int32_t part = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14);
        const int32_t inverse = look_up(reciprocals, clamp(part - 98304, -32768, 32767));
        for (uint32_t i = 0; i < columns; i++) {
            const int64_t share = ((int64_t)output[i] * inverse + (1 << (30 - zeros))) >> (31 - zeros);
            output[i] = (int16_t)(share > 32767 ? 32767 : share);
        }
    }
}
