/* Depthwise convolution, one channel at a time: its plane is copied to int16 with its padding, then
   the filter moves over it. Because a plane is read before it is written, output may be the input.
   Without DSP instructions the plane holds x + 128 in uint8: an unsigned load has an offset on every
   core. The 128 are taken back in the bias. Each form of filter is a kernel of its own: a network
   carries those that it calls. */
#include "arithmetic.h"
#include "kernels.h"

#ifdef TINYML_DSP
typedef int16_t cell;
enum { EXTRA = 0, MOST_TURNED = 7 };
#else
typedef uint8_t cell;
enum { EXTRA = 128, MOST_TURNED = 7 };
#endif

/* What a filter needs to move over a plane. The order of the fields counts: see FILTER_3X3. */
typedef struct {
    uint32_t taps[6]; /* of a 3x3 filter: (2 k0, 2 k1), (2 k1, 2 k2) for each row */
    int32_t multiplier, offset, shift, bias;
    int32_t step;       /* bytes from one output to the next */
    const cell *end;     /* of the first of three rows, where pairs of outputs are made */
    uint32_t last_tap;  /* again */
    const cell *plane;
    int32_t pitch_bytes;          /* of a row of the plane */
    int32_t pair_bytes, rows, single; /* pairs of outputs in a row, rows, a last output or none */
    int32_t down_bytes;               /* from a row of outputs to the next, in the plane */
    int8_t *output;
    int32_t jump; /* bytes from behind a row of outputs to the next */
} job;

/* Copy one channel of an image into the middle of a padded plane. */
static __attribute__((noinline)) void gather(const tm_window *w, const int8_t *input, int32_t across, int32_t down,
                                             cell *plane, int32_t pitch) {
    const int32_t width = w->input_width, jump = down - width * across, skip = pitch - width;
    int32_t two = 2 * across, three = 3 * across;
    KEEP(two);
    KEEP(three);
    cell *to = plane + w->padding_top * pitch + w->padding_left;
#pragma GCC unroll 1
    for (int32_t y = w->input_height; y > 0; y--, input += jump, to += skip) {
#pragma GCC unroll 1
        for (int32_t left = width >> 2; left > 0; left--, input += 2 * two, to += 4) {
            const int32_t a = input[0], b = input[across], c = input[two], d = input[three];
            to[0] = (cell)(a + EXTRA), to[1] = (cell)(b + EXTRA), to[2] = (cell)(c + EXTRA), to[3] = (cell)(d + EXTRA);
        }
        if (width & 2) {
            const int32_t a = input[0], b = input[across];
            to[0] = (cell)(a + EXTRA), to[1] = (cell)(b + EXTRA);
            input += two, to += 2;
        }
        if (width & 1) *to++ = (cell)(*input + EXTRA), input += across;
    }
}

static inline int8_t finish(const job *j, int32_t doubled) {
    return (int8_t)requantize(doubled, j->multiplier, j->offset, j->shift);
}

#ifdef TINYML_DSP
static inline uint32_t pair(int32_t low_half, int32_t high_half) {
    return (uint32_t)(low_half & 0xFFFF) | (uint32_t)high_half << 16;
}

#ifdef __ARM_FEATURE_DSP
#define TWO_OUTPUTS(row, left, right)     \
    "ldrd r10, r11, [" row "], #4\n\t"    \
    "smlad r12, " left ", r10, r12\n\t"   \
    "smlabt lr, " left ", r10, lr\n\t"    \
    "smlatb r12, " right ", r11, r12\n\t" \
    "smlad lr, " right ", r11, lr\n\t"
#define TWO_OUTPUTS_BY_2(row, left, right) \
    "ldrd r10, r11, [" row "], #8\n\t"    \
    "smlad r12, " left ", r10, r12\n\t"   \
    "ldr r10, [" row "]\n\t"              \
    "smlatb r12, " right ", r11, r12\n\t" \
    "smlad lr, " left ", r11, lr\n\t"     \
    "smlatb lr, " right ", r10, lr\n\t"
#define ONE_OUTPUT(row, left, right)    \
    "ldrd r10, r11, [" row "], #4\n\t" \
    "smlad r12, " left ", r10, r12\n\t" \
    "smlatb r12, " right ", r11, r12\n\t"
