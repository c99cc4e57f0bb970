/* SPDX-License-Identifier: Apache-2.0 */
/* What h2o refuses by itself before a call exists (a body that is too large, a broken
 * length, an unknown expectation), answered in our shape and so that the client can
 * read it. */
#ifndef API_REFUSAL_H
#define API_REFUSAL_H

#include <h2o.h>

struct api;

/* To be called once, while the api is configured. */
void refusal_register(struct api *api, h2o_hostconf_t *host);

/* Cut what still lingers: the api stops. */
void refusal_stop(struct api *api);

#endif
