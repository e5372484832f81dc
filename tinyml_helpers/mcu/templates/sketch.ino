// Runs the self-test and the network once a second, and prints what the serial monitor shows.
#include "${name}.h"
#include "${name}_self_test.h"

void setup() { Serial.begin(115200); }

void loop() {
    uint32_t first;
    const uint32_t wrong = ${name}_self_test(&first);
    ${name}_fill_inputs();
    const unsigned long start = micros();
    ${name}_run();
    const unsigned long taken = micros() - start;
    for (int i = 0; i < ${NAME}_OUTPUT_COUNT; i++) {
        Serial.print(${name}_output()[i]);
        Serial.print(' ');
    }
    Serial.print("self-test: ");
    Serial.print(wrong);
    Serial.print(" wrong of ");
    Serial.print(${NAME}_CHECKS);
    Serial.print(" checks, microseconds: ");
    Serial.println(taken);
    delay(1000);
}
