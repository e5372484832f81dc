/* From raw samples of a watch to the input of a network, and from its outputs to an answer.

   Everything is done in integers of 32 bits, so that every processor gives the same bytes. A shift
   to the right of a negative number rounds down, as every compiler for Cortex-M has it. */
#include "motion.h"

static int8_t kept[MOTION_VOTES][MOTION_CLASSES];
static int32_t next, count;

/* Two samples of one axis as one, mirrored if the watch is on the right arm. */
static int32_t pair(const int16_t *samples, int step, int axis) {
    const int16_t *at = samples + 12 * step + axis;
    return motion_sign[axis] * (at[0] + at[6]);
}

/* One axis of a window: at half the rate, and without its slow part if it is of the accelerometer. */
void motion_axis(const int16_t *samples, int axis, int32_t *values) {
    int32_t sum = 0;
    for (int step = 0; step < MOTION_STEPS; step++) sum += values[step] = pair(samples, step, axis);
    if (axis >= 3) return;
    /* The low-pass starts at the mean of the window, and keeps 8 bits more than its input. */
    int32_t slow = sum * 256 / MOTION_STEPS;
    for (int step = 0; step < MOTION_STEPS; step++) {
        slow += ((values[step] * 256 - slow) * MOTION_SLOW_SHARE) >> 8;
        values[step] -= slow >> 8;
    }
}

/* 4 s of raw samples, x y z of the accelerometer and x y z of the gyroscope at 50 Hz, to int8. */
void motion_features(const int16_t *samples, int8_t *input) {
    int32_t values[MOTION_STEPS];
    for (int axis = 0; axis < 6; axis++) {
        motion_axis(samples, axis, values);
        for (int step = 0; step < MOTION_STEPS; step++) {
            int32_t scaled = values[step] * motion_gain[axis] + (1 << (MOTION_SHIFT - 1));
            scaled = (scaled >> MOTION_SHIFT) + MOTION_ZERO_POINT;
            input[6 * step + axis] = (int8_t)(scaled < -128 ? -128 : scaled > 127 ? 127 : scaled);
        }
    }
}

/* The class with the largest sum over the last windows, or -1 where it hardly leads. */
int32_t motion_vote(const int8_t *output) {
    int32_t best = 0, first = INT32_MIN, second = INT32_MIN;
    __builtin_memcpy(kept[next], output, MOTION_CLASSES);
    next = (next + 1) % MOTION_VOTES;
    if (count < MOTION_VOTES) count++;
    for (int kind = 0; kind < MOTION_CLASSES; kind++) {
        int32_t sum = 0;
        for (int i = 0; i < count; i++) sum += kept[i][kind];
        if (sum > first) {
            second = first;
            first = sum;
            best = kind;
        } else if (sum > second) {
            second = sum;
        }
    }
    return first - second < MOTION_MARGIN * count ? -1 : best;
}

/* The arm rests: what was seen before the rest has no vote after it. */
void motion_forget(void) { next = count = 0; }
