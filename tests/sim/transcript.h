/* SPDX-License-Identifier: Apache-2.0 */
/* What happened in a world, line after line: the last lines are kept to be read when
 * something breaks, all of it goes into a hash, so that two runs of one seed can be
 * compared. Nothing that differs between two runs may be noted: no address, no wall
 * clock. */
#ifndef SIM_TRANSCRIPT_H
#define SIM_TRANSCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "lib/sim_clock.h"
#include "lib/sim_network.h"

struct transcript;

/* `print`: every line goes to stdout as well. */
struct transcript *transcript_new(const struct sim_time *time, bool print);
void transcript_free(struct transcript *transcript);

void transcript_note(struct transcript *transcript, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void transcript_frame(struct transcript *transcript, enum sim_frame_fate fate,
                      const char *from, const char *to, const struct bytes *frame);

uint64_t transcript_hash(const struct transcript *transcript);
void transcript_print_tail(struct transcript *transcript);

#endif
