/* SPDX-License-Identifier: Apache-2.0 */
/* Bugs planted in the product (base/plants.def), and rules of raft/rules.h switched
 * off: at most one at a time, and a rig that must find it. */
#ifndef SIM_PLANTS_H
#define SIM_PLANTS_H

#include <stdbool.h>

/* Plant it; false: no such word. */
bool plants_plant(const char *word);
/* " --plant word", if something is planted. */
void plants_print_option(void);
void plants_print_list(void);
/* Plant it and look for a seed that breaks; 0: there is one. */
int plants_find(const char *word, bool histories);

#endif
