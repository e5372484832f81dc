/* Runs ${name} on inputs that every core makes alike, and sums up what each layer leaves. */
#include "${name}_self_test.h"

#include "${name}.h"
${include}
static uint32_t state; /* of Marsaglia's xorshift */
static void (*report)(uint32_t sum);
static uint32_t checks, wrong, first_wrong;

static int8_t draw(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (int8_t)((int32_t)(state >> 24) - 128);
}

void ${name}_fill_inputs(uint32_t seed) {
    state = 2463534242u + 0x9E3779B9u * seed;
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

void ${name}_sums(void (*each)(uint32_t sum)) {
    report = each;
    ${reset}
    for (uint32_t seed = 0; seed < ${NAME}_SEEDS; seed++) {
        ${name}_fill_inputs(seed);
        ${name}_invoke_watched(look);
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
