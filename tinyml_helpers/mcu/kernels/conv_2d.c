/* Convolution, two pixels by two filters at a time.

   With DSP instructions, four products a pixel and filter cost two SMLAD and one half UXTB16:
   a word of weights holds bytes (b3, u2, b1, u0), where u = b + 128 is unsigned. Read as two
   int16 it is (256 b3 + u2, 256 b1 + u0). Two multiplications give 256 times the exact sum:

       (256 b3 + u2) o3      + (256 b1 + u0) o1          with odd inputs  o = x - 127
     + u2 (256 x2 - o3)      + u0 (256 x0 - o1)          with even inputs
     = 256 (b3 o3 + b1 o1 + u2 x2 + u0 x0)

   so one UXTB16 replaces two SXTB16. 256 x - o fits 16 bits exactly, because o is at most 0. The
   offsets 127 and 128 are taken back in the bias, and by the sum of the even inputs of a pixel.

   Without, two bytes of each are read as unsigned, x + 128, because an unsigned load has an
   offset on every core; the sum of a pixel's inputs takes the 128 of the weights back. */
#include "arithmetic.h"
#include "kernels.h"

/* Copy the part of the image under the window, rows one after another. */
static void gather(const tm_conv *layer, const int8_t *input, int32_t y, int32_t x, uint8_t *to) {
    const tm_window *w = &layer->window;
    const int32_t channels = w->input_channels, columns = w->kernel_width;
    const int32_t right = x + (columns - 1) * w->dilation_width;
    const int whole = w->dilation_width == 1 && x >= 0 && right < w->input_width;
    for (int32_t row = 0; row < w->kernel_height; row++, y += w->dilation_height) {
        const int inside = y >= 0 && y < w->input_height;
        for (int32_t column = 0; column < columns;) {
            const int32_t at = x + column * w->dilation_width;
            int32_t count = whole ? channels * columns : channels;
            column += whole ? columns : 1;
            if (inside && at >= 0 && at < w->input_width) {
                const int8_t *from = input + (y * w->input_width + at) * channels;
                for (; count >= 4; count -= 4, from += 4, to += 4) __builtin_memcpy(to, from, 4);
                while (count-- > 0) *to++ = (uint8_t)*from++;
            } else {
                while (count-- > 0) *to++ = (uint8_t)layer->input_zero_point;
            }
        }
    }
}

#ifdef TINYML_DSP
#define PIXEL(columns, i) ((columns) + 2 * (i)) /* pairs of words, alternating */

/* Write one pixel's inputs as (256 x - o, o) pairs, every other pair of words; return 256 times
   the sum of its even inputs. */
static uint32_t expand(const uint8_t *from, uint32_t quads, uint32_t *to) {
    int32_t sum = 0;
    do {
        const uint32_t x = load_word(from);
        const uint32_t odd = ssub16(sxtb16(rotate8(x)), 0x007F007F);
        const uint32_t even = x << 8 & 0xFF00FF00;
        to[0] = ssub16(even, odd);
        to[1] = odd;
        sum = smlad(even, 0x00010001, sum);
        from += 4;
        to += 4;
    } while (--quads);
    return (uint32_t)sum;
}

/* Add the products of two filters (a, b) and two pixels (0, 1) to 256 times their sums. */
static inline const uint32_t *multiply(const uint32_t *weights, const uint32_t *pixels, uint32_t quads,
                                       int32_t sums[4]) {
    int32_t a0 = sums[0], a1 = sums[1], b0 = sums[2], b1 = sums[3];
#ifdef __ARM_FEATURE_DSP
    uint32_t a, b;
#define QUAD                                  \
    "ldm %[pixels]!, {r8, r9, r10, r11}\n\t"  \
    "ldrd %[a], %[b], [%[weights]], #8\n\t"   \
    "smlad %[a0], %[a], r9, %[a0]\n\t"        \
    "smlad %[a1], %[a], r11, %[a1]\n\t"       \
    "uxtb16 %[a], %[a]\n\t"                   \
    "smlad %[b0], %[b], r9, %[b0]\n\t"        \
    "smlad %[b1], %[b], r11, %[b1]\n\t"       \
    "uxtb16 %[b], %[b]\n\t"                   \
    "smlad %[a0], %[a], r8, %[a0]\n\t"        \
    "smlad %[a1], %[a], r10, %[a1]\n\t"       \
    "smlad %[b0], %[b], r8, %[b0]\n\t"        \
    "smlad %[b1], %[b], r10, %[b1]\n\t"
    __asm__("adds %[quads], #1\n\t"
            "lsrs %[quads], #1\n\t"
            "bcc 2f\n" /* an odd number starts in the middle */
            "1:\n\t" QUAD
            "2:\n\t" QUAD
            "subs %[quads], #1\n\t"
            "bne 1b"
            : [a0] "+&r"(a0), [a1] "+&r"(a1), [b0] "+&r"(b0), [b1] "+&r"(b1), [a] "=&r"(a), [b] "=&r"(b),
              [weights] "+&r"(weights), [pixels] "+&r"(pixels), [quads] "+&l"(quads)
            :
            : "r8", "r9", "r10", "r11", "cc", "memory");
#else
    for (; quads; quads--, pixels += 4, weights += 2) {
        const uint32_t a = weights[0], b = weights[1], even_a = a & 0x00FF00FF, even_b = b & 0x00FF00FF;
        a0 = smlad(even_a, pixels[0], smlad(a, pixels[1], a0));
        a1 = smlad(even_a, pixels[2], smlad(a, pixels[3], a1));
        b0 = smlad(even_b, pixels[0], smlad(b, pixels[1], b0));
        b1 = smlad(even_b, pixels[2], smlad(b, pixels[3], b1));
    }
#endif
    sums[0] = a0 >> 7, sums[1] = a1 >> 7, sums[2] = b0 >> 7, sums[3] = b1 >> 7;
    return weights;
}
#else
#define PIXEL(columns, i) ((uint32_t *)((uint8_t *)(columns) + (i))) /* bytes, alternating */

