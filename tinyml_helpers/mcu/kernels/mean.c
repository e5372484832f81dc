#include "arithmetic.h"
#include "kernels.h"

void tm_mean_of(const tm_mean *layer, const int8_t *input, int8_t *output) {
    for (int32_t i = 0; i < layer->outer; i++, input += layer->reduced * layer->inner) {
        for (int32_t j = 0; j < layer->inner; j++) {
            const int8_t *from = input + j;
            int32_t sum = -layer->input_zero_point * layer->reduced;
            for (int32_t k = 0; k < layer->reduced; k++, from += layer->inner) sum += *from;
            sum = scale_sum(sum, layer->multiplier, layer->shift) + layer->output_zero_point;
            *output++ = (int8_t)clamp(sum, -128, 127);
        }
    }
}
