/* Sum and product of two arrays, element by element. */
#include "pairs.h"

static inline int8_t sum_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish(p, scale_by(scaled_a(p, a, 20) + scaled_b(p, b, 20), p->multiplier, p->shift));
}

static inline int8_t product_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish(p, scale_by((a - p->zero_point_a) * (b - p->zero_point_b), p->multiplier, p->shift));
}

void tm_add(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) { FOR_EACH_PAIR(sum_of) }

void tm_mul(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) { FOR_EACH_PAIR(product_of) }
