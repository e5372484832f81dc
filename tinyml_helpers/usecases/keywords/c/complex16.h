/* Complex numbers of two 16-bit halves, in the roundings of kissfft: in one register where the core
   has DSP instructions, in two where it has not. Sums wrap around at 16 bits. */
#ifndef TINYML_COMPLEX16_H
#define TINYML_COMPLEX16_H
#include <stdint.h>

typedef struct {
    int16_t re, im;
} stored;

#ifdef __ARM_FEATURE_DSP
#include <arm_acle.h>
typedef int16x2_t number; /* the real part below */

/* What stands above bit 15 of two sums, side by side; the compiler makes it PKHBT. */
static inline number pack(int32_t re, int32_t im) {
    return (number)(((uint32_t)(re >> 15) & 0xFFFF) | (((uint32_t)im << 1) & 0xFFFF0000));
}
static inline number load(const stored *at) {
    int32_t word;
    __builtin_memcpy(&word, at, 4);
    return (number)word;
}
static inline void store(stored *at, number p) {
    const int32_t word = (int32_t)p;
    __builtin_memcpy(at, &word, 4);
}
/* re and im times factors of 16 bits, divided by 2^15 and rounded. */
static inline number scaled(number p, int32_t re_factor, int32_t im_factor) {
    return pack(__smlabb((int32_t)p, re_factor, 1 << 14), __smlatb((int32_t)p, im_factor, 1 << 14));
}
static inline number times(number p, number factor) {
    return pack(__smlsd(p, factor, 1 << 14), __smladx(p, factor, 1 << 14));
}
static inline number add(number p, number q) { return __sadd16(p, q); }
static inline number subtract(number p, number q) { return __ssub16(p, q); }
static inline number minus_i_times(number p, number q) { return __ssax(p, q); } /* p - i q */
static inline number plus_i_times(number p, number q) { return __sasx(p, q); }  /* p + i q */
/* Squared absolute value of half the sum. */
static inline uint32_t half_energy(number p, number q) {
    const number half = __shadd16(p, q);
    return (uint32_t)__smuad(half, half);
}
static inline int32_t real(number p) { return (int16_t)p; }
static inline int32_t imaginary(number p) { return (int32_t)p >> 16; }
#else
typedef struct {
    int32_t re, im;
} number;

static inline number load(const stored *at) { return (number){at->re, at->im}; }
static inline void store(stored *at, number p) { *at = (stored){(int16_t)p.re, (int16_t)p.im}; }
static inline number pack(int32_t re, int32_t im) { return (number){(int16_t)(re >> 15), (int16_t)(im >> 15)}; }
static inline number scaled(number p, int32_t re_factor, int32_t im_factor) {
    return pack(p.re * re_factor + (1 << 14), p.im * im_factor + (1 << 14));
}
static inline number times(number p, number factor) {
    return pack(p.re * factor.re - p.im * factor.im + (1 << 14),
                p.re * factor.im + p.im * factor.re + (1 << 14));
}
static inline number add(number p, number q) { return (number){p.re + q.re, p.im + q.im}; }
static inline number subtract(number p, number q) { return (number){p.re - q.re, p.im - q.im}; }
static inline number minus_i_times(number p, number q) { return (number){p.re + q.im, p.im - q.re}; }
static inline number plus_i_times(number p, number q) { return (number){p.re - q.im, p.im + q.re}; }
static inline uint32_t half_energy(number p, number q) {
    const int32_t re = (p.re + q.re) >> 1, im = (p.im + q.im) >> 1;
    return (uint32_t)(re * re) + (uint32_t)(im * im);
}
static inline int32_t real(number p) { return p.re; }
static inline int32_t imaginary(number p) { return p.im; }
#endif
#endif
