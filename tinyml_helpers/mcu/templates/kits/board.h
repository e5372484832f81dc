/* What this board makes of ${name}: one line of JSON, which `tinyml board check` reads. */
#ifndef ${NAME}_BOARD_H
#define ${NAME}_BOARD_H

#ifdef __cplusplus
extern "C" {
#endif

/* Run the self-test and one inference; give the line, without its end. */
const char *${name}_board_line(void);

#ifdef __cplusplus
}
#endif
#endif