#define REQUANTIZE(sum) SCALE("r9", sum, "r10", "r11")
#define STORE(address)                \
    "asr r9, r9, r12\n\t"             \
    "ssat r9, #8, r9, asr #1\n\t"     \
    "strb r9, [" address "]\n\t"

/* Two neighbouring outputs a turn, and a last one where their number is odd: r12 and r14 are twice
   the sums, r0 to r2 run through three rows of the plane, r3 through the output, r4 to r9 are the
   taps. The rest of the job is copied to the stack: multiplier 0, offset 4, shift 8, bias 12, step 16,
   end 20, last tap 24, plane 28, pitch 32, pairs 36, rows 40, single 44, down 48, jump 52. */
#define FILTER_3X3(name, TWO)                                                                  \
NAKED static void name(const job *j UNNAMED) {                                                 \
    __asm__ volatile(                                                                          \
        "push {r4-r11, lr}\n\t"                                                                \
        "sub sp, #56\n\t"                                                                      \
        "mov lr, r0\n\t"                                                                       \
        "add lr, #24\n\t"                                                                      \
        "ldm lr!, {r4-r11}\n\t"                                                                \
        "stm sp, {r4-r11}\n\t"                                                                 \
        "ldm lr, {r4-r10}\n\t"                                                                 \
        "mov r3, r9\n\t"                                                                       \
        "mov r9, r10\n\t"                                                                      \
        "add lr, sp, #32\n\t"                                                                  \
        "stm lr, {r4-r9}\n\t"                                                                  \
        "ldm r0, {r4-r9}\n"                                                                    \
        "1:\n\t" /* a row */                                                                   \
        "ldr r0, [sp, #28]\n\t"                                                                \
        "ldr r10, [sp, #32]\n\t"                                                               \
        "add r1, r0, r10\n\t"                                                                  \
        "add r2, r1, r10\n\t"                                                                  \
        "ldr r10, [sp, #48]\n\t"                                                               \
        "add r10, r0, r10\n\t"                                                                 \
        "str r10, [sp, #28]\n\t"                                                               \
        "ldr r11, [sp, #36]\n\t"                                                               \
        "add r11, r0, r11\n\t"                                                                 \
        "str r11, [sp, #20]\n\t"                                                               \
        "cmp r0, r11\n\t"                                                                      \
        "bhs 3f\n"                                                                             \
        "2:\n\t" /* two outputs */                                                             \
        "ldr r9, [sp, #24]\n\t"                                                                \
        "ldr r12, [sp, #12]\n\t"                                                               \
        "mov lr, r12\n\t" /**/                                                                 \
        TWO("r0", "r4", "r5") TWO("r1", "r6", "r7") TWO("r2", "r8", "r9")                      \
        "ldrd r10, r11, [sp]\n\t" REQUANTIZE("r12")                                            \
        "ldr r12, [sp, #8]\n\t" STORE("r3") REQUANTIZE("lr")                                   \
        "ldrd r10, r11, [sp, #16]\n\t" STORE("r3, r10")                                        \
        "add r3, r3, r10, lsl #1\n\t"                                                          \
        "cmp r0, r11\n\t"                                                                      \
        "blo 2b\n"                                                                             \
        "3:\n\t"                                                                               \
        "ldr lr, [sp, #44]\n\t"                                                                \
        "cmp lr, #0\n\t"                                                                       \
        "beq 4f\n\t"                                                                           \
        "ldr r9, [sp, #24]\n\t"                                                                \
        "ldr r12, [sp, #12]\n\t" /**/                                                          \
        ONE_OUTPUT("r0", "r4", "r5") ONE_OUTPUT("r1", "r6", "r7") ONE_OUTPUT("r2", "r8", "r9") \
        "ldrd r10, r11, [sp]\n\t" REQUANTIZE("r12")                                            \
        "ldr r12, [sp, #8]\n\t" STORE("r3")                                                    \
        "ldr r10, [sp, #16]\n\t"                                                               \
        "add r3, r3, r10\n"                                                                    \
        "4:\n\t"                                                                               \
        "ldr r10, [sp, #40]\n\t"                                                               \
        "ldr r11, [sp, #52]\n\t"                                                               \
        "add r3, r3, r11\n\t"                                                                  \
        "subs r10, #1\n\t"                                                                     \
        "str r10, [sp, #40]\n\t"                                                               \
        "bne 1b\n\t"                                                                           \
        "add sp, #56\n\t"                                                                      \
        "pop {r4-r11, pc}");                                                                   \
}

