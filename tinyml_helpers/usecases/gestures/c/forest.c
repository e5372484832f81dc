/* Hand-made features of a window, and a random forest that votes on them.

   Sums are whole numbers of 64 bits; each feature is rounded to float once, or a quotient of such
   numbers. So every processor with IEEE floats decides alike. */
#include "forest_table.h"
#include "motion.h"

#define N MOTION_STEPS

static int32_t values[6][N];
static int64_t sums[6];
static float features[FOREST_FEATURES];

/* N * N times the covariance of two axes. */
static int64_t together(int a, int b) {
    int64_t products = 0;
    for (int step = 0; step < N; step++) products += (int64_t)values[a][step] * values[b][step];
    return N * products - sums[a] * sums[b];
}

static float *describe_axis(const int32_t *v, float *at) {
    int32_t low = v[0], high = v[0], turns = 0;
    int64_t change = 0;
    for (int step = 1; step < N; step++) {
        int32_t by = v[step] - v[step - 1];
        low = v[step] < low ? v[step] : low;
        high = v[step] > high ? v[step] : high;
        change += by < 0 ? -by : by;
        turns += (v[step] < 0) != (v[step - 1] < 0);
    }
    *at++ = (float)low;
    *at++ = (float)high;
    *at++ = (float)change;
    *at++ = (float)turns;
    return at;
}

static void describe(const int16_t *samples) {
    float spread[6], *at = features;
    for (int axis = 0; axis < 6; axis++) {
        motion_axis(samples, axis, values[axis]);
        sums[axis] = 0;
        for (int step = 0; step < N; step++) sums[axis] += values[axis][step];
        *at++ = spread[axis] = (float)together(axis, axis);
        at = describe_axis(values[axis], at);
    }
    for (int axis = 0; axis < 3; axis++) {
        int32_t rest = 0;
        for (int step = 0; step < 2 * N; step++) rest += samples[6 * step + axis];
        *at++ = (float)(motion_sign[axis] * rest);
    }
    for (int a = 0; a < 6; a++)
        for (int b = 0; b < a; b++) {
            float c = (float)together(a, b), scale = spread[a] * spread[b];
            *at++ = scale > 0 ? c * (c < 0 ? -c : c) / scale : 0;
        }
}

/* The class that most trees name. */
int32_t forest_classify(const int16_t *samples) {
    int32_t votes[MOTION_CLASSES] = {0}, best = 0;
    describe(samples);
    for (int tree = 0; tree < FOREST_TREES; tree++) {
        int node = forest_roots[tree];
        /* The left child follows its parent; a leaf holds its class in place of a right child. */
        while (forest_feature[node] >= 0) {
            int left = features[forest_feature[node]] <= forest_limit[node];
            node = left ? node + 1 : forest_right[node];
        }
        votes[forest_right[node]]++;
    }
    for (int kind = 1; kind < MOTION_CLASSES; kind++)
        if (votes[kind] > votes[best]) best = kind;
    return best;
}
