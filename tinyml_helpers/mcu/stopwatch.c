/* Called by the emulator on each instruction and on each read of flash, in a second run only: cycles
   that the core's pipeline takes, and cycles that it waits for flash. Runs on the host. */
#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
int DllMainCRTStartup(void *dll, unsigned reason, void *reserved) { return 1; }
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum { OVERLAPS = 1, OPENS = 2, LOADS = 4, COMPUTES = 8, MOST_LINES = 2048 };

struct instruction {
    uint16_t writes, address; /* bit n: register n */
    uint8_t cycles, taken, flags, unused;
};

/* Sets of `ways` lines, of which the one unused for longest is replaced; no lines: everything misses.
   A line has parts, as wide as one read of the flash, each of which is there or not. */
struct cache {
    uint64_t lines, line_bytes, ways, clock;
    uint64_t tags[MOST_LINES], used[MOST_LINES], parts[MOST_LINES]; /* tag 0: empty */
};

struct stopwatch {
    uint64_t flash_base, halfwords;
    const struct instruction *instructions; /* one for each halfword of flash */
    uint64_t end;                           /* the address at which the run is over */
    uint64_t wait_cycles, read_bytes, prefetch, shared;
    const struct instruction *before; /* the instruction executed last */
    uint64_t next, alone;             /* the address behind it; it is a load that overlaps with none */
    uint64_t fetched, fetched_at;     /* part of flash that instructions were fetched from last, and when */
    uint64_t issue, fetch_waits, data_waits, ram_loads;
    uint64_t status; /* number of the core's status register, if it has bits for conditions to come */
    int (*read_register)(void *emulator, int number, uint32_t *value);
    int (*write_register)(void *emulator, int number, const uint32_t *value);
    struct cache code, data;
};

/* A hook on memory leaves the emulator with the conditions of an IT block that it was called in (seen
   in Unicorn 2.1.4): the instructions of the next block would be skipped or not by them. */
static void forget_conditions(void *emulator, const struct stopwatch *s) {
    uint32_t status = 0;
    const uint32_t conditions = 0x0600FC00;
    if (s->status == 0 || s->read_register(emulator, (int)s->status, &status) != 0) return;
    if ((status & conditions) == 0) return;
    status &= ~conditions;
    s->write_register(emulator, (int)s->status, &status);
}

static int is_there(struct cache *c, uint64_t address, uint64_t read_bytes) {
    if (c->lines == 0) return 0;
    uint64_t line = address / c->line_bytes, part = 1ull << (address % c->line_bytes / read_bytes);
    uint64_t first = line % (c->lines / c->ways) * c->ways, oldest = first;
    for (uint64_t i = first; i < first + c->ways; i++) {
        if (c->tags[i] == line + 1) {
            int there = (c->parts[i] & part) != 0;
            c->parts[i] |= part;
            c->used[i] = ++c->clock;
            return there;
        }
        if (c->used[i] < c->used[oldest]) oldest = i;
    }
    c->tags[oldest] = line + 1;
    c->parts[oldest] = part;
    c->used[oldest] = ++c->clock;
    return 0;
}

static void fetch(struct stopwatch *s, uint64_t address, uint32_t size) {
    uint64_t last = (address + size - 1) / s->read_bytes;
    for (uint64_t part = address / s->read_bytes; part <= last; part++) {
        if (part == s->fetched) continue;
        uint64_t now = s->issue + s->fetch_waits + s->data_waits;
        if (!is_there(&s->code, part * s->read_bytes, s->read_bytes)) {
            /* The next part is read ahead from when the one before it had come. */
            uint64_t ahead = s->prefetch && part == s->fetched + 1 ? now - s->fetched_at : 0;
            if (ahead < s->wait_cycles) s->fetch_waits += s->wait_cycles - ahead;
        }
        s->fetched = part;
        s->fetched_at = s->issue + s->fetch_waits + s->data_waits;
    }
}

EXPORT void on_instruction(void *emulator, uint64_t address, uint32_t size, struct stopwatch *s) {
    uint64_t place = (address - s->flash_base) / 2; /* huge for an address below flash */
    if (place >= s->halfwords || address == s->end) return;
    const struct instruction *now = s->instructions + place, *before = s->before;
    int joined = 0;
    if (before) {
        if (address != s->next) s->issue += before->taken;
        int needs = (before->writes & now->address) != 0;
        joined = (now->flags & OVERLAPS) && (before->flags & OPENS) && !needs;
        if (joined) s->issue--;
        if ((before->flags & COMPUTES) && needs) s->issue++;
    }
    fetch(s, address, size);
    s->issue += now->cycles;
    s->alone = (now->flags & LOADS) && !joined;
    s->ram_loads += s->alone; /* until it is seen to read flash */
    s->before = now;
    s->next = address + size;
}

EXPORT void on_read(void *emulator, int kind, uint64_t address, int size, int64_t value,
                    struct stopwatch *s) {
    forget_conditions(emulator, s);
    s->ram_loads -= s->alone;
    s->alone = 0; /* further words of the same load */
    struct cache *c = s->shared ? &s->code : &s->data;
    uint64_t last = (address + (uint64_t)size - 1) / s->read_bytes;
    for (uint64_t part = address / s->read_bytes; part <= last; part++)
        if (!is_there(c, part * s->read_bytes, s->read_bytes)) s->data_waits += s->wait_cycles;
}
