/* The reciprocal in fixed point. */
#ifndef TINYML_RECIPROCAL_H
#define TINYML_RECIPROCAL_H
#include "arithmetic.h"

/* Multiply by 2^bits, saturated. */
static inline int32_t saturating_left(int32_t value, int32_t bits) {
    const int32_t most = INT32_MAX >> bits;
    return value > most ? INT32_MAX : value < -most - 1 ? INT32_MIN : value * (1 << bits);
}

/* 1 / (1 + x) for 0 <= x < 1, 31 fraction bits, by three steps of Newton's method. */
static inline int32_t one_over_one_plus(int32_t x) {
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = 1515870810 + doubling_high_mul(half, -1010580540); /* 48/17 - 32/17 half, 29 bits */
    for (int32_t i = 0; i < 3; i++) {
        const int32_t error = (1 << 29) - doubling_high_mul(half, y);
        y += saturating_left(doubling_high_mul(y, error), 2);
    }
    return saturating_left(y, 1);
}
#endif
