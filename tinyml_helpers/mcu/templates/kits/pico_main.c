/* Prints what this board makes of ${name}, as a line of JSON, every two seconds. */
#include <stdio.h>

#include "${name}_board.h"
#include "pico/stdlib.h"

int main(void) {
    stdio_init_all();
    for (;;) {
        puts(${name}_board_line());
        sleep_ms(2000);
    }
}
