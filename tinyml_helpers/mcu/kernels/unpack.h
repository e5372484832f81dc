/* Weights that are stored in 1, 2 or 4 bits, and unpacked as the inner loops read them. */
#ifndef TINYML_UNPACK_H
#define TINYML_UNPACK_H
#include "arithmetic.h"
#include "kernels.h"

/* Where a filter's next four weights lie: four bytes side by side, then those of the filters that run
   beside it; or, without DSP instructions, byte by byte in turn with them. See conv_2d.c for what is
   added to a weight: `biased` is the weight + 128. */
#ifdef TINYML_DSP
#define FILTER_AT(to, number) ((to) + 4 * (number))
static inline void put_tap(uint8_t *to, uint32_t tap, uint32_t together, uint32_t biased) {
    to[tap / 4 * 4 * together + tap % 4] = (uint8_t)(biased ^ (tap % 2 ? 0x80 : 0));
}
static inline void put_quad(uint8_t *to, uint32_t together, const uint8_t *palette, uint32_t indices, uint32_t bits) {
    const uint32_t mask = (1u << bits) - 1;
    uint32_t word = palette[indices & mask];
    word |= (uint32_t)palette[indices >> bits & mask] << 8;
    word |= (uint32_t)palette[indices >> 2 * bits & mask] << 16;
    word |= (uint32_t)palette[indices >> 3 * bits & mask] << 24;
    word ^= 0x80008000;
    (void)together;
    __builtin_memcpy(to, &word, 4);
}
#else
#define FILTER_AT(to, number) ((to) + (number))
static inline void put_tap(uint8_t *to, uint32_t tap, uint32_t together, uint32_t biased) {
    to[tap * together] = (uint8_t)biased;
}
static inline void put_quad(uint8_t *to, uint32_t together, const uint8_t *palette, uint32_t indices, uint32_t bits) {
    for (uint32_t i = 0; i < 4; i++) put_tap(to, i, together, palette[indices >> i * bits & ((1u << bits) - 1)]);
}
#endif

/* Unpack one filter whose indices begin at `from`. What is left of the last four weights becomes zero. */
static __attribute__((noinline)) void unpack(uint32_t bits, const uint8_t *from, const uint8_t *palette,
                                             uint32_t taps, uint32_t together, uint8_t *to) {
    const uint32_t step = 4 * together;
    uint8_t *quad = to, *const end = to + (taps + 3) / 4 * step;
    if (bits == 4) {
#pragma GCC unroll 1
        for (; quad != end; quad += step, from += 2)
            put_quad(quad, together, palette, from[0] | (uint32_t)from[1] << 8, 4);
    } else if (bits == 2) {
#pragma GCC unroll 1
        for (; quad != end; quad += step) put_quad(quad, together, palette, *from++, 2);
    } else {
#pragma GCC unroll 1
        for (uint32_t shift = 0; quad != end; quad += step, from += shift / 4, shift ^= 4)
            put_quad(quad, together, palette, (uint32_t)*from >> shift, 1);
    }
#pragma GCC unroll 1
    for (uint32_t tap = taps; tap % 4; tap++) put_tap(to, tap, together, 128);
}

/* Unpack filters that run together, from number `first` on. Beyond the last one the last is repeated:
   nobody reads what comes of it. */
static __attribute__((noinline)) void unpack_together(const tm_packed *packed, const void *weights, uint32_t first,
                                                      uint32_t filters, uint32_t taps, uint32_t together,
                                                      uint8_t *to) {
    const uint32_t bytes = ((taps + 3) / 4 * packed->bits + 1) / 2;
#pragma GCC unroll 1
    for (uint32_t i = 0; i < together; i++) {
        const uint32_t filter = first + i < filters ? first + i : filters - 1;
        unpack(packed->bits, (const uint8_t *)weights + filter * bytes, packed->palettes + filter * packed->apart, taps,
               together, FILTER_AT(to, i));
    }
}
#endif
