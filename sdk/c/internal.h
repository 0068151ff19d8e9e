/*
 * What the files of the SDK share. Not for plug-ins: offstage.h is.
 *
 * Everything that lives until the end of a run hangs in one list of the context; nothing is freed
 * earlier, and nothing is left after it, so that an instance can be used again.
 */
#ifndef OFFSTAGE_INTERNAL_H
#define OFFSTAGE_INTERNAL_H

#include "offstage.h"

typedef struct offstage_kept offstage_kept;
/* Something to free at the end of the run. */
struct offstage_kept {
    offstage_kept *next;
    void *thing;
    void (*release)(void *thing);
};

struct offstage_context {
    plugin_context_t *properties;
    plugin_list_change_t changes;
    size_t changes_capacity;
    offstage_kept *kept;
    /* The error to return with OFFSTAGE_REFUSED. */
    bool has_fault;
    offstage_fault fault;
    /* Whether a request failed, as opposed to offstage_refuse. */
    bool request_failed;
};

struct offstage_row {
    offstage_entity entity;
};

/* Memory or the end of the run. Zeroed. */
void *offstage_allocate(size_t bytes);
/* Makes room for one more item: returns the list, moved where needed. */
void *offstage_grow(void *items, size_t length, size_t *capacity, size_t item_bytes);
/* Calls `release` on `thing` at the end of the run. */
void offstage_keep(offstage_context *context, void *thing, void (*release)(void *));
/* Copies of texts and values that free() and the generated functions can free. */
offstage_text offstage_copy_text(offstage_text text);
offstage_value offstage_copy_value(const offstage_value *value);
/* Sets a column of a row that owns its attributes; takes the value over. */
void offstage_entity_set(offstage_entity *entity, const char *column, offstage_value value);
void offstage_entity_remove(offstage_entity *entity, const char *column);
/* Takes a fault over as the error of the run. */
void offstage_take_fault(offstage_context *context, offstage_fault fault);

#endif
