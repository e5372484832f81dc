/* What every layer must leave, on any core: a sum of its bytes for each of some inputs. */
#ifndef ${NAME}_SELF_TEST_H
#define ${NAME}_SELF_TEST_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ${NAME}_CONSTANTS ${constants}
#define ${NAME}_SEEDS ${seeds}
#define ${NAME}_LAYERS ${layers}
#define ${NAME}_CHECKS ${checks}

/* Give the number of checks that went wrong, and the first of them. Checks below CONSTANTS are arrays in
   flash, in the order of ${name}_look_at_constants(), and the kernels' rounding. Then come the layers, 0 to
   LAYERS - 1 for the first seed, and so on, as ${name}_invoke_watched() counts them; last, a whole run. */
uint32_t ${name}_self_test(uint32_t *first);
void ${name}_fill_inputs(void);
int32_t ${name}_run(void);
void ${name}_sums(void (*each)(uint32_t sum));

/* A run whose every layer takes what `before` gives it, and shows `after` what it makes of it. */
typedef void (*${name}_before)(void *input, uint32_t bytes, int32_t zero_point);
typedef void (*${name}_after)(const void *output, uint32_t bytes);
void ${name}_invoke_watched(${name}_before before, ${name}_after after);
void ${name}_look_at_constants(${name}_after after);
extern const uint32_t ${name}_expected[${NAME}_CHECKS];

#ifdef __cplusplus
}
#endif
#endif
