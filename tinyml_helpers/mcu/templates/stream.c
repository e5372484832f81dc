/* A stream: the network looks at the last WINDOW values whenever HOP new ones have come. */
#include <stdio.h>
#include <string.h>

#include "${name}.h"
${include}
enum { WINDOW = ${window}, HOP = ${hop} };
static ${kept} window[WINDOW];

/* Yours: wait for the sensor and take its next value; 0 ends the stream. This one is a saw tooth. */
static int read_sensor(${sample} *value) {
    static int count;
    *value = (${sample})(count % 64 - 32);
    return count++ < 4 * WINDOW;
}

int main(void) {
    int there = 0;
    ${sample} value;
    ${reset}
    while (read_sensor(&value)) {
        window[there++] = ${convert};
        if (there < WINDOW) continue;
        ${invoke}
        memmove(window, window + HOP, (WINDOW - HOP) * sizeof window[0]);
        there = WINDOW - HOP;
    }
    return 0;
}
