/* Half a second of vibration becomes the input of an autoencoder; its output becomes a score.

   A frame of FRAME samples is windowed and transformed (float, so best on a core with an FPU); the
   energies of BANDS bands go to a logarithm. Of each band remain the mean over all frames and the
   standard deviation. Every frame reuses the same kilobytes: the segment itself is read, not copied.
   The tables come from Python: see tinyml_helpers/usecases/anomaly/firmware.py. */
#include <stdint.h>

#include "vibration_tables.h"

#define HALF (FRAME / 2)

static float re[HALF + 1], im[HALF + 1]; /* one more: the transform repeats itself */
static float first[BANDS], sum[BANDS], squares[BANDS];
static int8_t seen[2 * BANDS]; /* what the network was given; its own copy is overwritten */

/* Logarithm to base 2 of a positive number: the exponent, and a series for what remains. */
static float log_2(float x) {
    int32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    /* Take out the power of two that leaves a number between sqrt(1/2) and sqrt(2). */
    const int32_t power = (bits - 0x3f3504f3) >> 23;
    bits -= power * (1 << 23);
    __builtin_memcpy(&x, &bits, 4);
    const float t = (x - 1.0f) / (x + 1.0f), t2 = t * t;
    /* log2 x = 2 / ln 2 (t + t^3/3 + t^5/5 + t^7/7 ...) */
    return (float)power + t * (2.88539008f + t2 * (0.96179669f + t2 * (0.57707802f + t2 * 0.41219859f)));
}

/* Even samples are taken for real parts and odd ones for imaginary, in bit-reversed order. */
static void load(const int16_t *samples, float mean) {
    for (int i = 0; i < HALF; i++) {
        const int to = reversed[i];
        re[to] = ((float)samples[2 * i] - mean) * window[2 * i];
        im[to] = ((float)samples[2 * i + 1] - mean) * window[2 * i + 1];
    }
}

/* Fast Fourier transform of HALF complex numbers, in place: Cooley and Tukey. The first two rounds
   turn by quarters of a circle only, which needs no multiplication; they are done together. */
static void transform(void) {
    for (int i = 0; i < HALF; i += 4) {
        float *const r = re + i, *const m = im + i;
        const float a_re = r[0] + r[1], b_re = r[0] - r[1], c_re = r[2] + r[3], d_re = r[2] - r[3];
        const float a_im = m[0] + m[1], b_im = m[0] - m[1], c_im = m[2] + m[3], d_im = m[2] - m[3];
        r[0] = a_re + c_re, r[2] = a_re - c_re, r[1] = b_re + d_im, r[3] = b_re - d_im;
        m[0] = a_im + c_im, m[2] = a_im - c_im, m[1] = b_im - d_re, m[3] = b_im + d_re;
    }
    for (int width = 4; width < HALF; width *= 2) {
        const int step = HALF / width; /* through the circle's tables */
        for (int block = 0; block < HALF; block += 2 * width) {
            float *p_re = re + block, *p_im = im + block;
            const float *c = cosine, *s = sine;
            for (int k = 0; k < width; k++, c += step, s += step, p_re++, p_im++) {
                const float x = p_re[width], y = p_im[width];
                const float a = *c * x + *s * y, b = *c * y - *s * x;
                p_re[width] = *p_re - a;
                p_im[width] = *p_im - b;
                *p_re += a;
                *p_im += b;
            }
        }
    }
    re[HALF] = re[0];
    im[HALF] = im[0];
}

/* Four times the energy at bin k of the real signal: undo the packing of even and odd. */
static float power(int k) {
    const float even_re = re[k] + re[HALF - k], even_im = im[k] - im[HALF - k];
    const float odd_re = im[k] + im[HALF - k], odd_im = re[HALF - k] - re[k];
    const float a = even_re + cosine[k] * odd_re + sine[k] * odd_im;
    const float b = even_im + cosine[k] * odd_im - sine[k] * odd_re;
    return a * a + b * b;
}

static void add_frame(int frame) {
    for (int band = 0; band < BANDS; band++) {
        float energy = 0.0f;
        for (int k = edges[band]; k < edges[band + 1]; k++) energy += power(k);
        const float level = log_2(0.25f * energy + 1.0f);
        if (frame == 0) first[band] = level, sum[band] = squares[band] = 0.0f;
        const float away = level - first[band]; /* small numbers: their squares stay exact */
        sum[band] += away;
        squares[band] += away * away;
    }
}

static float root(float x) {
    if (x <= 1e-12f) return 0.0f;
#if defined(__ARM_FP)
    float out;
    __asm__("vsqrt.f32 %0, %1" : "=t"(out) : "t"(x));
    return out;
#else
    float out = x > 1.0f ? x : 1.0f; /* Newton's method, from above */
    for (int i = 0; i < 24; i++) out = 0.5f * (out + x / out);
    return out;
#endif
}

/* As QUANTIZE: halves away from zero, then the zero point. `x + 0.5f` would lift the float below a half. */
static int8_t stored(float steps) {
    if (steps > 256.0f) return 127;
    if (steps < -256.0f) return -128;
    int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole;
    whole += (rest >= 0.5f) - (rest <= -0.5f) + INPUT_ZERO;
    return (int8_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
}

void vibration_features(const int16_t *samples, int8_t *input) {
    int32_t total = 0;
    for (int i = 0; i < SAMPLES; i++) total += samples[i];
    const float mean = (float)((total + SAMPLES / 2) >> SAMPLES_LOG2);
    for (int frame = 0; frame < FRAMES; frame++) {
        load(samples + frame * HOP, mean);
        transform();
        add_frame(frame);
    }
    for (int band = 0; band < BANDS; band++) {
        const float away = sum[band] / FRAMES, square = squares[band] / FRAMES;
        const float mean_and_swing[2] = {first[band] + away, root(square - away * away)};
        for (int part = 0; part < 2; part++) {
            const int i = part * BANDS + band;
            input[i] = seen[i] = stored(mean_and_swing[part] * factor[i] + offset[i]);
        }
    }
}

/* How badly the network rebuilt its input: the mean of squares, each in its own unit, in thousandths. */
int32_t vibration_score(const int8_t *output) {
    float total = 0.0f;
    for (int i = 0; i < 2 * BANDS; i++) {
        const float in = INPUT_SCALE * (float)(seen[i] - INPUT_ZERO);
        const float out = OUTPUT_SCALE * (float)(output[i] - OUTPUT_ZERO);
        total += (in - out) * (in - out) * weight[i];
    }
    return (int32_t)(1000.0f * total + 0.5f);
}
