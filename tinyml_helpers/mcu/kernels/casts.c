/* Numbers of one type as those of another: a bool is 0 or 1, a fraction is cut off. */
#include "kernels.h"

static inline uint8_t as_bool(float x) { return x != 0.0f; }
static inline int8_t as_int8(int32_t x) { return (int8_t)x; }
static inline int32_t as_int32(int32_t x) { return x; }
static inline float as_float32(float x) { return x; }

/* Beyond the ends, where C leaves it open, the nearest; what is no number becomes 0. */
static inline int32_t whole(float x) {
    if (x != x) return 0;
    return x >= 2147483648.0f ? INT32_MAX : x <= -2147483648.0f ? INT32_MIN : (int32_t)x;
}

#define TO_bool(from, x) as_bool((float)(x))
#define TO_int8(from, x) as_int8(WHOLE_##from(x))
#define TO_int32(from, x) as_int32(WHOLE_##from(x))
#define TO_float32(from, x) as_float32((float)(x))
#define WHOLE_bool(x) (x)
#define WHOLE_int8(x) (x)
#define WHOLE_int32(x) (x)
#define WHOLE_float32(x) whole(x)

#define DEFINE(from, from_type, to, to_type)                                                    \
    void tm_##from##_to_##to(const from_type *input, to_type *output, uint32_t count) {         \
        for (; count; count--, input++) *output++ = TO_##to(from, *input);                      \
    }

TINYML_CASTS(DEFINE)
