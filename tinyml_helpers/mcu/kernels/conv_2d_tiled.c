/* Convolution over a tile of up to 32 pixels by two filters at a time: each weight is read from flash
   once for a tile, not once for two pixels. The two filters wait in RAM while they run over the tile.
   For cores with DSP instructions; see conv_2d.c for the arithmetic. */
#include "columns.h"

enum { MOST_PIXELS = 32 };

/* What two filters need to run over a tile. The order of the fields counts: see run(). */
typedef struct {
    const uint32_t *filters;
    void *entry; /* used by run() */
    uint32_t quads;
    const uint32_t *columns; /* for each two pixels: their corrections, and their inputs */
    int32_t bias[2];
    struct {
        int32_t multiplier, offset, shift;
    } scales[2];
    int8_t *to[2];
    uint32_t step; /* from two pixels of the output to the next two */
    const uint32_t *end;
} job;

#ifdef __ARM_FEATURE_DSP
#define REQUANTIZE(sum, multiplier, offset, shift)                   \
    "asr " sum ", " sum ", #7\n\t"                                   \
    "smmlar r11, " sum ", " multiplier ", " offset "\n\t"            \
    "add " sum ", r11, " sum ", asr #31\n\t"                         \
    "asr " sum ", " sum ", " shift "\n\t"                            \
    "ssat " sum ", #8, " sum ", asr #1\n\t"

/* As run() of conv_2d.c, but over pairs of pixels: r0 to r3 are the sums of filter a and pixels 0, 1,
   and of filter b; r6 runs through the weights, r7 through the pixels; r14 is the job. */
__attribute__((naked)) static void run(job *j) {
    __asm__ volatile(
        "push {r4-r11, lr}\n\t"
        "mov lr, r0\n\t"
        "ldr r1, [lr, #8]\n\t" /* the loop runs four quads a turn and is entered in its middle */
        "rsb r2, r1, #0\n\t"
        "and r2, r2, #3\n\t"
        "adr.w r3, 3f\n\t"
        "add r2, r2, r2, lsl #1\n\t"
        "add r3, r3, r2, lsl #4\n\t" /* a quad has 48 bytes of code */
        "add r3, r3, #1\n\t"
        "add r1, r1, #3\n\t"
        "lsr r1, r1, #2\n\t"
        "str r3, [lr, #4]\n\t"
        "str r1, [lr, #8]\n\t"
        "ldr r7, [lr, #12]\n"
        "2:\n\t"
        "ldm lr, {r6, r10, r12}\n\t"
        "ldm r7!, {r8, r9}\n\t"
        "ldrd r4, r5, [lr, #16]\n\t"
        "add r0, r4, r8\n\t"
        "add r1, r4, r9\n\t"
        "add r2, r5, r8\n\t"
        "add r3, r5, r9\n\t"
        "bx r10\n\t"
        ".p2align 2\n"
        "3:\n\t" QUAD QUAD QUAD QUAD
        "subs r12, r12, #1\n\t"
        "bne 3b\n\t"
        "add r12, lr, #24\n\t"
        "ldm r12, {r4, r5, r6, r8, r9, r10}\n\t"
        REQUANTIZE("r0", "r4", "r5", "r6") REQUANTIZE("r1", "r4", "r5", "r6")
        REQUANTIZE("r2", "r8", "r9", "r10") REQUANTIZE("r3", "r8", "r9", "r10")
        "bfi r0, r2, #8, #8\n\t"
        "bfi r1, r3, #8, #8\n\t"
        "ldrd r4, r5, [lr, #48]\n\t"
        "ldrd r6, r8, [lr, #56]\n\t"
        "strh r1, [r5]\n\t" /* pixel 1 first: if there is none, it goes where pixel 0 goes */
        "strh r0, [r4]\n\t"
        "add r4, r4, r6\n\t"
        "add r5, r5, r6\n\t"
        "strd r4, r5, [lr, #48]\n\t"
        "cmp r7, r8\n\t"
        "bne 2b\n\t"
        "pop {r4-r11, pc}");
}

