/* Prints what this board makes of ${name}, as a line of JSON, every two seconds. */
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "${name}_board.h"

int main(void) {
    for (;;) {
        printk("%s\n", ${name}_board_line());
        k_msleep(2000);
    }
}
