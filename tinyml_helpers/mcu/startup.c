/* What runs between power-up and main(): fill RAM, switch the FPU on. */
#include <stdint.h>

extern uint32_t _data_start[], _data_end[], _bss_start[], _bss_end[], _stack_top[];
extern const uint32_t _data_load[];
int main(void);

__attribute__((noreturn)) void _halt(void) {
    for (;;) __asm__ volatile("");
}

void Reset_Handler(void) {
    const uint32_t *from = _data_load;
    for (uint32_t *to = _data_start; to < _data_end;) *to++ = *from++;
    for (uint32_t *to = _bss_start; to < _bss_end;) *to++ = 0;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: full access to CP10 and CP11 */
    __asm__ volatile("dsb\n isb");
#endif
    main();
    _halt();
}

__attribute__((section(".vectors"), used)) const void *const _vectors[16] = {
    _stack_top, (const void *)Reset_Handler, (const void *)_halt, (const void *)_halt,
    (const void *)_halt, (const void *)_halt, (const void *)_halt,
    [11] = (const void *)_halt, [14] = (const void *)_halt, [15] = (const void *)_halt,
};
