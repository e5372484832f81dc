/* The audio front end of keyword spotting: 16 kHz samples in, the network's int8 input out.

   All integers, no libraries. Tables and sizes come from frontend_tables.h, which Python writes. */
#ifndef TINYML_MICRO_FRONTEND_H
#define TINYML_MICRO_FRONTEND_H
#include <stdint.h>
#include "frontend_tables.h"

/* Log-mel features of one window of WINDOW samples. */
void frontend_frame(const int16_t *samples, uint16_t *features);

/* Take the next STEP samples (20 ms); features and loudness of the last FRAMES windows are kept. */
void frontend_push(const int16_t *samples);

/* Write the network's input from what has been kept. */
void frontend_input(int8_t *input);

/* A whole clip at once, of WINDOW - STEP + FRAMES * STEP samples. */
void keyword_features(const int16_t *samples, int8_t *input);
#endif
