/* The walk that all operators of two arrays share. */
#ifndef TINYML_PAIRS_H
#define TINYML_PAIRS_H
#include "arithmetic.h"
#include "kernels.h"

/* Walk four dimensions; a step of 0 reads the same element again. `store` is what becomes of a pair. */
#define FOR_EACH_PAIR(store)                                                                          \
    for (int32_t i = 0; i < p->shape[0]; i++)                                                         \
        for (int32_t j = 0; j < p->shape[1]; j++)                                                     \
            for (int32_t k = 0; k < p->shape[2]; k++) {                                               \
                __typeof__(a) from_a = a + i * p->step_a[0] + j * p->step_a[1] + k * p->step_a[2];    \
                __typeof__(b) from_b = b + i * p->step_b[0] + j * p->step_b[1] + k * p->step_b[2];    \
                for (int32_t l = p->shape[3]; l > 0; l--) {                                           \
                    *output++ = store(p, *from_a, *from_b);                                           \
                    from_a += p->step_a[3], from_b += p->step_b[3];                                   \
                }                                                                                     \
            }

/* A kernel that stores what becomes of each pair. */
#define KERNEL_OF_PAIRS(name, from, to, store)                                                        \
    void name(const tm_pairs *p, const from *a, const from *b, to *output) { FOR_EACH_PAIR(store) }

/* A value on the output's scale. */
static inline int8_t finish(const tm_pairs *p, int32_t value) {
    return (int8_t)clamp(value + p->output_zero_point, p->output_min, p->output_max);
}

/* What both inputs are on a scale that they share, with so many bits more. */
static inline int32_t scaled_a(const tm_pairs *p, int32_t a, int32_t bits) {
    return scale_by((a - p->zero_point_a) * (1 << bits), p->multiplier_a, p->shift_a);
}

static inline int32_t scaled_b(const tm_pairs *p, int32_t b, int32_t bits) {
    return scale_by((b - p->zero_point_b) * (1 << bits), p->multiplier_b, p->shift_b);
}
#endif
