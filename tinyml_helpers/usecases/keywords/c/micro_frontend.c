/* The audio front end of keyword spotting, in the integers of TensorFlow Lite for Microcontrollers:
   Hann window, Fourier transform of 512 real samples in 16 bits, mel filters, square root, logarithm.
   The roundings are kissfft's and TFLM's, so that every feature is equal to theirs to the last bit. */
#include "micro_frontend.h"
#include "complex16.h"

#define POINTS 256

static stored work[POINTS];

static int bits(uint32_t value) { return value ? 32 - __builtin_clz(value) : 0; }

static number quarter(const stored *at) { return scaled(load(at), 8191, 8191); }

/* Four points, `width` apart, become their transform of length four. */
static inline void butterfly(stored *at, int width, number a, number b, number c, number d) {
    const number even = add(a, c), odd = subtract(a, c), plus = add(b, d), minus = subtract(b, d);
    store(at, add(even, plus));
    store(at + width, minus_i_times(odd, minus));
    store(at + 2 * width, subtract(even, plus));
    store(at + 3 * width, plus_i_times(odd, minus));
}

/* A quarter of a point whose halves are first shifted up. */
static inline number first_quarter(const stored *at, int32_t factor) {
    return pack(at->re * factor + (1 << 14), at->im * factor + (1 << 14));
}

/* The transform of 256 points, shifted up first, in place; they stand in digit-reversed order. */
static void transform(int shift) {
    const int32_t factor = 8191 << shift;
    for (stored *at = work; at < work + POINTS; at += 4)
        butterfly(at, 1, first_quarter(at, factor), first_quarter(at + 1, factor),
                  first_quarter(at + 2, factor), first_quarter(at + 3, factor));
    for (int width = 4; width < POINTS; width *= 4) {
        const int step = POINTS / 4 / width;
        for (int k = 0; k < width; k++) {
            const stored *turn = (const stored *)frontend_twiddles;
            const number b = load(turn + k * step), c = load(turn + 2 * k * step);
            const number d = load(turn + 3 * k * step);
            for (stored *at = work + k; at < work + POINTS; at += 4 * width)
                butterfly(at, width, quarter(at), times(quarter(at + width), b),
                          times(quarter(at + 2 * width), c), times(quarter(at + 3 * width), d));
        }
    }
}

/* Energy of bin k of the spectrum of 512 real samples, 0 < k < 256, from the transform of 256 pairs. */
static inline uint32_t energy(int k) {
    const int low = k < POINTS / 2 ? k : POINTS - k;
    const number forward = scaled(load(work + low), 16383, 16383);
    const number backward = scaled(load(work + POINTS - low), 16383, -16383);
    const number apart = subtract(forward, backward), total = add(forward, backward);
    const number turned = times(apart, load((const stored *)frontend_split + low - 1));
    if (k < POINTS / 2) return half_energy(total, turned);
    const int32_t re = (real(total) - real(turned)) >> 1, im = (imaginary(turned) - imaginary(total)) >> 1;
    return (uint32_t)(re * re) + (uint32_t)(im * im);
}

/* Square root, rounded to the nearest; 32-bit values never give more than 65,535. */
static uint32_t root(uint64_t value) {
    if (value == 0) return 0;
    const uint32_t most = value >> 32 ? 0xFFFFFFFF : 0xFFFF;
    uint64_t rest = value, result = 0;
    for (uint64_t bit = (uint64_t)1 << 62 >> (__builtin_clzll(value) & ~1); bit; bit >>= 2) {
        const uint64_t next = result + bit;
        result >>= 1;
        if (rest >= next) {
            rest -= next;
            result += bit;
        }
    }
    return (uint32_t)result + (rest > result && result != most);
}

/* 2^LOG_SHIFT times the natural logarithm, rounded. */
static uint32_t log_scaled(uint32_t value) {
    if (value < 2) return 0;
    const int whole = bits(value) - 1;
    const uint32_t below = value - (1u << whole);
    const uint32_t part = whole < 16 ? below << (16 - whole) : below >> (whole - 16);
    const int32_t low = frontend_log[part >> 9], high = frontend_log[(part >> 9) + 1];
    const int32_t between = ((high - low) * (int32_t)(part & 511)) >> 16;
    const uint32_t log2 = ((uint32_t)whole << 16) + part + (uint32_t)(low + between);
    const uint32_t natural = (uint32_t)(((uint64_t)45426 * log2 + 32768) >> 16);
    return ((natural << LOG_SHIFT) + 32768) >> 16;
}

