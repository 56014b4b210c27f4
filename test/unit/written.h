/* A profile as it is written and parsed back by another JSON library. */
#ifndef VF_TEST_WRITTEN_H
#define VF_TEST_WRITTEN_H

#include "recording.h"

#include <jansson.h>

/* Builds the recording's profile, writes it and parses it back; json_decref() it. */
json_t *written(struct recording *r);
/* The value at "shared.stackTable.frame.0"; it must be there, and of the kind asked for. */
json_t *at(json_t *value, const char *path);
double number(json_t *value, const char *path);
const char *text(json_t *value, const char *path);
/* One cell of a table. */
json_t *cell(json_t *table, const char *column, size_t row);
/* The string that a table's number leads to. */
const char *string_at(json_t *root, json_t *table, const char *column, size_t row);
/* What holds for every profile: columns of one length, no number that leads nowhere, parents before
 * children, times that do not fall. */
void assert_sound(json_t *root);

#endif
