/* Sum, mean, largest and smallest over any dimensions of an array. */
#include "arithmetic.h"
#include "kernels.h"

/* For each place that is kept: `begin`, then `add` each value that is reduced, then store. */
#define FOR_EACH_KEPT(begin, add, end)                                                                \
    for (int32_t i = 0; i < layer->kept[0]; i++)                                                      \
        for (int32_t j = 0; j < layer->kept[1]; j++)                                                  \
            for (int32_t k = 0; k < layer->kept[2]; k++) {                                            \
                const int8_t *from = input + i * layer->kept_step[0] + j * layer->kept_step[1] +      \
                                     k * layer->kept_step[2];                                         \
                int32_t found = begin;                                                                \
                for (int32_t a = 0; a < layer->reduced[0]; a++)                                       \
                    for (int32_t b = 0; b < layer->reduced[1]; b++) {                                 \
                        const int8_t *at = from + a * layer->reduced_step[0] + b * layer->reduced_step[1]; \
                        for (int32_t c = 0; c < layer->reduced[2]; c++, at += layer->reduced_step[2]) \
                            found = add(found, *at);                                                  \
                    }                                                                                 \
                *output++ = (int8_t)end(layer, found);                                                \
            }

static inline int32_t plus(int32_t found, int32_t value) { return found + value; }
static inline int32_t greater(int32_t found, int32_t value) { return value > found ? value : found; }
static inline int32_t smaller(int32_t found, int32_t value) { return value < found ? value : found; }

static inline int32_t as_it_is(const tm_reduction *layer, int32_t found) {
    (void)layer;
    return found;
}

static inline int32_t centred(const tm_reduction *layer, int32_t sum) {
    return sum - layer->input_zero_point * layer->reduced[0] * layer->reduced[1] * layer->reduced[2];
}

static inline int32_t scaled(const tm_reduction *layer, int32_t sum) {
    sum = scale_by(centred(layer, sum), layer->multiplier, layer->shift);
    return clamp(sum + layer->output_zero_point, -128, 127);
}

static inline int32_t scaled_once(const tm_reduction *layer, int32_t sum) {
    sum = scale_once(centred(layer, sum), layer->multiplier, layer->shift);
    return clamp(sum + layer->output_zero_point, -128, 127);
}

void tm_reduce_mean(const tm_reduction *layer, const int8_t *input, int8_t *output) {
    FOR_EACH_KEPT(0, plus, scaled)
}

void tm_reduce_sum(const tm_reduction *layer, const int8_t *input, int8_t *output) {
    FOR_EACH_KEPT(0, plus, scaled_once)
}

void tm_reduce_max(const tm_reduction *layer, const int8_t *input, int8_t *output) {
    FOR_EACH_KEPT(-128, greater, as_it_is)
}

void tm_reduce_min(const tm_reduction *layer, const int8_t *input, int8_t *output) {
    FOR_EACH_KEPT(127, smaller, as_it_is)
}
