/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a broken seed easier to read: leaves out the faults that it does not need. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include <stdbool.h>

#include "sim/world.h"

/* "0-3,17" → left_out; false: not such a list. */
bool shrink_parse(struct world_options *options, const char *list);
/* The command that runs this world again, in one line. */
void shrink_print_command(const struct world_options *options);
/* Run the seed with fewer and fewer faults as long as it breaks; print what is left and
 * its command. 0: it broke to begin with. */
int shrink_run(const struct world_options *options);

#endif