/* Four quads of both filters at a time. */
static void fetch(uint32_t *to, const uint32_t *from, uint32_t quads) {
    for (; quads >= 4; quads -= 4)
        __asm__ volatile(
            "ldm %[from]!, {r4, r5, r6, r8, r9, r10, r11, r12}\n\t"
            "stm %[to]!, {r4, r5, r6, r8, r9, r10, r11, r12}"
            : [from] "+r"(from), [to] "+r"(to)
            :
            : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "memory");
#pragma GCC unroll 1
    for (quads *= 2; quads; quads--) *to++ = *from++;
}
#else
static void run(job *j) {
    for (const uint32_t *columns = j->columns; columns != j->end; columns += 2 + 4 * j->quads) {
        int8_t bytes[2][2];
        for (int32_t i = 0; i < 4; i++) {
            const uint32_t *w = j->filters + i / 2, *x = columns + 2 + 2 * (i % 2);
            uint32_t sum = (uint32_t)j->bias[i / 2] + columns[i % 2];
            for (uint32_t left = j->quads; left; left--, x += 4, w += 2)
                sum = (uint32_t)smlad(*w & 0x00FF00FF, x[0], smlad(*w, x[1], (int32_t)sum));
            bytes[i % 2][i / 2] = (int8_t)requantize((int32_t)sum >> 7, j->scales[i / 2].multiplier,
                                                     j->scales[i / 2].offset, j->scales[i / 2].shift);
        }
        for (int32_t i = 1; i >= 0; i--) {
            j->to[i][0] = bytes[i][0], j->to[i][1] = bytes[i][1];
            j->to[i] += j->step;
        }
    }
}

static void fetch(uint32_t *to, const uint32_t *from, uint32_t quads) {
    for (quads *= 2; quads; quads--) *to++ = *from++;
}
#endif

/* Two filters over the pixels that wait in the columns; `apart` bytes lie between outputs of neighbours. */
static void run_over(job *j, const uint32_t *columns, uint32_t pixels, int8_t *to, uint32_t apart) {
    const uint32_t quads = j->quads, words = 2 + 4 * quads;
    j->columns = columns, j->step = 2 * apart;
    j->to[0] = to, j->to[1] = to + apart, j->end = columns + pixels / 2 * words;
    if (pixels > 1) run(j);
    if (pixels % 2) {
        j->quads = quads, j->columns = columns + pixels / 2 * words;
        j->to[0] = j->to[1] = to + (pixels - 1) * apart, j->end = j->columns + words;
        run(j);
    }
    j->quads = quads;
}

/* All filters over a tile. An odd last filter has a partner in the tables, whose answers are thrown away. */
static void filter(const tm_conv *layer, job *j, uint32_t *filters, const uint32_t *columns, uint32_t pixels,
                   int8_t *to) {
    const uint32_t channels = layer->window.output_channels, half = 2u * (uint32_t)layer->output_zero_point + 1;
    const uint32_t *weights = layer->weights;
    const tm_channel *c = layer->channels;
    j->filters = filters;
    for (uint32_t i = 0; i < channels; i += 2, weights += 2 * j->quads, c += 2) {
        int8_t last[2 * MOST_PIXELS];
        const int odd = i + 1 == channels;
        fetch(filters, weights, j->quads);
        for (int32_t k = 0; k < 2; k++) {
            j->bias[k] = c[k].bias;
            j->scales[k].multiplier = c[k].multiplier, j->scales[k].shift = c[k].shift;
            j->scales[k].offset = (int32_t)(half << c[k].shift);
        }
        run_over(j, columns, pixels, odd ? last : to + i, odd ? 2 : channels);
#pragma GCC unroll 1
        for (uint32_t k = 0; odd && k < pixels; k++) to[i + k * channels] = last[2 * k];
    }
}

void tm_conv_2d_tiled(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch, uint32_t tile) {
    const tm_window *w = &layer->window;
    const uint32_t all = (uint32_t)w->output_height * w->output_width;
    walk place = start_walk(layer, input);
    const uint32_t words = 2 + 4 * place.quads;
    uint32_t *const filters = scratch, *const columns = filters + 2 * place.quads;
    place.window = (uint8_t *)(columns + tile / 2 * words);
    job j = {.quads = place.quads};
    for (uint32_t pixel = 0; pixel < all; pixel += tile) {
        const uint32_t pixels = all - pixel < tile ? all - pixel : tile;
        for (uint32_t i = 0; i < pixels; i++) {
            uint32_t *const pair = columns + i / 2 * words;
            pair[i % 2] = next_pixel(&place, PIXEL(pair + 2, i % 2));
        }
        filter(layer, &j, filters, columns, pixels, output + pixel * w->output_channels);
    }
}
