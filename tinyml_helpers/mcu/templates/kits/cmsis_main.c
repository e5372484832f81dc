/* Prints the line of ${name} once, through the debugger: semihosting stops the core without one. */
#include <stdint.h>

#include "${name}_board.h"

static void semihosting(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

int main(void) {
    semihosting(4, ${name}_board_line()); /* SYS_WRITE0 */
    semihosting(4, "\n");
    semihosting(0x18, (const void *)0x20026); /* SYS_EXIT: the program ends */
    return 0;
}
