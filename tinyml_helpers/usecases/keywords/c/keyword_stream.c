/* Words in a stream: the last WIDTH scores are averaged, the best word that reaches the threshold is
   reported, and the next one SILENT windows later at the earliest. Scores are bytes of a softmax,
   (byte + 128) / 256; the last classes are no words. */
#include "keyword_stream.h"
#include "micro_frontend.h"
#include "stream_tables.h"

static uint8_t scores[WIDTH][CLASSES];
static uint32_t next, silent;

void keyword_hop(const int16_t *samples, int8_t *input) {
    for (int i = 0; i < HOP; i++, samples += STEP) frontend_push(samples);
    frontend_input(input);
}

int32_t keyword_word(const int8_t *output) {
    uint32_t most = 0;
    int32_t best = 0;
    for (int c = 0; c < CLASSES; c++) {
        scores[next][c] = (uint8_t)(output[c] + 128);
        uint32_t total = 0;
        for (int i = 0; i < WIDTH; i++) total += scores[i][c];
        if (total > most) most = total, best = c;
    }
    next = next + 1 == WIDTH ? 0 : next + 1;
    if (silent) silent--;
    if (silent || best >= WORDS || most < LEAST_TOTAL) return -1;
    silent = SILENT;
    return best;
}
