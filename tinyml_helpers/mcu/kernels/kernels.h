/* Kernels of int8 networks, equal to TensorFlow Lite's reference kernels in every byte.
   All images are height x width x channels, one image at a time. */
#ifndef TINYML_KERNELS_H
#define TINYML_KERNELS_H
#include <stdint.h>

#ifdef __cplusplus
#define _Alignas(bytes) __attribute__((aligned(bytes)))
#ifndef _Static_assert
#define _Static_assert static_assert
#endif
/* Fields without a value are 0, as in C, whose compilers do not speak of it. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
extern "C" {
#endif

/* What follows the sum of one output channel: (sum * multiplier) / 2^31 / 2^shift. */
typedef struct {
    int32_t bias;       /* with the input's zero point folded in */
    int32_t multiplier; /* 2^30 to 2^31 - 1 */
    int32_t shift;      /* rounding shift to the right; the fast kernels want 1 to 22, less 1 */
} tm_channel;

/* A window that moves over an image. */
typedef struct {
    uint16_t input_height, input_width, input_channels;
    uint16_t output_height, output_width, output_channels;
    uint16_t kernel_height, kernel_width;
    uint16_t stride_height, stride_width;
    uint16_t dilation_height, dilation_width;
    uint16_t padding_top, padding_left;
} tm_window;

typedef struct {
    tm_window window;
    int16_t input_zero_point, output_zero_point;
    int16_t output_min, output_max; /* of the fused activation */
    uint16_t groups;                /* only tm_conv_2d_general knows more than one */
    const void *weights;
    const tm_channel *channels;
} tm_conv;

/* A convolution or dense layer of int16; how its sums are rounded. */
enum { TINYML_SHORT_FACTORS, TINYML_TWICE, TINYML_ONCE };
typedef struct {
    tm_window window;
    int16_t output_min, output_max;
    uint16_t groups;
    uint16_t rounding;
    const int8_t *weights;
    const int64_t *bias;
    const int32_t *multipliers, *shifts;
} tm_conv_int16;

typedef struct {
    uint16_t rows, inputs, outputs;
    int16_t input_zero_point; /* only tm_fully_connected_general reads it */
    int16_t output_zero_point, output_min, output_max;
    const void *weights;
    const tm_channel *channels;
} tm_dense;

/* Weights in fewer bits. Each filter begins with a byte of its own and holds the index of one weight
   after another, the first in the lowest bits. What an index stands for is in a palette, plus 128.
   With 8 bits, a filter holds the places of two weights among each four, two bits each, and behind them the two
   weights of each four; the others are zero. */
typedef struct {
    uint16_t bits;  /* of an index: 1, 2 or 4; or 8 */
    uint16_t apart; /* from the palette of a filter to that of the next; 0: they share one */
    const uint8_t *palettes;
} tm_packed;

/* Room for a tm_conv in working memory, before weights that are unpacked there. */
#define TM_CONV_BYTES 64u

typedef struct {
    tm_window window;
    int16_t output_min, output_max;
} tm_pool;

/* Sum or product of two arrays of up to four dimensions; a step of 0 repeats a dimension. */
typedef struct {
    uint16_t shape[4];
    uint16_t step_a[4], step_b[4];
    int16_t zero_point_a, zero_point_b, output_zero_point, output_min, output_max;
    int8_t shift_a, shift_b, shift; /* to the right; negative: to the left */
    int32_t multiplier_a, multiplier_b, multiplier;
} tm_pairs;

/* A change of scale, with a factor of its own for what lies below zero. */
typedef struct {
    int16_t input_zero_point, output_zero_point, output_min, output_max;
    int32_t multiplier, shift, multiplier_below, shift_below;
} tm_rescaling;

/* A choice between two arrays by a third; a step of 0 repeats a dimension. */
typedef struct {
    uint16_t shape[4];
    uint16_t step_chosen[4], step_a[4], step_b[4];
} tm_choice;

/* The mean over the middle of three dimensions. */
typedef struct {
    uint16_t outer, reduced, inner;
    int16_t input_zero_point, output_zero_point;
    int32_t multiplier, shift;
} tm_mean;

/* Sum, mean or largest over any dimensions: an output for each place in `kept`, over all in `reduced`. */
typedef struct {
    uint16_t kept[3], reduced[3];
    int32_t kept_step[3], reduced_step[3];
    int16_t input_zero_point, output_zero_point;
    int32_t multiplier, shift;
} tm_reduction;