FILTER_3X3(filter_3x3, TWO_OUTPUTS)
FILTER_3X3(filter_3x3_by_2, TWO_OUTPUTS_BY_2)
#else
static int32_t sum_of_3x3(const job *j, const cell *plane, int32_t second) {
    int32_t sum = j->bias;
    for (int32_t k = 0; k < 3; k++, plane += j->pitch_bytes / 2) {
        const uint32_t left = load_word(plane), right = load_word(plane + 2);
        if (second)
            sum = smlabt(j->taps[2 * k], left, smlad(j->taps[2 * k + 1], right, sum));
        else
            sum = smlatb(j->taps[2 * k + 1], right, smlad(j->taps[2 * k], left, sum));
    }
    return sum;
}

static void filter_pairs(const job *j, int32_t stride) {
    const cell *plane = j->plane;
    int8_t *output = j->output;
    for (int32_t row = 0; row < j->rows; row++, plane += j->down_bytes / 2, output += j->jump) {
        const cell *at = plane;
        for (; at < plane + j->pair_bytes / 2; at += 2 * stride, output += 2 * j->step) {
            output[0] = finish(j, sum_of_3x3(j, at, 0));
            output[j->step] = finish(j, stride == 1 ? sum_of_3x3(j, at, 1) : sum_of_3x3(j, at + 2, 0));
        }
        if (j->single) *output = finish(j, sum_of_3x3(j, at, 0)), output += j->step;
    }
}

static void filter_3x3(const job *j) { filter_pairs(j, 1); }
static void filter_3x3_by_2(const job *j) { filter_pairs(j, 2); }
#endif

static void set_taps(job *j, const int8_t *k) {
    for (int32_t i = 0; i < 3; i++, k += 3) {
        j->taps[2 * i] = pair(2 * k[0], 2 * k[1]);
        j->taps[2 * i + 1] = pair(2 * k[1], 2 * k[2]);
    }
    j->last_tap = j->taps[5];
}

static void move_3x3(const tm_window *w, job *j, const int8_t *k) {
    (void)w;
    set_taps(j, k);
    filter_3x3(j);
}

static void move_3x3_by_2(const tm_window *w, job *j, const int8_t *k) {
    (void)w;
    set_taps(j, k);
    filter_3x3_by_2(j);
}

/* A filter of 2 n + 1 columns, two neighbouring outputs a turn. A word holds two cells. An output at
   an even cell takes n words by (k0, k1), (k2, k3) ..., and the last tap by half a word; its neighbour
   at the odd cell k0 by the other half of the first word, and n words by (k1, k2), (k3, k4) ... */
static inline __attribute__((always_inline)) void move_wide(const tm_window *w, job *j, const int8_t *k, int32_t n,
                                                            int32_t stride) {
    uint32_t taps[7 * 6], *set = taps;
    for (int32_t row = w->kernel_height; row > 0; row--, k += 2 * n + 1, set += 2 * n)
        for (int32_t i = 0; i < n; i++) {
            set[i] = pair(2 * k[2 * i], 2 * k[2 * i + 1]);
            set[n + i] = pair(2 * k[2 * i + 1], 2 * k[2 * i + 2]);
        }
    const int32_t height = w->kernel_height, width = w->output_width, step = j->step;
    const int32_t pitch = j->pitch_bytes / 2, bias = j->bias;
    const cell *plane = j->plane;
    int8_t *output = j->output;
    for (int32_t row = j->rows; row > 0; row--, plane += j->down_bytes / 2, output += j->jump) {
        const cell *at = plane;
        for (int32_t left = width; left > 0; left -= 2, at += 2 * stride) {
            int32_t one = bias, two = bias;
            const cell *from = at;
            const uint32_t *tap = taps;
#pragma GCC unroll 1
            for (int32_t i = height; i > 0; i--, from += pitch, tap += 2 * n) {
                uint32_t x = load_word(from);
                if (stride == 1) two = smlabt(tap[0], x, two);
#pragma GCC unroll 3
                for (int32_t c = 0; c < n; c++) {
                    one = smlad(tap[c], x, one);
                    x = load_word(from + 2 * c + 2);
                    two = smlad(stride == 1 ? tap[n + c] : tap[c], x, two);
                }
                one = smlatb(tap[2 * n - 1], x, one);
                if (stride == 2) two = smlatb(tap[2 * n - 1], load_word(from + 2 * n + 2), two);
            }
            *output = finish(j, one), output += step;
            if (left > 1) *output = finish(j, two), output += step;
        }
    }
}

