/* Arithmetic that the kernels share: the instructions of the DSP extension, and fixed point. */
#ifndef TINYML_ARITHMETIC_H
#define TINYML_ARITHMETIC_H
#include <stdint.h>

/* A function in assembly, whose compiler does not see what it does with its parameters. */
#define NAKED __attribute__((naked, noinline))
#define UNNAMED __attribute__((unused))

/* Before a loop of two conditions that clang shall not unroll. GCC does not, and knows no word for it. */
#ifdef __clang__
#define KEEP_ROLLED _Pragma("GCC unroll 1")
#else
#define KEEP_ROLLED
#endif

/* What is in a variable stays in a register, and is not computed from another each time. */
#define KEEP(value) __asm__("" : "+r"(value))

/* The largest value below 2^31 with which TensorFlow Lite rounds: (a * b + 2^30) / 2^31. */
static inline int32_t doubling_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* Divide by 2^shift, halves away from zero. */
static inline int32_t rounding_shift(int32_t value, int32_t shift) {
    if (shift == 0) return value;
    return (int32_t)(((int64_t)value + (1 << (shift - 1)) + (value >> 31)) >> shift);
}

/* value * multiplier / 2^31 / 2^shift in the two roundings of TensorFlow Lite; shift may be < 0. */
static inline int32_t scale_by(int32_t value, int32_t multiplier, int32_t shift) {
    if (shift < 0) {
        value = (int32_t)((uint32_t)value << -shift);
        shift = 0;
    }
    return rounding_shift(doubling_high_mul(value, multiplier), shift);
}

static inline int32_t clamp(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

/* Four bytes that may lie anywhere. */
static inline uint32_t load_word(const void *address) {
    uint32_t word;
    __builtin_memcpy(&word, address, 4);
    return word;
}

#if defined(__ARM_FEATURE_DSP) || defined(TINYML_EMULATE_DSP)
#define TINYML_DSP 1
#ifdef __ARM_FEATURE_DSP
/* Clang, and GCC from version 10 on, know these instructions by name; others are told in assembly. */
#if defined(__clang__) || __GNUC__ >= 10
#if __has_include(<arm_acle.h>)
#include <arm_acle.h>
#define TINYML_ACLE
#endif
#endif
#ifdef TINYML_ACLE
#define smlad(x, y, sum) __smlad((int16x2_t)(x), (int16x2_t)(y), sum)
#define ssub16(x, y) ((uint32_t)__ssub16((int16x2_t)(x), (int16x2_t)(y)))
#define sxtb16(x) ((uint32_t)__sxtb16((int8x4_t)(x)))
#define smlabb(x, y, sum) __smlabb((int32_t)(x), (int32_t)(y), sum)
#define smlatt(x, y, sum) __smlatt((int32_t)(x), (int32_t)(y), sum)
#define smlabt(x, y, sum) __smlabt((int32_t)(x), (int32_t)(y), sum)
#define smlatb(x, y, sum) __smlatb((int32_t)(x), (int32_t)(y), sum)
#else
#define PRODUCTS(name)                                                              \
    static inline int32_t name(uint32_t x, uint32_t y, int32_t sum) {               \
        int32_t result;                                                             \
        __asm__(#name " %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum)); \
        return result;                                                              \
    }
PRODUCTS(smlad)
PRODUCTS(smlabb)
PRODUCTS(smlatt)
PRODUCTS(smlabt)
PRODUCTS(smlatb)
static inline uint32_t ssub16(uint32_t x, uint32_t y) {
    uint32_t result;
    __asm__("ssub16 %0, %1, %2" : "=r"(result) : "r"(x), "r"(y));
    return result;
}
static inline uint32_t sxtb16(uint32_t x) {
    uint32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(x));
    return result;
}
#endif
static inline int32_t smmlar(int32_t x, int32_t y, int32_t sum) {
    int32_t result;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
}
static inline int32_t smmla(int32_t x, int32_t y, int32_t sum) {
    int32_t result;
    __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(sum));
    return result;
}
#if defined(TINYML_ACLE) && defined(__clang__) /* GCC's gives an unsigned number */
#define half_saturate8(x) __ssat((x) >> 1, 8)
#else
static inline int32_t half_saturate8(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(result) : "r"(x));
    return result;
}
#endif
/* What requantize() does before it shifts, in assembly. */
#define SCALE_ONCE(to, doubled, multiplier, offset) \
    "smmla " to ", " doubled ", " multiplier ", " offset "\n\t"
#define SCALE_TWICE(to, doubled, multiplier, offset)               \
    "smmlar " to ", " doubled ", " multiplier ", " offset "\n\t" \
    "add " to ", " to ", " doubled ", asr #31\n\t"
