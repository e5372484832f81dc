/* Prints what this board makes of ${name}, as a line of JSON, every two seconds. */
#include <stdio.h>

#include "${name}_board.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

void app_main(void) {
    for (;;) {
        puts(${name}_board_line());
        vTaskDelay(pdMS_TO_TICKS(2000));
    }
}
