/* Classify one window, once. */
#include <stdint.h>

int32_t forest_classify(const int16_t *samples);

__attribute__((section(".sensor"))) int16_t samples[1200];
int32_t score;

int main(void) {
    score = forest_classify(samples);
    return 0;
}
