/* Sum and product of two arrays, element by element. */
#include "arithmetic.h"
#include "kernels.h"

static inline int32_t sum_of(const tm_pairs *p, int32_t a, int32_t b) {
    a = scale_by((a - p->zero_point_a) * (1 << 20), p->multiplier_a, p->shift_a);
    b = scale_by((b - p->zero_point_b) * (1 << 20), p->multiplier_b, p->shift_b);
    return a + b;
}

static inline int32_t product_of(const tm_pairs *p, int32_t a, int32_t b) {
    return (a - p->zero_point_a) * (b - p->zero_point_b);
}

/* Walk four dimensions; a step of 0 reads the same element again. */
#define FOR_EACH_PAIR(combine)                                                                        \
    for (int32_t i = 0; i < p->shape[0]; i++)                                                         \
        for (int32_t j = 0; j < p->shape[1]; j++)                                                     \
            for (int32_t k = 0; k < p->shape[2]; k++) {                                               \
                const int8_t *from_a = a + i * p->step_a[0] + j * p->step_a[1] + k * p->step_a[2];    \
                const int8_t *from_b = b + i * p->step_b[0] + j * p->step_b[1] + k * p->step_b[2];    \
                for (int32_t l = p->shape[3]; l > 0; l--) {                                           \
                    const int32_t value = scale_by(combine(p, *from_a, *from_b), p->multiplier, p->shift); \
                    from_a += p->step_a[3], from_b += p->step_b[3];                                   \
                    *output++ = (int8_t)clamp(value + p->output_zero_point, p->output_min, p->output_max); \
                }                                                                                     \
            }

void tm_add(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) { FOR_EACH_PAIR(sum_of) }

void tm_mul(const tm_pairs *p, const int8_t *a, const int8_t *b, int8_t *output) { FOR_EACH_PAIR(product_of) }
