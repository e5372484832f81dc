/* Around the tiny detector: pixels in, and how many objects of each class lie in the picture.

   A cell is the centre of an object if its best class reaches the threshold, and none of its eight
   neighbours is better. That takes the place of decoding boxes and suppressing rivals. */
#include <stdint.h>

#include "peaks_sizes.h"

void peaks_pixels(const uint8_t *samples, int8_t *input) {
    for (int i = 0; i < PEAKS_PIXELS; i++) input[i] = (int8_t)(samples[i] - 128);
}

/* The class that a cell scores best; the first of equal ones. */
static int best_class(const int8_t *cell) {
    int best = 0;
    for (int i = 1; i < PEAKS_CLASSES; i++)
        if (cell[PEAKS_CODES + i] > cell[PEAKS_CODES + best]) best = i;
    return best;
}

static const int8_t *cell_at(const int8_t *output, int y, int x) {
    return output + (y * PEAKS_CELLS + x) * (PEAKS_CODES + PEAKS_CLASSES);
}

static int best_score(const int8_t *cell) { return cell[PEAKS_CODES + best_class(cell)]; }

static int is_peak(const int8_t *output, int y, int x) {
    int mine = best_score(cell_at(output, y, x));
    if (mine < PEAKS_THRESHOLD) return 0;
    for (int v = y - 1; v <= y + 1; v++)
        for (int u = x - 1; u <= x + 1; u++) {
            if (v < 0 || u < 0 || v >= PEAKS_CELLS || u >= PEAKS_CELLS) continue;
            int other = best_score(cell_at(output, v, u));
            /* Of two equal neighbours the first in the picture stands for both. */
            int earlier = v < y || (v == y && u < x);
            if (other > mine || (other == mine && earlier)) return 0;
        }
    return 1;
}

/* Six bits for each class, the first class lowest. */
int32_t peaks_count(const int8_t *output) {
    uint32_t counts = 0;
    for (int y = 0; y < PEAKS_CELLS; y++)
        for (int x = 0; x < PEAKS_CELLS; x++)
            if (is_peak(output, y, x)) counts += 1u << (6 * best_class(cell_at(output, y, x)));
    return (int32_t)counts;
}
