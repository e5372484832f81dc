/* Kernels of int8 networks, equal to TensorFlow Lite's reference kernels in every byte.
   All images are height x width x channels, one image at a time. */
#ifndef TINYML_KERNELS_H
#define TINYML_KERNELS_H
#include <stdint.h>

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

typedef struct {
    uint16_t rows, inputs, outputs;
    int16_t input_zero_point; /* only tm_fully_connected_general reads it */
    int16_t output_zero_point, output_min, output_max;
    const void *weights;
    const tm_channel *channels;
} tm_dense;

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

/* The mean over the middle of three dimensions. */
typedef struct {
    uint16_t outer, reduced, inner;
    int16_t input_zero_point, output_zero_point;
    int32_t multiplier, shift;
} tm_mean;

/* A part of an array of four dimensions, moved into a part of another. */
typedef struct {
    uint16_t shape[4];
    int32_t from_step[4], to_step[4];
    int32_t from, to;
} tm_move;

void tm_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_conv_2d_general(const tm_conv *layer, const int8_t *input, int8_t *output);
void tm_depthwise_conv_2d(const tm_conv *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_depthwise_conv_2d_channels(const tm_conv *layer, const int8_t *input, int8_t *output);
void tm_fully_connected(const tm_dense *layer, const int8_t *input, int8_t *output, void *scratch);
void tm_fully_connected_general(const tm_dense *layer, const int8_t *input, int8_t *output);
void tm_average_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output);
void tm_max_pool_2d(const tm_pool *layer, const int8_t *input, int8_t *output);
void tm_mean_of(const tm_mean *layer, const int8_t *input, int8_t *output);
void tm_add(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_mul(const tm_pairs *layer, const int8_t *a, const int8_t *b, int8_t *output);
void tm_lookup(const int8_t table[256], const int8_t *input, int8_t *output, uint32_t count);
void tm_softmax(const int32_t *exponentials, uint32_t known, const int8_t *input, int8_t *output,
                uint32_t rows, uint32_t columns);
void tm_clamp(int32_t low, int32_t high, int8_t *values, uint32_t count);
void tm_pad(const tm_move *part, int8_t value, uint32_t count, const int8_t *input, int8_t *output);
void tm_copy(const tm_move *part, const int8_t *input, int8_t *output);
void tm_quantize(float scale, int32_t zero_point, const float *input, int8_t *output, uint32_t count);
void tm_dequantize(float scale, int32_t zero_point, const int8_t *input, float *output, uint32_t count);

#endif