static inline int32_t dot(const int8_t *weights, const cell *values, int32_t count, int32_t sum) {
    for (; count > 1; count -= 2, weights += 2, values += 2)
        sum = smlad(pair(weights[0], weights[1]), load_word(values), sum);
    return count ? sum + *weights * *values : sum;
}
#else
static inline int32_t dot(const int8_t *weights, const cell *values, int32_t count, int32_t sum) {
    for (; count; count--) sum += *weights++ * *values++;
    return sum;
}

static void move_3x3(const tm_window *w, job *j, const int8_t *k) {
    const int32_t k0 = k[0], k1 = k[1], k2 = k[2], k3 = k[3], k4 = k[4], k5 = k[5], k6 = k[6], k7 = k[7], k8 = k[8];
    const cell *plane = j->plane;
    int8_t *output = j->output;
    for (int32_t row = 0; row < j->rows; row++, plane += w->stride_height * j->pitch_bytes, output += j->jump) {
        const cell *a = plane, *b = a + j->pitch_bytes, *c = b + j->pitch_bytes;
        for (int32_t x = w->output_width; x > 0; x--, output += j->step) {
            int32_t sum = k0 * a[0] + k1 * a[1] + k2 * a[2];
            sum += k3 * b[0] + k4 * b[1] + k5 * b[2];
            sum += k6 * c[0] + k7 * c[1] + k8 * c[2];
            *output = finish(j, 2 * sum + j->bias);
            a += w->stride_width, b += w->stride_width, c += w->stride_width;
        }
    }
}
#endif

/* Any filter; where `width` is a constant, its taps are unrolled. */
static inline __attribute__((always_inline)) void move_by(const tm_window *w, const job *j, const int8_t *taps,
                                                          int32_t width) {
    const int32_t pitch = j->pitch_bytes / (int32_t)sizeof(cell);
    const cell *plane = j->plane;
    int8_t *output = j->output;
    for (int32_t y = 0; y < w->output_height; y++, plane += w->stride_height * pitch, output += j->jump) {
        const cell *start = plane;
        for (int32_t x = 0; x < w->output_width; x++, start += w->stride_width, output += j->step) {
            const int8_t *weights = taps;
            const cell *row = start;
            int32_t sum = 0;
            for (int32_t i = 0; i < w->kernel_height; i++, row += pitch, weights += width)
                sum = dot(weights, row, width, sum);
            *output = finish(j, 2 * sum + j->bias);
        }
    }
}

#ifndef TINYML_DSP
#define move_wide(w, j, k, n, stride) move_by(w, j, k, 2 * (n) + 1)
#endif

static void move_any(const tm_window *w, job *j, const int8_t *k) { move_by(w, j, k, w->kernel_width); }
static void move_5(const tm_window *w, job *j, const int8_t *k) { move_wide(w, j, k, 2, 1); }
static void move_7(const tm_window *w, job *j, const int8_t *k) { move_wide(w, j, k, 3, 1); }
#ifdef TINYML_DSP
static void move_5_by_2(const tm_window *w, job *j, const int8_t *k) { move_wide(w, j, k, 2, 2); }
static void move_7_by_2(const tm_window *w, job *j, const int8_t *k) { move_wide(w, j, k, 3, 2); }
#endif

#ifdef TINYML_DSP
#define INLINE /* the loops are functions of their own: what is around them is there once */
#else
#define INLINE inline __attribute__((always_inline))
#endif

