/* Runs the self-test and one inference, and writes a line of JSON about them. */
#include "${name}_board.h"

#include "${name}.h"
#include "${name}_cycles.h"
#include "${name}_self_test.h"

enum { STACK = ${stack_room}, FILL = 0xA5 };
${outputs}
static char line[300 + sizeof "${name}"];
static uint32_t length, at, wrong_bytes;
static volatile int filling;

static void text(const char *from) {
    while (*from) line[length++] = *from++;
}

static void number(const char *key, uint32_t value) {
    char digits[10];
    int count = 0;
    text(key);
    do {
        digits[count++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value);
    while (count) line[length++] = digits[--count];
}

/* Fills the stack below its caller, or says how much of that was used since. */
static __attribute__((noinline)) uint32_t stack_below(void) {
    uint8_t area[STACK];
    uint32_t kept = 0;
    __asm__ volatile("" : "=m"(area));
    if (filling) {
        for (uint32_t i = 0; i < STACK; i++) area[i] = FILL;
    } else {
        while (kept < STACK && area[kept] == FILL) kept++;
    }
    __asm__ volatile("" : : "m"(area));
    return STACK - kept;
}

static void compare(const int8_t *output, uint32_t bytes) {
    for (; bytes; bytes--) wrong_bytes += *output++ != expected[at++];
}

const char *${name}_board_line(void) {
    uint32_t first, taken;
    ${again}
    const uint32_t wrong_checks = ${name}_self_test(&first);
    length = at = wrong_bytes = 0;
    ${reset}
    ${name}_fill_inputs();
    filling = 1;
    (void)stack_below();
    start_cycles();
    taken = cycles_now();
    (void)${name}_run();
    taken = cycles_now() - taken;
    filling = 0;
    const uint32_t used = stack_below();
    ${compare}
    text("{\"tinyml\":1,\"name\":\"${name}\",\"model\":\"${model}\",\"device\":\"${device_key}\",\"kit\":\"${kit}\"");
    number(",\"checks\":", ${NAME}_CHECKS);
    number(",\"wrong_checks\":", wrong_checks);
    number(",\"bytes\":", at);
    number(",\"wrong_bytes\":", wrong_bytes);
    number(",\"cycles\":", taken);
    text(",\"counter\":\"" CYCLE_COUNTER "\"");
    number(",\"stack_bytes\":", used);
    text("}");
    line[length] = 0;
    return line;
}
