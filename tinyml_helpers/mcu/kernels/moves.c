/* Everything that changes bytes one by one, or only moves them. */
#include "arithmetic.h"
#include "kernels.h"

void tm_lookup(const int8_t table[256], const int8_t *input, int8_t *output, uint32_t count) {
    for (; count; count--) *output++ = table[128 + *input++];
}

void tm_clamp(int32_t low, int32_t high, int8_t *values, uint32_t count) {
    for (; count; count--, values++) *values = (int8_t)clamp(*values, low, high);
}

void tm_copy(const tm_move *part, const int8_t *input, int8_t *output) {
    input += part->from, output += part->to;
    for (int32_t i = 0; i < part->shape[0]; i++)
        for (int32_t j = 0; j < part->shape[1]; j++)
            for (int32_t k = 0; k < part->shape[2]; k++) {
                const int8_t *from =
                    input + i * part->from_step[0] + j * part->from_step[1] + k * part->from_step[2];
                int8_t *to = output + i * part->to_step[0] + j * part->to_step[1] + k * part->to_step[2];
                int32_t left = part->shape[3];
                if (part->from_step[3] == 1) /* neighbours: four at a time */
                    for (; left >= 4; left -= 4, from += 4, to += 4) __builtin_memcpy(to, from, 4);
                for (; left > 0; left--, from += part->from_step[3]) *to++ = *from;
            }
}

void tm_pad(const tm_move *part, int8_t value, uint32_t count, const int8_t *input, int8_t *output) {
    for (uint32_t i = 0; i < count; i++) output[i] = value;
    tm_copy(part, input, output);
}

/* Halves away from zero, then saturated; a value that is no number becomes the zero point. */
void tm_quantize(float scale, int32_t zero_point, const float *input, int8_t *output, uint32_t count) {
    for (; count; count--) {
        const float steps = *input++ / scale;
        int32_t rounded = 0;
        if (steps > 1024.0f || steps < -1024.0f) {
            rounded = steps > 0.0f ? 1024 : -1024;
        } else if (steps == steps) {
            rounded = (int32_t)steps;
            const float rest = steps - (float)rounded;
            rounded += (rest >= 0.5f) - (rest <= -0.5f);
        }
        *output++ = (int8_t)clamp(rounded + zero_point, -128, 127);
    }
}

void tm_dequantize(float scale, int32_t zero_point, const int8_t *input, float *output, uint32_t count) {
    for (; count; count--) *output++ = scale * (float)(*input++ - zero_point);
}
