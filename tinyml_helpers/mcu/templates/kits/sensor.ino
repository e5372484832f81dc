// ${name} listens to the ${sensor}. Library: ${library}.
// It is carried by ${carried}.
#include <Arduino.h>
#include <string.h>
#include <${name}.h>
${include}
// The network looks at the last WINDOW values whenever HOP new ones have come, as on the emulated core.
enum { WINDOW = ${window}, HOP = ${hop} };
static ${kept} window[WINDOW];
static int there;

${driver}
void setup() {
    Serial.begin(115200);
    while (!start_sensor()) {
        Serial.println("no answer from the ${sensor}: it is carried by ${carried}");
        delay(2000);
    }
    ${reset}
}

static void answer() {
    ${invoke}
}

void loop() {
    ${sample} value;
    while (read_sensor(&value)) {
        window[there++] = ${convert};
        if (there < WINDOW) continue;
        answer();
        Serial.print("late or lost: ");
        Serial.println((long)lost_samples());
        memmove(window, window + HOP, (WINDOW - HOP) * sizeof window[0]);
        there = WINDOW - HOP;
    }
}
