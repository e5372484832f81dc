/* The logarithm of a softmax, in fixed point. */
#include "kernels.h"
#include "reciprocal.h"

/* log 2, sqrt(1/2) and its root, with 31 fraction bits. */
#define LOG_2 1488522236
#define ROOT_HALF 1518500250
#define ROOT_ROOT_HALF 1805811301

static int32_t saturating_move(int32_t value, int32_t bits) {
    return bits >= 0 ? saturating_left(value, bits) : rounding_shift(value, -bits);
}

/* log x for x >= 1, of 12 integer bits, to 5. With x = r 2^n and r near 1, log x is n log 2 and a
   quotient of two polynomials in r. Two ways to cut x into r and n are tried, half an octave apart. */
static int32_t log_of(int32_t x) {
    const int32_t quarter = 1 << 23; /* 6 integer bits, as are all exponents */
    const int32_t zeros = __builtin_clz((uint32_t)x);
    const int32_t whole = saturating_left(x, zeros - 1);
    const int32_t r_a = saturating_left(doubling_high_mul(whole, ROOT_HALF), 1);
    const int32_t n_a = (12 - zeros) * (1 << 25) + quarter;
    const int32_t room = __builtin_clz((uint32_t)doubling_high_mul(x, ROOT_HALF)) - 1;
    const int32_t r_b = saturating_move(x, room);
    const int32_t n_b = (12 - room) * (1 << 25) - quarter;
    const int32_t r = r_a < r_b ? r_a : r_b, n = n_a > n_b ? n_a : n_b;

    const int64_t twice = (int64_t)r + ROOT_ROOT_HALF;
    const int32_t p = (int32_t)((twice + (twice >= 0 ? 1 : -1)) / 2), q = (r - ROOT_ROOT_HALF) * 2;
    const int32_t square = doubling_high_mul(q, q);
    const int32_t cubic = doubling_high_mul(doubling_high_mul(q, square), 117049297);
    const int32_t above = doubling_high_mul(q, r) + cubic;
    const int32_t inner = 1057819769 + q + doubling_high_mul(127690142, square);
    const int32_t below = doubling_high_mul(p, inner) + doubling_high_mul(638450708, q);
    const int32_t quotient = doubling_high_mul(rounding_shift(above, 6), one_over_one_plus(below));
    return saturating_left(doubling_high_mul(n, LOG_2) + quotient, 1);
}

void tm_log_softmax(const tm_log_softmax_scales *s, const int32_t *exponentials, uint32_t known,
                    const int8_t *input, int8_t *output, uint32_t rows, uint32_t columns) {
    for (; rows; rows--, input += columns, output += columns) {
        int32_t largest = -128, sum = 0;
        for (uint32_t i = 0; i < columns; i++) largest = input[i] > largest ? input[i] : largest;
        for (uint32_t i = 0; i < columns; i++) {
            const uint32_t under = (uint32_t)(largest - input[i]);
            if (under < known) sum += rounding_shift(exponentials[under], 12);
        }
        const int32_t log_of_sum = log_of(sum);
        const int32_t ends = scale_by(log_of_sum + INT32_MIN, s->back_multiplier, s->back_shift);
        const int32_t least = ends > s->least - 1 ? ends : s->least - 1;
        for (uint32_t i = 0; i < columns; i++) {
            const int32_t difference = input[i] - largest;
            int32_t value = -128;
            if (difference > least) {
                value = scale_by(difference, s->multiplier, s->shift) - log_of_sum;
                value = clamp(rounding_shift(value, 22) + 127, -128, 127);
            }
            output[i] = (int8_t)value;
        }
    }
}
