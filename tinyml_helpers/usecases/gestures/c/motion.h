/* What stands around a gesture network. */
#ifndef MOTION_H
#define MOTION_H

#include <stdint.h>

#include "motion_table.h"

void motion_axis(const int16_t *samples, int axis, int32_t *values);
void motion_features(const int16_t *samples, int8_t *input);
int32_t motion_vote(const int8_t *output);
void motion_forget(void);

#endif
