/* What every layer must leave, on any core: a sum of its bytes for each of some inputs. */
#ifndef ${NAME}_SELF_TEST_H
#define ${NAME}_SELF_TEST_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ${NAME}_SEEDS ${seeds}
#define ${NAME}_LAYERS ${layers}
#define ${NAME}_CHECKS ${checks}

/* Give the number of checks that went wrong, and the first of them: below SEEDS * LAYERS, it is layer
   `first % LAYERS` of the list in ${name}.c. The rest are a whole run. */
uint32_t ${name}_self_test(uint32_t *first);
void ${name}_fill_inputs(uint32_t seed);
int32_t ${name}_run(void);
void ${name}_sums(void (*each)(uint32_t sum));
void ${name}_invoke_watched(void (*after)(const void *output, uint32_t bytes));
extern const uint32_t ${name}_expected[${NAME}_CHECKS];

#ifdef __cplusplus
}
#endif
#endif
