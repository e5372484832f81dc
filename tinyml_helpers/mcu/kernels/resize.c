/* An image of another size: the nearest pixels, or what lies between four of them. */
#include "kernels.h"

void tm_resize_nearest(const tm_resize *r, const int8_t *input, int8_t *output) {
    for (int32_t y = 0; y < r->height; y++) {
        const int8_t *row = input + r->rows[y].low * r->input_width * r->channels;
        for (int32_t x = 0; x < r->width; x++) {
            const int8_t *from = row + r->columns[x].low * r->channels;
            for (int32_t i = 0; i < r->channels; i++) *output++ = from[i];
        }
    }
}

void tm_resize_bilinear(const tm_resize *r, const int8_t *input, int8_t *output) {
    const int32_t pitch = r->input_width * r->channels;
    for (int32_t y = 0; y < r->height; y++) {
        const int8_t *above = input + r->rows[y].low * pitch, *below = input + r->rows[y].high * pitch;
        const int32_t down = r->rows[y].share, up = 1024 - down;
        for (int32_t x = 0; x < r->width; x++) {
            const tm_between *c = r->columns + x;
            const int32_t left = c->low * r->channels, right = c->high * r->channels;
            for (int32_t i = 0; i < r->channels; i++) {
                const int32_t first = above[left + i] * up + below[left + i] * down;
                const int32_t second = above[right + i] * up + below[right + i] * down;
                const int32_t sum = first * (1024 - c->share) + second * c->share;
                *output++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
        }
    }
}
