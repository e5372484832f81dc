/* The cycle counter of the core, or the nearest that there is; CYCLE_COUNTER names it. */
#ifndef ${NAME}_CYCLES_H
#define ${NAME}_CYCLES_H
#include <stdint.h>

#if defined(ESP_PLATFORM)
#include "esp_cpu.h"
#define CYCLE_COUNTER "esp_cpu"
static void start_cycles(void) {}
static uint32_t cycles_now(void) { return (uint32_t)esp_cpu_get_cycle_count(); }
#elif defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__)
#define CYCLE_COUNTER "DWT"
static void start_cycles(void) {
    *(volatile uint32_t *)0xE000EDFC |= 1u << 24; /* DEMCR: TRCENA */
    *(volatile uint32_t *)0xE0001FB0 = 0xC5ACCE55u; /* DWT_LAR, which a Cortex-M7 has */
    *(volatile uint32_t *)0xE0001000 |= 1u;
}
static uint32_t cycles_now(void) { return *(volatile uint32_t *)0xE0001004; }
#elif defined(PICO_RP2350) && defined(__riscv)
#define CYCLE_COUNTER "mcycle"
static void start_cycles(void) { __asm__ volatile("csrci mcountinhibit, 1"); }
static uint32_t cycles_now(void) {
    uint32_t count;
    __asm__ volatile("csrr %0, mcycle" : "=r"(count));
    return count;
}
#elif defined(PICO_RP2040)
#include "hardware/clocks.h"
#include "pico/time.h"
#define CYCLE_COUNTER "microseconds"
static void start_cycles(void) {}
static uint32_t cycles_now(void) { return time_us_32() * (clock_get_hz(clk_sys) / 1000000u); }
#elif defined(__ZEPHYR__) && defined(__arm__)
#include <zephyr/kernel.h>
#define CYCLE_COUNTER "k_cycle"
static void start_cycles(void) {}
static uint32_t cycles_now(void) { return k_cycle_get_32(); }
#else
#define CYCLE_COUNTER "none"
static void start_cycles(void) {}
static uint32_t cycles_now(void) { return 0; }
#endif

#endif
