/* The greater or smaller of two, whether one is greater, and one or the other. */
#include "pairs.h"

static inline int8_t greater_of(const tm_pairs *p, int8_t a, int8_t b) {
    (void)p;
    return a > b ? a : b;
}

static inline int8_t smaller_of(const tm_pairs *p, int8_t a, int8_t b) {
    (void)p;
    return a < b ? a : b;
}

/* `output_min` is 1 where the answer is turned around. */
static inline uint8_t is_greater(const tm_pairs *p, int32_t a, int32_t b) {
    return (uint8_t)((scaled_a(p, a, 8) > scaled_b(p, b, 8)) ^ p->output_min);
}

static inline uint8_t is_equal(const tm_pairs *p, int32_t a, int32_t b) {
    return (uint8_t)((scaled_a(p, a, 8) == scaled_b(p, b, 8)) ^ p->output_min);
}

KERNEL_OF_PAIRS(tm_maximum, int8_t, int8_t, greater_of)
KERNEL_OF_PAIRS(tm_minimum, int8_t, int8_t, smaller_of)
KERNEL_OF_PAIRS(tm_greater, int8_t, uint8_t, is_greater)
KERNEL_OF_PAIRS(tm_equal, int8_t, uint8_t, is_equal)

void tm_select(const tm_choice *c, const uint8_t *chosen, const int8_t *a, const int8_t *b, int8_t *output) {
    for (int32_t i = 0; i < c->shape[0]; i++)
        for (int32_t j = 0; j < c->shape[1]; j++)
            for (int32_t k = 0; k < c->shape[2]; k++)
                for (int32_t l = 0; l < c->shape[3]; l++) {
                    const int32_t place[] = {i, j, k, l};
                    int32_t at = 0, at_a = 0, at_b = 0;
                    for (int32_t n = 0; n < 4; n++) {
                        at += place[n] * c->step_chosen[n];
                        at_a += place[n] * c->step_a[n];
                        at_b += place[n] * c->step_b[n];
                    }
                    *output++ = chosen[at] ? a[at_a] : b[at_b];
                }
}