/* The same window over an image whose rows and columns have changed places. */
static tm_window turn(const tm_window *w) {
    tm_window t = *w;
    t.input_height = w->input_width, t.input_width = w->input_height;
    t.output_height = w->output_width, t.output_width = w->output_height;
    t.padding_top = w->padding_left, t.padding_left = w->padding_top;
    return t;
}

static inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

/* Height and width of a plane. */
static inline int32_t rows_of(const tm_window *w) {
    const int32_t bottom = (w->output_height - 1) * w->stride_height + w->kernel_height;
    return most(bottom, w->padding_top + w->input_height);
}
static inline int32_t columns_of(const tm_window *w) {
    const int32_t right = (w->output_width - 1) * w->stride_width + w->kernel_width;
    return most(right, w->padding_left + w->input_width);
}

/* Channel by channel, by the filter that moves over its plane; over a narrow one along its columns, for
   a long row takes less than several short ones. */
static INLINE void convolve(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch,
                     void (*move)(const tm_window *, job *, const int8_t *)) {
    tm_window w = layer->window;
    const int32_t side = w.kernel_width, taps = w.kernel_height * side, multiplier = w.output_channels / w.input_channels;
    int32_t across = w.input_channels, down = across * w.input_width;
    int32_t step = w.output_channels, row = step * w.output_width;
    int8_t turned[MOST_TURNED * MOST_TURNED];
    const int32_t narrow = rows_of(&w) >= 2 * columns_of(&w) && w.kernel_height == side && side <= MOST_TURNED &&
                           w.stride_height == w.stride_width;
    if (narrow) {
        w = turn(&w);
        across = down, down = w.input_channels;
        step = row, row = w.output_channels;
    }
    const int32_t pitch = (columns_of(&w) + 2) & ~1;
    job j = {.step = step,
             .plane = (const cell *)scratch,
             .pitch_bytes = (int32_t)sizeof(cell) * pitch,
             .pair_bytes = w.stride_width * (int32_t)sizeof(cell) * (w.output_width & ~1),
             .rows = w.output_height,
             .single = w.output_width & 1,
             .down_bytes = w.stride_height * (int32_t)sizeof(cell) * pitch,
             .output = output,
             .jump = row - step * w.output_width};
    cell *plane = (cell *)scratch;
#pragma GCC unroll 4
    for (int32_t i = rows_of(&w) * pitch - 1; i >= 0; i--) plane[i] = (cell)(layer->input_zero_point + EXTRA);
    const int8_t *weights = (const int8_t *)layer->weights;
    const tm_channel *c = layer->channels;
    const uint32_t half = 2u * (uint32_t)layer->output_zero_point + 1;
    for (int32_t channel = 0; channel < w.output_channels; channel++, c++, j.output++, weights += taps) {
        if (channel % multiplier == 0) gather(&w, input++, across, down, plane, pitch);
        j.multiplier = c->multiplier, j.shift = c->shift, j.offset = (int32_t)(half << c->shift);
        int32_t sum = c->bias;
#pragma GCC unroll 1
        for (int32_t i = 0; i < taps; i++) sum -= EXTRA * weights[i];
        j.bias = (int32_t)((uint32_t)sum << 1);
#pragma GCC unroll 1
        for (int32_t i = narrow ? taps - 1 : -1; i >= 0; i--) turned[i] = weights[i % side * side + i / side];
        move(&w, &j, narrow ? turned : weights);
    }
}

#define KERNEL(name, move)                                                                         \
    void name(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch) {          \
        convolve(layer, input, output, scratch, move);                                             \
    }

KERNEL(tm_depthwise_conv_2d, move_any)
KERNEL(tm_depthwise_conv_2d_3x3, move_3x3)
KERNEL(tm_depthwise_conv_2d_5, move_5)
KERNEL(tm_depthwise_conv_2d_7, move_7)
#ifdef TINYML_DSP
KERNEL(tm_depthwise_conv_2d_3x3_by_2, move_3x3_by_2)
KERNEL(tm_depthwise_conv_2d_5_by_2, move_5_by_2)
KERNEL(tm_depthwise_conv_2d_7_by_2, move_7_by_2)
#endif
