/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in: where a request comes from, and what its token allows. */
#ifndef API_ACCESS_H
#define API_ACCESS_H

#include "api/router.h"

/* May this call use a route of that class? False: answered, 401 or 403. True: its actor
 * is known, "" if it showed no token. Without tokens in the configuration everybody may
 * do everything, but a web page. */
bool access_allowed(struct call *call, enum access access);

#endif
