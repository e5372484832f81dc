/* Convolution, two pixels by two filters at a time; over larger images three pixels: see tile.h.

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
#include "columns.h"

/* What the inner loops work on. The order of the fields counts: see run(). */
typedef struct {
    uint32_t *columns; /* two pixels */
    uint32_t quads;    /* four inputs of a pixel each */
    void *entry;       /* used by run() */
    uint32_t correction[2];
    const tm_channel *channel;
    uint32_t half; /* 2 zero_point + 1 */
    int8_t *to[2];
    const uint32_t *weights;
    int8_t *end;
} job;

#ifdef TINYML_DSP
#ifdef __ARM_FEATURE_DSP
#define REQUANTIZE(sum, to)          \
    "asr " sum ", " sum ", #7\n\t"   \
    SCALE("r10", sum, "r8", "r4")    \
    "asr r10, r10, r9\n\t"           \
    "ssat r10, #8, r10, asr #1\n\t"  \
    "strb r10, [" to "], #1\n\t"

/* Every pair of filters over one pair of pixels: r0 to r3 are the sums of filters a, b and pixels
   0, 1; r6 runs through the weights, r7 through the pixels; r14 is the job. Compilers keep half of
   this in memory. Pixel 1 is stored first: if there is none, it is stored where pixel 0 goes. */
NAKED static void run(job *j UNNAMED) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "mov lr, r0\n\t"
        "ldr r6, [lr, #36]\n\t"
        "ldr r1, [lr, #4]\n\t" /* the loop runs four quads a turn and is entered in its middle */
        "rsb r2, r1, #0\n\t"
        "and r2, r2, #3\n\t"
        "adr.w r3, 3f\n\t"
        "add r2, r2, r2, lsl #1\n\t"
        "add r3, r3, r2, lsl #4\n\t" /* a quad has 48 bytes of code */
        "add r3, r3, #1\n\t"
        "add r1, r1, #3\n\t"
        "lsr r1, r1, #2\n\t"
        "strd r1, r3, [lr, #4]\n"
        "2:\n\t"
        "ldm lr, {r7, r12}\n\t"
        "ldrd r8, r9, [lr, #12]\n\t"
        "ldrd r4, r5, [lr, #20]\n\t"
        "ldr r10, [lr, #8]\n\t"
        "ldr r0, [r4]\n\t"
        "ldr r2, [r4, #12]\n\t"
        "add r1, r0, r9\n\t"
        "add r0, r0, r8\n\t"
        "add r3, r2, r9\n\t"
        "add r2, r2, r8\n\t"
        "bx r10\n\t"
        ".p2align 2\n"
        "3:\n\t" QUAD QUAD QUAD QUAD
        "subs r12, r12, #1\n\t"
        "bne 3b\n\t"
        "ldrd r7, r5, [lr, #20]\n\t" /* channel, half */
        "ldrd r12, r11, [lr, #28]\n\t" /* out0, out1 */
        "ldrd r8, r9, [r7, #4]\n\t"
        "lsl r4, r5, r9\n\t" REQUANTIZE("r1", "r11") REQUANTIZE("r0", "r12")
        "ldrd r8, r9, [r7, #16]\n\t"
        "lsl r4, r5, r9\n\t" REQUANTIZE("r3", "r11") REQUANTIZE("r2", "r12")
        "add r7, r7, #24\n\t"
        "str r7, [lr, #20]\n\t"
        "strd r12, r11, [lr, #28]\n\t"
        "ldr r4, [lr, #40]\n\t"
        "cmp r12, r4\n\t"
        "bne 2b\n\t"
        "str r6, [lr, #36]\n\t"
        "pop {r4-r11, pc}");
}
#else
static void run(job *j) {
    for (; j->to[0] != j->end; j->channel += 2) {
        const tm_channel *c = j->channel;
        uint32_t sums[2][2];
        for (int32_t i = 0; i < 4; i++) sums[i / 2][i % 2] = (uint32_t)c[i / 2].bias + j->correction[i % 2];
        const uint32_t *pixels = j->columns;
        for (uint32_t left = j->quads; left; left--, pixels += 4, j->weights += 2)
            for (int32_t i = 0; i < 4; i++) {
                const uint32_t w = j->weights[i / 2], *x = pixels + i % 2;
                const int32_t sum = smlad(w, x[0], (int32_t)sums[i / 2][i % 2]);
                sums[i / 2][i % 2] = (uint32_t)smlad(w & 0x00FF00FF, x[2], sum);
            }
        for (int32_t i = 3; i >= 0; i--) {
            const tm_channel *of = c + i / 2;
            const int32_t offset = (int32_t)(j->half << of->shift);
            const int32_t sum = (int32_t)sums[i / 2][i % 2] >> 7;
            j->to[i % 2][i / 2] = (int8_t)requantize(sum, of->multiplier, offset, of->shift);
        }
        j->to[0] += 2, j->to[1] += 2;
    }
}
#endif
#else
#include "tile.h"

