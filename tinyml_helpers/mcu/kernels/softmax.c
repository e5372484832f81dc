/* Softmax in fixed point. e^-d is read from a table made when the code was generated: there are
   only 256 differences d between two int8. */
#include "kernels.h"
#include "reciprocal.h"

void tm_softmax(const int32_t *exponentials, uint32_t known, const int8_t *input, int8_t *output,
                uint32_t rows, uint32_t columns) {
    for (; rows; rows--, input += columns, output += columns) {
        int32_t largest = -128, sum = 0;
        for (uint32_t i = 0; i < columns; i++) largest = input[i] > largest ? input[i] : largest;
        for (uint32_t i = 0; i < columns; i++) {
            const uint32_t below = (uint32_t)(largest - input[i]);
            if (below < known) sum += rounding_shift(exponentials[below], 12);
        }
        const int32_t zeros = __builtin_clz((uint32_t)sum);
        const int32_t inverse = one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
        for (uint32_t i = 0; i < columns; i++) {
            const uint32_t below = (uint32_t)(largest - input[i]);
            int32_t share = 0;
            if (below < known)
                share = rounding_shift(doubling_high_mul(inverse, exponentials[below]), 12 - zeros + 23);
            output[i] = (int8_t)clamp(share - 128, -128, 127);
        }
    }
}
