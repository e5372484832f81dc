/* Fully connected layer of which only those blocks of four weights are stored, and multiplied, that are not all
   zero. A filter: how many blocks there are, in two bytes, and for each block how far it lies behind the one
   before. */
#include "four_filters.h"

#ifdef TINYML_DSP
enum { BLOCK_WORDS = 2 };
static inline int32_t add_block(uint32_t weights, const uint32_t *x, int32_t sum) {
    return smlad(sxtb16(weights), x[0], smlad(weights, x[1], sum));
}
#define DOUBLED(sum) ((sum) >> 7)
#else
enum { BLOCK_WORDS = 1 };
static inline int32_t add_block(uint32_t weights, const uint32_t *words, int32_t sum) {
    const uint8_t *x = (const uint8_t *)words;
    for (uint32_t i = 0; i < 4; i++) sum += (int8_t)(weights >> 8 * i) * x[i];
    return sum;
}
#define DOUBLED(sum) (2 * (sum))
#endif

void tm_fully_connected_blocks(const tm_dense *layer, const uint8_t *steps, const int8_t *input, int8_t *output,
                               void *scratch) {
    const uint32_t half = 2u * (uint32_t)layer->output_zero_point + 1;
    uint32_t *const expanded = (uint32_t *)scratch;
    for (uint32_t row = 0; row < layer->rows; row++, input += layer->inputs) {
        const uint8_t *step = steps;
        const uint32_t *word = (const uint32_t *)layer->weights;
        expand(input, layer->inputs, expanded);
        for (uint32_t i = 0; i < layer->outputs; i++) {
            const tm_channel *c = layer->channels + i;
            const uint32_t *x = expanded;
            const uint8_t *const end = step + 2 + (step[0] | (uint32_t)step[1] << 8);
            int32_t sum = c->bias;
            for (step += 2; step != end; step++) {
                x += BLOCK_WORDS * *step;
                sum = add_block(*word++, x, sum);
            }
            *output++ = (int8_t)requantize_once(DOUBLED(sum), c->multiplier, (int32_t)(half << c->shift), c->shift);
        }
    }
}
