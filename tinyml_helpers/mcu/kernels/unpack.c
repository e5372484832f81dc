/* Weights that are stored in fewer bits, or two of four, and unpacked as the inner loops read them. */
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
static inline void put_word(uint8_t *to, uint32_t together, uint32_t biased) {
    biased ^= 0x80008000;
    (void)together;
    __builtin_memcpy(to, &biased, 4);
}
static inline void put_quad(uint8_t *to, uint32_t together, const uint8_t *palette, uint32_t indices, uint32_t bits) {
    const uint32_t mask = (1u << bits) - 1;
    uint32_t word = palette[indices & mask];
    word |= (uint32_t)palette[indices >> bits & mask] << 8;
    word |= (uint32_t)palette[indices >> 2 * bits & mask] << 16;
    word |= (uint32_t)palette[indices >> 3 * bits & mask] << 24;
    put_word(to, together, word);
}
#else
#define FILTER_AT(to, number) ((to) + (number))
static inline void put_tap(uint8_t *to, uint32_t tap, uint32_t together, uint32_t biased) {
    to[tap * together] = (uint8_t)biased;
}
static inline void put_word(uint8_t *to, uint32_t together, uint32_t biased) {
    for (uint32_t i = 0; i < 4; i++, biased >>= 8) put_tap(to, i, together, biased);
}
static inline void put_quad(uint8_t *to, uint32_t together, const uint8_t *palette, uint32_t indices, uint32_t bits) {
    for (uint32_t i = 0; i < 4; i++) put_tap(to, i, together, palette[indices >> i * bits & ((1u << bits) - 1)]);
}
#endif

/* Unpack one filter that begins at `from`, and return where the next one does. What is left of the last
   four weights becomes zero. */
static __attribute__((noinline)) const uint8_t *unpack(uint32_t bits, const uint8_t *from, const uint8_t *palette,
                                                       uint32_t taps, uint32_t together, uint8_t *to) {
    const uint32_t quads = (taps + 3) / 4, step = 4 * together;
    const uint8_t *next = from + (quads * (bits == 8 ? 1 : bits) + 1) / 2;
    uint8_t *quad = to, *const end = to + quads * step;
    if (bits == 4) {
#pragma GCC unroll 1
        for (; quad != end; quad += step, from += 2)
            put_quad(quad, together, palette, from[0] | (uint32_t)from[1] << 8, 4);
    } else if (bits == 2) {
#pragma GCC unroll 1
        for (; quad != end; quad += step) put_quad(quad, together, palette, *from++, 2);
    } else if (bits == 1) {
#pragma GCC unroll 1
        for (uint32_t shift = 0; quad != end; quad += step, from += shift / 4, shift ^= 4)
            put_quad(quad, together, palette, (uint32_t)*from >> shift, 1);
    } else {
#pragma GCC unroll 1
        for (uint32_t i = 0; i < quads; i++, quad += step, next += 2) {
            const uint32_t places = (uint32_t)from[i / 2] >> i % 2 * 4;
            const uint32_t word = (uint32_t)next[0] << 8 * (places & 3) ^ (uint32_t)next[1] << 8 * (places >> 2 & 3);
            put_word(quad, together, word ^ 0x80808080);
        }
    }
#pragma GCC unroll 1
    for (uint32_t tap = taps; tap % 4; tap++) put_tap(to, tap, together, 128);
    return next;
}

/* Unpack filters that run together, from number `first` on, and return where the next ones begin. Beyond
   the last one the last is repeated: nobody reads what comes of it. */
const uint8_t *tm_unpack(const tm_packed *packed, const uint8_t *from, uint32_t first, uint32_t filters, uint32_t taps,
                         uint32_t together, uint8_t *to) {
    const uint8_t *next = from;
#pragma GCC unroll 1
    for (uint32_t i = 0; i < together; i++) {
        const uint8_t *palette = packed->palettes;
        if (first < filters) from = next;
        if (packed->apart) palette += (first < filters ? first : filters - 1) * packed->apart;
        next = unpack(packed->bits, from, palette, taps, together, FILTER_AT(to, i));
        first++;
    }
    return next;
}
