/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLUSTER_H
#define CLI_CLUSTER_H

#include <jansson.h>

#include "cli/table.h"

/* Two cells: "leader", and who it is according to GET /v1/cluster, or why nobody. */
void cluster_put_lead(struct table *table, const json_t *cluster);

#endif