/* Write one pixel's inputs as x + 128, every other byte; return their sum. */
static uint32_t expand(const uint8_t *from, uint32_t quads, uint32_t *columns) {
    uint8_t *to = (uint8_t *)columns;
    uint32_t sum = 0;
    for (quads *= 4; quads; quads--, to += 2) sum += *to = *from++ ^ 0x80;
    return sum;
}

/* Add the products of two filters (a, b) and two pixels (0, 1) to their sums. */
static inline const uint32_t *multiply(const uint32_t *weights, const uint32_t *pixels, uint32_t quads,
                                       int32_t sums[4]) {
    const uint8_t *w = (const uint8_t *)weights, *x = (const uint8_t *)pixels;
    const uint8_t *end = x + 8 * quads;
    int32_t a0 = sums[0], a1 = sums[1], b0 = sums[2], b1 = sums[3];
    do {
        for (int32_t i = 0; i < 8; i += 2) {
            a0 += w[i] * x[i], a1 += w[i] * x[i + 1];
            b0 += w[i + 1] * x[i], b1 += w[i + 1] * x[i + 1];
        }
        w += 8, x += 8;
    } while (x != end);
    sums[0] = 2 * a0, sums[1] = 2 * a1, sums[2] = 2 * b0, sums[3] = 2 * b1;
    return (const uint32_t *)w;
}
#endif

void tm_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch) {
    const tm_window *w = &layer->window;
    const uint32_t pixels = (uint32_t)w->output_height * w->output_width, channels = w->output_channels;
    const uint32_t taps = (uint32_t)w->kernel_height * w->kernel_width * w->input_channels;
    const uint32_t quads = (taps + 3) / 4;
    const int direct = taps == w->input_channels && taps % 4 == 0 && w->stride_height == 1 &&
                       w->stride_width == 1 && w->output_height == w->input_height &&
                       w->output_width == w->input_width;
    const int32_t half = 2 * layer->output_zero_point + 1;
    uint32_t *columns = scratch;
    uint8_t *window = (uint8_t *)(columns + 4 * quads);
    int32_t y = 0, x = 0;
    for (uint32_t i = 0; i < 4; i++) window[4 * quads - 4 + i] = 0;
    for (uint32_t pixel = 0; pixel < pixels; pixel += 2, output += 2 * channels) {
        const int one = pixel + 1 == pixels;
        uint32_t correction[2] = {0, 0};
        for (int32_t i = 0; i < 2 - one; i++) {
            const uint8_t *from = window;
            if (direct) {
                from = (const uint8_t *)input + (pixel + (uint32_t)i) * taps;
            } else {
                gather(layer, input, y - w->padding_top, x - w->padding_left, window);
                if ((x += w->stride_width) == w->stride_width * w->output_width) x = 0, y += w->stride_height;
            }
            correction[i] = -128 * expand(from, quads, PIXEL(columns, i));
        }
        const uint32_t *weights = layer->weights;
        const tm_channel *channel = layer->channels;
        int8_t *to = output;
        for (uint32_t left = channels; left; channel += 2, to += 2) {
            const uint32_t a = (uint32_t)channel[0].bias, b = (uint32_t)channel[1].bias;
            int32_t sums[4] = {(int32_t)(a + correction[0]), (int32_t)(a + correction[1]),
                               (int32_t)(b + correction[0]), (int32_t)(b + correction[1])};
            weights = multiply(weights, columns, quads, sums);
            int32_t shift = channel[0].shift, multiplier = channel[0].multiplier;
            int32_t offset = (int32_t)((uint32_t)half << (shift - 1));
            to[0] = (int8_t)requantize(sums[0], multiplier, offset, shift);
            if (!one) to[channels] = (int8_t)requantize(sums[1], multiplier, offset, shift);
            if (--left == 0) break;
            shift = channel[1].shift, multiplier = channel[1].multiplier;
            offset = (int32_t)((uint32_t)half << (shift - 1));
            to[1] = (int8_t)requantize(sums[2], multiplier, offset, shift);
            if (!one) to[channels + 1] = (int8_t)requantize(sums[3], multiplier, offset, shift);
            left--;
        }
    }
}
