// Prints what this board makes of ${name}, as a line of JSON, every two seconds.
#include <Arduino.h>
#include <${name}.h>
#include <${name}_board.h>

void setup() { Serial.begin(115200); }

void loop() {
    Serial.println(${name}_board_line());
    delay(2000);
}
