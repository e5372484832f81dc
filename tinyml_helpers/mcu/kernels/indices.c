/* Where the largest value stands, and values from places that are computed. */
#include "arithmetic.h"
#include "kernels.h"

/* The first of the largest (sign 1) or smallest (-1) of `count` values, `step` apart; `words` is 2 for
   answers of 64 bits. */
void tm_arg_max(int32_t sign, uint32_t count, uint32_t step, const int8_t *input, int32_t *output,
                uint32_t outer, uint32_t words) {
    for (uint32_t i = 0; i < outer; i++, input += count * step)
        for (uint32_t j = 0; j < step; j++) {
            int32_t best = 0;
            for (uint32_t k = 1; k < count; k++)
                if (input[k * step + j] * sign > input[(uint32_t)best * step + j] * sign) best = (int32_t)k;
            *output++ = best;
            if (words == 2) *output++ = 0;
        }
}

/* An index beyond the ends takes the nearest that is there. */
void tm_gather(uint32_t outer, uint32_t size, uint32_t bytes, uint32_t count, const int8_t *input,
               const int32_t *indices, int8_t *output) {
    for (uint32_t i = 0; i < outer; i++, input += size * bytes)
        for (uint32_t j = 0; j < count; j++) {
            const int8_t *from = input + (uint32_t)clamp(indices[j], 0, (int32_t)size - 1) * bytes;
            for (uint32_t k = 0; k < bytes; k++) *output++ = from[k];
        }
}
