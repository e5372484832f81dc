/* Sum and product of two arrays, element by element. */
#include "pairs.h"

static inline int8_t sum_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish(p, scale_by(scaled_a(p, a, 20) + scaled_b(p, b, 20), p->multiplier, p->shift));
}

static inline int8_t product_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish(p, scale_by((a - p->zero_point_a) * (b - p->zero_point_b), p->multiplier, p->shift));
}

/* Input a has the greater scale. What both are brought to is twice that, so its factor is exactly a
   half: a shift, and only b is multiplied, unless its scale is the same. A table of what b becomes
   would take 1 KB, and with DSP instructions no fewer cycles. */
static void add_row(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) {
    const int32_t start_a = -p->zero_point_a * (1 << 20), start_b = -p->zero_point_b * (1 << 21);
    const int32_t multiplier_b = p->multiplier_b, shift_b = p->shift_b, half = 1 << (shift_b - 1);
    const int32_t multiplier = p->multiplier, last = p->shift - 1;
    const int32_t offset = (int32_t)((2u * (uint32_t)p->output_zero_point + 1) << last);
    for (const int8_t *end = a + p->shape[3]; a != end;) {
        const int32_t doubled_b = *b++ * (1 << 21) + start_b;
        const int32_t scaled_b = (smmlar(doubled_b, multiplier_b, half) + (doubled_b >> 31)) >> shift_b;
        const int32_t doubled = *a++ * (1 << 20) + start_a + 2 * scaled_b;
        *output++ = (int8_t)requantize(doubled, multiplier, offset, last);
    }
}

static void add_row_alike(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) {
    const int32_t start = -(p->zero_point_a + p->zero_point_b), multiplier = p->multiplier, last = p->shift - 1;
    const int32_t offset = (int32_t)((2u * (uint32_t)p->output_zero_point + 1) << last);
    for (const int8_t *end = a + p->shape[3]; a != end;) {
        const int32_t sum = *a++ + *b++ + start;
        *output++ = (int8_t)requantize(sum * (1 << 20), multiplier, offset, last);
    }
}

void tm_add(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) {
    for (int32_t i = 0; i < p->shape[0]; i++)
        for (int32_t j = 0; j < p->shape[1]; j++)
            for (int32_t k = 0; k < p->shape[2]; k++, output += p->shape[3]) {
                const int8_t *from_a = a + i * p->step_a[0] + j * p->step_a[1] + k * p->step_a[2];
                const int8_t *from_b = b + i * p->step_b[0] + j * p->step_b[1] + k * p->step_b[2];
                if (p->shift_b == 0)
                    add_row_alike(p, from_a, from_b, output);
                else
                    add_row(p, from_a, from_b, output);
            }
}

KERNEL_OF_PAIRS(tm_add_general, int8_t, int8_t, sum_of)
KERNEL_OF_PAIRS(tm_mul, int8_t, int8_t, product_of)
