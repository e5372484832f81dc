/* Called by the emulator on entry to each block of instructions: counts them, and stops the run
   at a breakpoint or a limit. Runs on the host. */
#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
int DllMainCRTStartup(void *dll, unsigned reason, void *reserved) { return 1; }
#else
#define EXPORT __attribute__((visibility("default")))
#endif

struct block {
    uint32_t size_bytes, instructions;
};

struct counter {
    uint64_t executed, limit, breakpoint, last_block, flash_base;
    const uint16_t *flash;
    struct block *blocks; /* one for each halfword of flash, filled when first entered */
    void (*stop)(void *emulator);
};

EXPORT void on_block(void *emulator, uint64_t address, uint32_t size_bytes, struct counter *c) {
    if (address == c->breakpoint) {
        c->stop(emulator);
        return;
    }
    c->last_block = address;
    uint64_t first = (address - c->flash_base) / 2;
    struct block *b = c->blocks + first;
    if (b->size_bytes != size_bytes) {
        b->size_bytes = size_bytes;
        b->instructions = 0;
        /* A halfword from 0xE800 up opens a 4-byte instruction. */
        for (uint32_t i = 0; i < size_bytes / 2; i += c->flash[first + i] >= 0xE800 ? 2 : 1)
            b->instructions++;
    }
    c->executed += b->instructions;
    if (c->executed > c->limit) c->stop(emulator);
}
