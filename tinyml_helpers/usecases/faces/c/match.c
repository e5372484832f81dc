/* Compares a face with everybody who is stored: one sum of products of bytes each. */
#include <stdint.h>

int8_t probe[VALUES], stored[PEOPLE][VALUES];
int32_t sums[PEOPLE];

int main(void) {
    for (int person = 0; person < PEOPLE; person++) {
        int32_t sum = 0;
        for (int i = 0; i < VALUES; i++) {
            sum += probe[i] * stored[person][i];
        }
        sums[person] = sum;
    }
    return 0;
}
