// Runs the network on the test input once a second and prints what the serial monitor shows.
extern "C" {
#include "${name}.h"
${include}}
#include "${name}_test.h"

void setup() { Serial.begin(115200); }

void loop() {
    unsigned wrong = 0;
    ${fill}
    const unsigned long start = micros();
    ${invoke}
    const unsigned long taken = micros() - start;
    ${check}
    for (int i = 0; i < ${NAME}_OUTPUT_COUNT; i++) {
        Serial.print(${name}_output()[i]);
        Serial.print(' ');
    }
    Serial.print("wrong bytes: ");
    Serial.print(wrong);
    Serial.print(", microseconds: ");
    Serial.println(taken);
    delay(1000);
}