/* The product of two matrices, both computed: output[row][column] = sum over i of a[row][i] b[i][column]. */
typedef struct {
    uint16_t rows, inner, columns;
    uint16_t a_row, a_inner, b_inner, b_column; /* steps */
    int16_t zero_point_a, zero_point_b, output_zero_point, output_min, output_max;
    int32_t multiplier, shift;
    uint16_t once; /* rounds once, as a fully connected layer does */
} tm_matrices;

/* Rows or columns between which an image is interpolated: share / 1024 of `high`, the rest of `low`. */
typedef struct {
    uint16_t low, high;
    int16_t share;
} tm_between;

typedef struct {
    uint16_t height, width, input_width, channels; /* height and width of the output */
    const tm_between *rows, *columns;
} tm_resize;

/* The logarithm of a softmax: differences to the largest on a scale of 5 integer bits, and back. */
typedef struct {
    int32_t multiplier, shift, back_multiplier, back_shift;
    int32_t least; /* below it e^difference is 0 */
} tm_log_softmax_scales;

/* A layer of rank-1 filters in time: each feature is a weighted sum of the inputs, and is remembered
   for `memory` runs; each unit is the weighted sum of what `rank` features were. */
typedef struct {
    uint16_t inputs, filters, memory, rank;
    int16_t input_zero_point, output_zero_point;
    int32_t feature_multiplier, feature_shift, multiplier, shift;
    const int8_t *features;
    const int16_t *times;
    const int32_t *bias; /* one for each unit */
} tm_svdf_filters;

/* What one gate of a long short-term memory adds up, [0] over the inputs, [1] over the last answers;
   zero points are folded into biases. */
typedef struct {
    const int8_t *weights, *recurrent;
    const int32_t *bias, *recurrent_bias;
    int32_t multiplier[2], shift[2];
} tm_lstm_gate;

typedef struct {
    uint16_t times, inputs, units;
    int16_t cell_bits, cell_clip; /* integer bits of the cell; its largest value, or 0 */
    int16_t output_zero_point;
    int32_t multiplier, shift;
    const tm_lstm_gate *gates; /* input, forget, candidate, output */
} tm_lstm_layer;

/* A part of an array of four dimensions, moved into a part of another. */
typedef struct {
    uint16_t shape[4];
    int32_t from_step[4], to_step[4];
    int32_t from, to;
} tm_move;

void tm_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_conv_2d_tiled(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch, uint32_t tile);
void tm_conv_2d_general(const tm_conv *layer, const int8_t *input, int8_t *output);
void tm_conv_2d_packed(const tm_conv *layer, const tm_packed *packed, const int8_t *input, int8_t *output,
                       void *scratch, uint32_t tile);
void tm_conv_2d_blocks(const tm_conv *layer, const uint8_t *steps, const int8_t *input, int8_t *output, void *scratch,
                       uint32_t tile);
const uint8_t *tm_unpack(const tm_packed *packed, const uint8_t *from, uint32_t first, uint32_t filters, uint32_t taps,
                         uint32_t together, uint8_t *to);
