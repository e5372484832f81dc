/* Convolution whose weights are stored in fewer bits, or two of four: two filters are unpacked into RAM, and run
   over a tile of up to 30 pixels there. The bytes are those of the weights in eight bits. */
#include "tile.h"

#ifndef TINYML_DSP
/* What two unpacked filters, the first of them number `i`, make of a tile. */
static void run_filters(const tm_conv *layer, const uint32_t *filters, uint32_t *copy, uint32_t i, uint32_t end,
                        const uint32_t *columns, uint32_t quads, uint32_t pixels, int8_t *to) {
    (void)copy;
    const uint32_t channels = layer->window.output_channels, half = 2u * (uint32_t)layer->output_zero_point + 1;
    for (uint32_t pixel = 0; pixel < pixels; pixel += 2, columns += TILE_WORDS(quads)) {
        const tm_channel *c = layer->channels + i;
        const uint8_t *x = (const uint8_t *)(columns + 2);
        int32_t sums[4];
        for (uint32_t k = 0; k < 4; k++) sums[k] = (int32_t)((uint32_t)c[k / 2].bias + columns[k % 2]);
        multiply((const uint8_t *)filters, x, x + 8 * quads, sums);
        for (uint32_t k = 0; k < 4; k++) {
            const tm_channel *of = c + k / 2;
            if (i + k / 2 == end || pixel + k % 2 == pixels) continue;
            to[(pixel + k % 2) * channels + i + k / 2] =
                (int8_t)requantize(2 * sums[k], of->multiplier, (int32_t)(half << of->shift), of->shift);
        }
    }
}
#endif

void tm_conv_2d_packed(const tm_conv *layer, const tm_packed *packed, const int8_t *input, int8_t *output,
                       void *scratch, uint32_t tile) {
    const tm_window *w = &layer->window;
    const uint32_t all = (uint32_t)w->output_height * w->output_width;
    walk place = start_walk(layer, input, expand_together);
    uint32_t *const filters = (uint32_t *)scratch, *const columns = filters + 2 * place.quads;
    place.window = (uint8_t *)(columns + tile / TOGETHER * TILE_WORDS(place.quads));
    for (uint32_t pixel = 0; pixel < all; pixel += tile) {
        const uint32_t pixels = all - pixel < tile ? all - pixel : tile;
        int8_t *const to = output + pixel * w->output_channels;
        gather_tile(&place, columns, pixels);
        const uint8_t *from = (const uint8_t *)layer->weights;
        for (uint32_t i = 0; i < w->output_channels; i += 2) {
            from = tm_unpack(packed, from, i, w->output_channels, place.taps, 2, (uint8_t *)filters);
            const uint32_t end = i + 2 < w->output_channels ? i + 2 : w->output_channels;
            run_filters(layer, filters, 0, i, end, columns, place.quads, pixels, to);
        }
    }
}
