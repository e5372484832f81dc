/* Runs the self-test, then the network once, and counts cycles.
   Give printf a place to go on your board: semihosting, a serial port or ITM. */
#include <stdint.h>
#include <stdio.h>

#include "${name}.h"
#include "${name}_self_test.h"

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__)
#define DEMCR (*(volatile uint32_t *)0xE000EDFC)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004)
static void start_counter(void) {
    DEMCR |= 1u << 24;
    DWT_CYCCNT = 0;
    DWT_CTRL |= 1u;
}
static uint32_t cycles(void) { return DWT_CYCCNT; }
#else /* a Cortex-M0+ has no cycle counter, and RISC-V chips differ: use a timer of your chip */
static void start_counter(void) {}
static uint32_t cycles(void) { return 0; }
#endif

volatile uint32_t wrong_checks, run_cycles;

int main(void) {
    uint32_t first;
    wrong_checks = ${name}_self_test(&first);
    ${name}_fill_inputs();
    start_counter();
    (void)${name}_run();
    run_cycles = cycles();
    for (int i = 0; i < ${NAME}_OUTPUT_COUNT; i++) printf("%d ", ${name}_output()[i]);
    printf("\nself-test: %lu wrong of %d checks, cycles: %lu\n", (unsigned long)wrong_checks, ${NAME}_CHECKS,
           (unsigned long)run_cycles);
    if (wrong_checks) printf("the first was check %lu: see ${name}_self_test.h\n", (unsigned long)first);
    return wrong_checks != 0;
}
