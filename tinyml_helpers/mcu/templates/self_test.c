/* Runs ${name} on inputs that every core makes alike, and sums up what each layer leaves. */
#include "${name}_self_test.h"

#include "${name}.h"
#include "arithmetic.h"
${include}
static uint32_t state; /* of Marsaglia's xorshift */
static void (*report)(uint32_t sum);
static int32_t spread;
static uint32_t checks, wrong, first_wrong;

static uint32_t draw(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state >> 24;
}

/* Values around a zero point, within a part of the range: too large ones would all end at its limits. */
static void give(void *input, uint32_t bytes, int32_t zero_point) {
    int8_t *to = (int8_t *)input;
    for (; bytes; bytes--) {
        const int32_t value = zero_point + ((int32_t)draw() - 128) / spread;
        *to++ = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
    }
}

static void start(uint32_t seed) {
    state = 2463534242u + 0x9E3779B9u * seed;
    spread = 1 << seed % 4;
}

void ${name}_fill_inputs(void) {
    start(0);
    ${fill}
}

int32_t ${name}_run(void) {
    ${run}
}

/* FNV-1a. */
static void look(const void *output, uint32_t bytes) {
    const uint8_t *at = (const uint8_t *)output;
    uint32_t sum = 2166136261u;
    for (; bytes; bytes--) sum = (sum ^ *at++) * 16777619u;
    report(sum);
}

/* What the kernels' rounding makes of halves, which a network seldom meets. */
static void look_at_halves(void) {
    int8_t found[96];
    for (int32_t i = 0; i < 32; i++) {
        const int32_t value = i - 16, shift = i % 3, offset = 1 << shift;
        found[i] = (int8_t)requantize(4 * value, 1 << 30, offset, shift);
        found[i + 32] = (int8_t)requantize_once(2 * value, 1 << 30, offset, shift);
        found[i + 64] = (int8_t)scale_by(value, 1 << 30, shift);
    }
    look(found, sizeof found);
}

void ${name}_sums(void (*each)(uint32_t sum)) {
    report = each;
    ${name}_look_at_constants(look);
    look_at_halves();
    ${reset}
    for (uint32_t seed = 0; seed < ${NAME}_SEEDS; seed++) {
        start(seed);
        ${name}_invoke_watched(give, look);
    }
    ${once}
}

static void compare(uint32_t sum) {
    if (checks == ${NAME}_CHECKS || sum != ${name}_expected[checks]) {
        if (!wrong) first_wrong = checks;
        wrong++;
    }
    checks++;
}

uint32_t ${name}_self_test(uint32_t *first) {
    checks = wrong = first_wrong = 0;
    ${name}_sums(compare);
    *first = first_wrong;
    return wrong;
}
