/* Words in a stream: samples in before the network, a word out after it. */
#ifndef TINYML_KEYWORD_STREAM_H
#define TINYML_KEYWORD_STREAM_H
#include <stdint.h>

/* Take the next HOP * STEP samples and write what the network sees of the last second. */
void keyword_hop(const int16_t *samples, int8_t *input);

/* The word that the scores of this and the last windows report, by its number; -1 for none. */
int32_t keyword_word(const int8_t *output);
#endif
