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
    uint16_t size_bytes, instructions;
    uint32_t entries, passed; /* passed: what came next lies right behind it */
};

struct counter {
    uint64_t executed, limit, breakpoint, last_block, flash_base;
    const uint16_t *flash;
    const uint8_t *halfwords; /* of an instruction, by its first one: what architecture it is */
    struct block *blocks; /* one for each halfword of flash, filled when first entered */
    uint64_t block_count, arrived; /* arrived: the breakpoint was reached */
    void (*stop)(void *emulator);
    uint64_t watch_start[2], watch_bytes[2]; /* functions: each coming into one is noted */
    uint64_t *visits, *visited;              /* instructions executed before it, and which: 1 or 2 */
    uint64_t *went_to;                       /* the address outside of it that came next */
    uint64_t visit_count, most_visits, inside;
};

EXPORT void on_block(void *emulator, uint64_t address, uint32_t size_bytes, struct counter *c) {
    if (address == c->breakpoint) {
        c->arrived = 1;
        c->stop(emulator);
        return;
    }
    uint64_t first = (address - c->flash_base) / 2; /* huge for an address below flash */
    if (first >= c->block_count || size_bytes / 2 > c->block_count - first) {
        c->stop(emulator); /* never write beyond our own arrays, whatever the program does */
        return;
    }
    uint64_t last = (c->last_block - c->flash_base) / 2;
    if (last < c->block_count && c->last_block + c->blocks[last].size_bytes == address)
        c->blocks[last].passed++;
    c->last_block = address;
    struct block *b = c->blocks + first;
    if (b->size_bytes != size_bytes) {
        b->size_bytes = (uint16_t)size_bytes;
        b->instructions = 0;
        b->entries = b->passed = 0;
        for (uint32_t i = 0; i < size_bytes / 2; i += c->halfwords[c->flash[first + i]])
            b->instructions++;
    }
    uint64_t inside = 0;
    for (int i = 0; i < 2; i++)
        if (address - c->watch_start[i] < c->watch_bytes[i]) inside = i + 1;
    if (c->inside && inside != c->inside) c->went_to[c->visit_count - 1] = address;
    if (inside && inside != c->inside && c->visit_count < c->most_visits) {
        c->visited[c->visit_count] = inside;
        c->visits[c->visit_count++] = c->executed;
    }
    c->inside = inside;
    b->entries++;
    c->executed += b->instructions;
    if (c->executed > c->limit) c->stop(emulator);
}
