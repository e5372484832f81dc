/* Differences, quotients and slopes of two arrays, element by element. */
#include "pairs.h"
#include "reciprocal.h"

static inline int8_t difference_of(const tm_pairs *p, int32_t a, int32_t b) {
    return finish(p, scale_by(scaled_a(p, a, 20) - scaled_b(p, b, 20), p->multiplier, p->shift));
}

static inline int8_t square_of(const tm_pairs *p, int32_t a, int32_t b) {
    const int32_t difference = scaled_a(p, a, 7) - scaled_b(p, b, 7);
    return finish(p, scale_by(difference * difference, p->multiplier, p->shift));
}

static inline int8_t slope_of(const tm_pairs *p, int32_t a, int32_t slope) {
    a -= p->zero_point_a;
    if (a >= 0) return finish(p, scale_by(a, p->multiplier_a, p->shift_a));
    return finish(p, scale_by(a * (slope - p->zero_point_b), p->multiplier, p->shift));
}

/* By the reciprocal of the divisor. Both are shifted to the left as far as 32 bits hold them; the
   reference shifts back by any number of bits, which C leaves open beyond 31: there nothing is left. */
static inline int8_t quotient_of(const tm_pairs *p, int32_t a, int32_t b) {
    a -= p->zero_point_a, b -= p->zero_point_b;
    if (b < 0) a = -a, b = -b;
    if (a == 0 || b == 0) return finish(p, 0);
    const int32_t zeros = __builtin_clz((uint32_t)b);
    const int32_t inverse = one_over_one_plus((int32_t)(((uint32_t)b << zeros) - 0x80000000u));
    const int32_t room = __builtin_clz((uint32_t)(a < 0 ? -2 * a - 1 : 2 * a));
    const int32_t quotient = doubling_high_mul((int32_t)((uint32_t)a << room), inverse);
    const int32_t shift = p->shift + 31 - zeros + room;
    return finish(p, shift > 31 ? 0 : scale_by(quotient, p->multiplier, shift));
}

KERNEL_OF_PAIRS(tm_sub, int8_t, int8_t, difference_of)
KERNEL_OF_PAIRS(tm_squared_difference, int8_t, int8_t, square_of)
KERNEL_OF_PAIRS(tm_prelu, int8_t, int8_t, slope_of)
KERNEL_OF_PAIRS(tm_div, int8_t, int8_t, quotient_of)