#ifdef TINYML_ROUND_ONCE
#define SCALE SCALE_ONCE
#else
#define SCALE SCALE_TWICE
#endif
#else /* the same on the host, for tests */
static inline int32_t low(uint32_t x) { return (int16_t)x; }
static inline int32_t high(uint32_t x) { return (int16_t)(x >> 16); }
static inline uint32_t both(int32_t low_half, int32_t high_half) {
    return (uint32_t)(low_half & 0xFFFF) | (uint32_t)high_half << 16;
}
static inline int32_t smlad(uint32_t x, uint32_t y, int32_t sum) {
    return (int32_t)((uint32_t)(low(x) * low(y)) + (uint32_t)(high(x) * high(y)) + (uint32_t)sum);
}
static inline uint32_t ssub16(uint32_t x, uint32_t y) { return both(low(x) - low(y), high(x) - high(y)); }
static inline uint32_t sxtb16(uint32_t x) { return both((int8_t)x, (int8_t)(x >> 16)); }
static inline int32_t smlabb(uint32_t x, uint32_t y, int32_t sum) { return sum + low(x) * low(y); }
static inline int32_t smlatt(uint32_t x, uint32_t y, int32_t sum) { return sum + high(x) * high(y); }
static inline int32_t smlabt(uint32_t x, uint32_t y, int32_t sum) { return sum + low(x) * high(y); }
static inline int32_t smlatb(uint32_t x, uint32_t y, int32_t sum) { return sum + high(x) * low(y); }
#endif
static inline uint32_t rotate8(uint32_t x) { return x >> 8 | x << 24; }
#endif

#ifndef __ARM_FEATURE_DSP
#ifdef __ARM_ARCH_6M__
/* The upper 32 bits of (x * y + rounding * 2^16), y >= 0, on a core whose products have 32 bits. */
static inline int32_t high_mul(int32_t x, int32_t y, uint32_t rounding) {
    const uint32_t x_low = x & 0xFFFF, y_low = y & 0xFFFF;
    const int32_t x_high = x >> 16, y_high = y >> 16;
    const int32_t middle = x_high * (int32_t)y_low + (int32_t)(x_low * y_low >> 16);
    const uint32_t low = x_low * (uint32_t)y_high + (middle & 0xFFFF) + rounding;
    return x_high * y_high + (middle >> 16) + (int32_t)(low >> 16);
}
#else
static inline int32_t high_mul(int32_t x, int32_t y, uint32_t rounding) {
    return (int32_t)(((int64_t)x * y + ((int64_t)rounding << 16)) >> 32);
}
#endif
static inline int32_t smmlar(int32_t x, int32_t y, int32_t sum) { return high_mul(x, y, 0x8000) + sum; }
static inline int32_t smmla(int32_t x, int32_t y, int32_t sum) { return high_mul(x, y, 0) + sum; }
static inline int32_t half_saturate8(int32_t x) { return clamp(x >> 1, -128, 127); }
#endif

/* The end of a convolution's sum: scale_by(sum, multiplier, shift + 1) + zero point, saturated to
   int8, for 0 <= shift <= 21. `doubled` is twice the sum; `offset` is (2 zero_point + 1) << shift.
   Adding the sign before the shift turns "halves up" into "halves away from zero". */
static inline int32_t requantize(int32_t doubled, int32_t multiplier, int32_t offset, int32_t shift) {
    return half_saturate8((smmlar(doubled, multiplier, offset) + (doubled >> 31)) >> shift);
}

/* The same for a fully connected layer, where LiteRT rounds once, halves up, and TFLM as above. */
#ifdef TINYML_ROUND_AS_TFLM
#define requantize_once requantize
#define scale_once scale_by
#else
static inline int32_t requantize_once(int32_t doubled, int32_t multiplier, int32_t offset, int32_t shift) {
    return half_saturate8(smmla(doubled, multiplier, offset) >> shift);
}

/* value * multiplier / 2^31 / 2^shift in one rounding, halves away from zero, saturated. */
static inline int32_t scale_once(int32_t value, int32_t multiplier, int32_t shift) {
    const int32_t right = 31 + shift;
    const int64_t scaled = ((int64_t)value * multiplier + ((int64_t)1 << (right - 1)) - (value < 0)) >> right;
    return scaled > INT32_MAX ? INT32_MAX : scaled < INT32_MIN ? INT32_MIN : (int32_t)scaled;
}
#endif

/* ONNX Runtime rounds the sums of convolutions and means once, too. */
#ifdef TINYML_ROUND_ONCE
#define requantize requantize_once
#define scale_sum scale_once
#else
#define scale_sum scale_by
#endif

#ifdef __ARM_ARCH_6M__
/* Begin and end of a naked function (weights r0, inputs r1, end r2, four sums r3): low registers
   multiply, the high ones r8 to r11 hold the sums, and r12 the end. Compilers keep sums in memory. */
#define SUMS_TO_HIGH_REGISTERS \
    ".syntax unified\n\t" /* GCC writes the older syntax for this core */ \
    "push {r3-r7, lr}\n\t" \
    "mov r4, r8\n\t" \
    "mov r5, r9\n\t" \
    "mov r6, r10\n\t" \
    "mov r7, r11\n\t" \
    "push {r4-r7}\n\t" \
    "mov r12, r2\n\t" \
    "ldm r3!, {r4-r7}\n\t" \
    "mov r8, r4\n\t" \
    "mov r9, r5\n\t" \
    "mov r10, r6\n\t" \
    "mov r11, r7\n"
#define SUMS_TO_MEMORY \
    "ldr r3, [sp, #16]\n\t" \
    "mov r4, r8\n\t" \
    "mov r5, r9\n\t" \
    "mov r6, r10\n\t" \
    "mov r7, r11\n\t" \
    "stm r3!, {r4-r7}\n\t" \
    "pop {r4-r7}\n\t" \
    "mov r8, r4\n\t" \
    "mov r9, r5\n\t" \
    "mov r10, r6\n\t" \
    "mov r11, r7\n\t" \
    "pop {r3-r7, pc}"
#endif

#endif