void tm_depthwise_unpack(const tm_conv *layer, const tm_packed *packed, uint32_t taps, void *scratch);
void tm_depthwise_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_3x3(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_3x3_by_2(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_5(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_5_by_2(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_7(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_7_by_2(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_channels(const tm_conv *layer, const int8_t *input, int8_t *output);
void tm_fully_connected(const tm_dense *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_fully_connected_general(const tm_dense *layer, const int8_t *input, int8_t *output);
void tm_fully_connected_packed(const tm_dense *layer, const tm_packed *packed, const int8_t *input,
                               int8_t *output, void *scratch);
void tm_fully_connected_blocks(const tm_dense *layer, const uint8_t *steps, const int8_t *input, int8_t *output,
                               void *scratch);
void tm_average_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output);
void tm_max_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output);
void tm_mean_of(const tm_mean *layer, const int8_t *input, int8_t *output);
void tm_add(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_add_general(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_mul(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_sub(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_squared_difference(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_prelu(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_div(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_maximum(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_minimum(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_greater(const tm_pairs *layer, const int8_t *a, const int8_t *b, uint8_t *output);
void tm_equal(const tm_pairs *layer, const int8_t *a, const int8_t *b, uint8_t *output);
void tm_select(const tm_choice *layer, const uint8_t *chosen, const int8_t *a, const int8_t *b,
               int8_t *output);
void tm_reduce_mean(const tm_reduction *layer, const int8_t *input, int8_t *output);
void tm_reduce_sum(const tm_reduction *layer, const int8_t *input, int8_t *output);
void tm_reduce_max(const tm_reduction *layer, const int8_t *input, int8_t *output);
void tm_reduce_min(const tm_reduction *layer, const int8_t *input, int8_t *output);
void tm_multiply(const tm_matrices *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_transpose_conv(const tm_conv *layer, const int8_t *input, int8_t *output);
void tm_resize_nearest(const tm_resize *layer, const int8_t *input, int8_t *output);
void tm_resize_bilinear(const tm_resize *layer, const int8_t *input, int8_t *output);
void tm_arg_max(int32_t sign, uint32_t count, uint32_t step, const int8_t *input, int32_t *output,
                uint32_t outer, uint32_t words);
void tm_gather(uint32_t outer, uint32_t size, uint32_t bytes, uint32_t count, const int8_t *input,
               const int32_t *indices, int8_t *output);
void tm_log_softmax(const tm_log_softmax_scales *scales, const int32_t *exponentials, uint32_t known,
                    const int8_t *input, int8_t *output, uint32_t rows, uint32_t columns);
void tm_svdf(const tm_svdf_filters *layer, const int8_t *input, int16_t *state, int8_t *output);
void tm_lstm(const tm_lstm_layer *layer, const int8_t *input, int8_t *state, int16_t *cell, int8_t *output);
void tm_lookup(const int8_t table[256], const int8_t *input, int8_t *output, uint32_t count);
void tm_softmax(const int32_t *exponentials, uint32_t known, const int8_t *input, int8_t *output,
                uint32_t rows, uint32_t columns);
void tm_clamp(int32_t low, int32_t high, int8_t *values, uint32_t count);
void tm_pad(const tm_move *part, int8_t value, uint32_t count, const int8_t *input, int8_t *output);
void tm_copy(const tm_move *part, const int8_t *input, int8_t *output);
void tm_quantize(float scale, int32_t zero_point, const float *input, int8_t *output, uint32_t count);
void tm_dequantize(float scale, int32_t zero_point, const int8_t *input, float *output, uint32_t count);

void tm_conv_2d_int16(const tm_conv_int16 *layer, const int16_t *input, int16_t *output);
void tm_average_pool_2d_int16(const tm_pool *layer, const int16_t *input, int16_t *output);
void tm_max_pool_2d_int16(const tm_pool *layer, const int16_t *input, int16_t *output);
void tm_mean_of_int16(const tm_mean *layer, const int16_t *input, int16_t *output);
void tm_add_int16(const tm_pairs *layer, const int16_t *a, const int16_t *b, int16_t *output);
void tm_sub_int16(const tm_pairs *layer, const int16_t *a, const int16_t *b, int16_t *output);
void tm_mul_int16(const tm_pairs *layer, const int16_t *a, const int16_t *b, int16_t *output);
void tm_rescale_int16_to_int16(const tm_rescaling *r, const int16_t *input, int16_t *output, uint32_t count);
void tm_rescale_int16_to_int8(const tm_rescaling *r, const int16_t *input, int8_t *output, uint32_t count);
void tm_rescale_int8_to_int16(const tm_rescaling *r, const int8_t *input, int16_t *output, uint32_t count);
void tm_logistic_int16(const int32_t *table, int32_t multiplier, int32_t shift, const int16_t *input,
                       int16_t *output, uint32_t count);
void tm_tanh_int16(const int32_t *table, int32_t multiplier, int32_t shift, const int16_t *input,
                   int16_t *output, uint32_t count);
void tm_softmax_int16(const int16_t *exponentials, const int16_t *reciprocals, int32_t multiplier, int32_t shift,
                      const int16_t *input, int16_t *output, uint32_t rows, uint32_t columns);

/* The conversions between four types, in casts.c. */
#define TINYML_CASTS_FROM(CAST, from, type)                                                     \
    CAST(from, type, bool, uint8_t)                                                             \
    CAST(from, type, int8, int8_t)                                                              \
    CAST(from, type, int32, int32_t)                                                            \
    CAST(from, type, float32, float)
#define TINYML_CASTS(CAST)                                                                      \
    TINYML_CASTS_FROM(CAST, bool, uint8_t)                                                      \
    TINYML_CASTS_FROM(CAST, int8, int8_t)                                                       \
    TINYML_CASTS_FROM(CAST, int32, int32_t)                                                     \
    TINYML_CASTS_FROM(CAST, float32, float)
#define TINYML_DECLARE(from, from_type, to, to_type) \
    void tm_##from##_to_##to(const from_type *input, to_type *output, uint32_t count);
TINYML_CASTS(TINYML_DECLARE)

#ifdef __cplusplus
}
#endif
#endif
