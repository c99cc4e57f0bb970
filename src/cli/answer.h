/* SPDX-License-Identifier: Apache-2.0 */
/* Answers as JSON: asked for, read, or passed on as they came. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include <jansson.h>

#include "cli/client.h"

/* client_ask(), and the answer's body as JSON in `*root` (json_decref() it; NULL unless
 * CLI_EXIT_OK). `answer` may be NULL if its headers and text are of no interest. */
int answer_ask(struct client *client, const struct client_request *request,
               struct http_answer *answer, json_t **root, struct err *err);

/* Ask for `path`, and print what came with `show`, or as it is if `json`. */
int answer_show(struct client *client, const char *path, bool json,
                void (*show)(const json_t *root), struct err *err);

/* A write that answers with something: as it is if `json`, else the sentence `said`. */
int answer_change(struct client *client, const struct client_request *request,
                  bool json, const char *said, struct err *err);

/* The body as it is, one newline at its end. */
void answer_print(const struct http_answer *answer);

/* A text member, "" if it is not there; never NULL. Borrowed. */
const char *answer_text(const json_t *object, const char *key);
const char *answer_yes(const json_t *object, const char *key); /* "yes" or "no" */
json_int_t answer_number(const json_t *object, const char *key);

#endif
