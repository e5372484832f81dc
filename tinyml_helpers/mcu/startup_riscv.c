/* What runs between power-up and main() on RISC-V: find the stack, fill RAM. */
#include <stdint.h>

extern uint32_t _data_start[], _data_end[], _bss_start[], _bss_end[];
extern const uint32_t _data_load[];
int main(void);

__attribute__((noreturn)) void _halt(void) {
    for (;;) __asm__ volatile("");
}

__attribute__((noreturn, used)) void _fill_and_run(void) {
    const uint32_t *from = _data_load;
    for (uint32_t *to = _data_start; to < _data_end;) *to++ = *from++;
    for (uint32_t *to = _bss_start; to < _bss_end;) *to++ = 0;
    main();
    _halt();
}

__attribute__((naked, section(".vectors"), used)) void Reset_Handler(void) {
    __asm__("la sp, _stack_top\n j _fill_and_run");
}
