/* The product of two matrices neither of which is known before. */
#include "arithmetic.h"
#include "kernels.h"

void tm_multiply(const tm_matrices *m, const int8_t *a, const int8_t *b, int8_t *output) {
    for (int32_t row = 0; row < m->rows; row++, a += m->a_row) {
        for (int32_t column = 0; column < m->columns; column++) {
            const int8_t *from_a = a, *from_b = b + column * m->b_column;
            int32_t sum = 0;
            for (int32_t i = 0; i < m->inner; i++, from_a += m->a_inner, from_b += m->b_inner)
                sum += (*from_a - m->zero_point_a) * (*from_b - m->zero_point_b);
            sum = m->once ? scale_once(sum, m->multiplier, m->shift) : scale_by(sum, m->multiplier, m->shift);
            *output++ = (int8_t)clamp(sum + m->output_zero_point, m->output_min, m->output_max);
        }
    }
}