/* Samples under the window into `work`, in digit-reversed order; returns by how many bits they may
   be shifted up. */
static int windowed(const int16_t *samples) {
    uint32_t sizes = 0;
    for (int i = 0; i < WINDOW / 2; i++) {
        const number pair = load((const stored *)samples + i);
        const number weight = load((const stored *)frontend_window + i);
        const int32_t re = real(pair) * real(weight), im = imaginary(pair) * imaginary(weight);
        const int32_t even = re >> 12, odd = im >> 12;
        sizes |= (uint32_t)(even < 0 ? -even : even) | (uint32_t)(odd < 0 ? -odd : odd);
        store(work + frontend_reversed[i], pack(re << 3, im << 3));
    }
    for (int i = WINDOW / 2; i < POINTS; i++) work[frontend_reversed[i]] = (stored){0, 0};
    return 15 - bits(sizes & 0x7FFF);
}

void frontend_frame(const int16_t *samples, uint16_t *features) {
    const int shift = windowed(samples);
    transform(shift);
    uint64_t rising = 0, falling = 0;
    for (int i = 0, channel = 0; i < BINS; i++) {
        for (; channel < frontend_channel[i]; channel++) {
            if (channel) features[channel - 1] = (uint16_t)log_scaled(root(falling) >> shift << 3);
            falling = rising;
            rising = 0;
        }
        const uint32_t e = energy(FIRST_BIN + i);
        rising += (uint64_t)e * frontend_rising[i];
        falling += (uint64_t)e * frontend_falling[i];
    }
    features[CHANNELS - 1] = (uint16_t)log_scaled(root(falling) >> shift << 3);
}

/* What the stream keeps: the samples that the next window shares with the last one, and the features
   and the loudest sample of the last FRAMES windows, in a ring. */
static int16_t recent[WINDOW];
static uint16_t kept[FRAMES][CHANNELS], peaks[FRAMES];
static uint32_t oldest;

static uint16_t loudest(const int16_t *samples, int count) {
    int32_t peak = 0;
    for (int i = 0; i < count; i++) {
        const int32_t size = samples[i] < 0 ? -samples[i] : samples[i];
        if (size > peak) peak = size;
    }
    return (uint16_t)peak;
}

void frontend_push(const int16_t *samples) {
    __builtin_memmove(recent, recent + STEP, sizeof recent - STEP * sizeof *recent);
    __builtin_memcpy(recent + WINDOW - STEP, samples, STEP * sizeof *recent);
    peaks[oldest] = loudest(recent, WINDOW);
    frontend_frame(recent, kept[oldest]);
    oldest = oldest + 1 == FRAMES ? 0 : oldest + 1;
}

void frontend_input(int8_t *input) {
    uint32_t peak = 1;
    for (int i = 0; i < FRAMES; i++)
        if (peaks[i] > peak) peak = peaks[i];
    /* A factor on all samples is a sum after the logarithm: here the level is brought to FULL_SCALE. */
    const int32_t louder = (int32_t)log_scaled(FULL_SCALE) - (int32_t)log_scaled(peak);
    for (uint32_t i = 0, frame = oldest; i < FRAMES; i++) {
        for (int c = 0; c < CHANNELS; c++) {
            const int32_t feature = kept[frame][c] ? kept[frame][c] + louder : 0;
            *input++ = frontend_inputs[feature < 0 ? 0 : feature >= INPUTS ? INPUTS - 1 : feature];
        }
        frame = frame + 1 == FRAMES ? 0 : frame + 1;
    }
}

void keyword_features(const int16_t *samples, int8_t *input) {
    for (int i = 0; i < WINDOW - STEP; i++) recent[STEP + i] = *samples++;
    for (int i = 0; i < FRAMES; i++, samples += STEP) frontend_push(samples);
    frontend_input(input);
}
