/* SPDX-License-Identifier: Apache-2.0 */
/* A naive registry: what committed commands come to, told once more in the plainest way
 * there is (arrays searched from end to end, texts compared byte by byte), with no code
 * of the product in it but the names of its commands. It is the oracle: what it says
 * and what the product says must be the same.
 *
 * It knows the commands that a world's nodes and clients propose, and texts of tasks of
 * the one shape that the clients write: {"by":N,"f":"xxx"}. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdint.h>

#include "raft/command.h"
#include "raft/fsm.h"

struct model;

struct model *model_new(void);
void model_free(struct model *model);

/* The next committed batch begins. */
void model_tick(struct model *model, const struct batch_header *header);
/* Apply its next command; `says` is what was told of it. NULL, or a sentence that says
 * where the two differ, valid until the next call. */
const char *model_apply(struct model *model, const struct command *command,
                        const struct result *says);

/* Is the registry the one that these commands make? NULL, or the first difference. The
 * first function is quick: it looks at the numbers and at events that it has not seen
 * yet; the second at all there is but the events. */
const char *model_check(struct model *model, const struct registry *registry);
const char *model_check_all(struct model *model, const struct registry *registry);

#endif
