/* Runs the network once on the test input, compares every byte and counts cycles.
   Give printf a place to go on your board: semihosting, a serial port or ITM. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "${name}.h"
${include}#include "${name}_test.h"

#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__)
#define DEMCR (*(volatile uint32_t *)0xE000EDFC)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000)
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004)
static void start_counter(void) { DEMCR |= 1u << 24, DWT_CYCCNT = 0, DWT_CTRL |= 1; }
static uint32_t cycles(void) { return DWT_CYCCNT; }
#else /* a Cortex-M0+ has no cycle counter, and RISC-V chips differ: use a timer of your chip */
static void start_counter(void) {}
static uint32_t cycles(void) { return 0; }
#endif

volatile uint32_t wrong_bytes, run_cycles;

int main(void) {
    unsigned wrong = 0;
    ${fill}
    start_counter();
    ${invoke}
    run_cycles = cycles();
    ${check}
    wrong_bytes = wrong;
    for (int i = 0; i < ${NAME}_OUTPUT_COUNT; i++) printf("%d ", ${name}_output()[i]);
    printf("\nwrong bytes: %u of the self-test, cycles: %lu\n", wrong, (unsigned long)run_cycles);
    return wrong != 0;
}