static void run(job *j) {
    const uint8_t *w = (const uint8_t *)j->weights;
    const uint8_t *x = (const uint8_t *)j->columns;
    for (; j->to[0] != j->end; j->channel += 2, w += 8 * j->quads) {
        const tm_channel *c = j->channel;
        int32_t sums[4];
        for (int32_t i = 0; i < 4; i++) sums[i] = (int32_t)((uint32_t)c[i / 2].bias + j->correction[i % 2]);
        multiply(w, x, x + 8 * j->quads, sums);
        for (int32_t i = 3; i >= 0; i--) {
            const tm_channel *of = c + i / 2;
            const int32_t offset = (int32_t)(j->half << of->shift);
            j->to[i % 2][i / 2] = (int8_t)requantize(2 * sums[i], of->multiplier, offset, of->shift);
        }
        j->to[0] += 2, j->to[1] += 2;
    }
    j->weights = (const uint32_t *)w;
}
#endif

/* All filters over the pixels that wait in the job's columns. An odd last filter has a partner in
   the tables, whose answers are thrown away. */
static void filter(const tm_conv *layer, job *j, int8_t *to, uint32_t one) {
    const uint32_t channels = layer->window.output_channels, quads = j->quads;
    int8_t last[4];
    j->weights = (const uint32_t *)layer->weights, j->channel = layer->channels;
    j->to[0] = to, j->to[1] = one ? to : to + channels, j->end = to + (channels & ~1u);
    if (channels > 1) run(j);
    if (channels & 1) {
        j->quads = quads;
        j->to[0] = last, j->to[1] = last + 2, j->end = last + 2;
        run(j);
        to[channels - 1] = last[0];
        if (!one) to[2 * channels - 1] = last[2];
    }
    j->quads = quads;
}

void tm_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch) {
    const tm_window *w = &layer->window;
    const uint32_t pixels = (uint32_t)w->output_height * w->output_width;
    walk place = start_walk(layer, input, expand_two);
    job j = {.columns = (uint32_t *)scratch, .quads = place.quads, .half = 2u * (uint32_t)layer->output_zero_point + 1};
    place.window = (uint8_t *)(j.columns + QUAD_WORDS * place.quads);
    for (uint32_t pixel = 0; pixel < pixels; pixel += 2) {
        const uint32_t one = pixel + 1 == pixels;
        for (uint32_t i = 0; i < 2 - one; i++) j.correction[i] = next_pixel(&place, PIXEL(j.columns, i));
        filter(layer, &j, output + pixel * w->output_channels, one);
    }
}

#ifdef TINYML_DSP
/* Convolution over a tile of up to 30 pixels, three by two filters at a time: each weight is read from
   flash once for a tile, where the tile is worth it that two filters are copied to RAM, or for three
   pixels. For cores with DSP instructions. */
#include "tile.h"

enum { LEAST_COPIED = 9 };

void tm_conv_2d_tiled(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch, uint32_t tile) {
    const tm_window *w = &layer->window;
    const uint32_t all = (uint32_t)w->output_height * w->output_width;
    walk place = start_walk(layer, input, expand_three);
    uint32_t *const copy = tile < LEAST_COPIED ? 0 : (uint32_t *)scratch;
    uint32_t *const columns = (uint32_t *)scratch + (copy ? 2 * place.quads : 0);
    place.window = (uint8_t *)(columns + tile / TOGETHER * TILE_WORDS(place.quads));
    for (uint32_t pixel = 0; pixel < all; pixel += tile) {
        const uint32_t pixels = all - pixel < tile ? all - pixel : tile;
        gather_tile(&place, columns, pixels);
        run_filters(layer, (const uint32_t *)layer->weights, copy, 0, w->output_channels, columns,
                    place.quads, pixels, output + pixel * w->output_channels);
    }
}
#endif
