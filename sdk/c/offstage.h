/*
 * Offstage SDK for C: write a business rule once; it runs on the device while offline and on the
 * server when the work is played back.
 *
 * A plug-in is a function over a context. The functions of a package are listed once, and its
 * plug-in types, steps and images are declared in plugin.toml beside the source:
 *
 *     #include "offstage.h"
 *
 *     static offstage_outcome trim_name(offstage_context *context) {
 *         offstage_text name;
 *         if (offstage_get_text(offstage_target(context), "lastname", &name)) {
 *             offstage_set(context, "lastname", offstage_text_value(offstage_trimmed(name)));
 *         }
 *         return OFFSTAGE_DONE;
 *     }
 *
 *     OFFSTAGE_PLUGINS({"contoso.TrimName", trim_name})
 *
 * Memory: whatever the SDK returns lives until the plug-in function returns and is freed then.
 * Nothing needs to be freed by hand; what must live longer does not exist, since a run is all there
 * is. A plug-in never sees the machine's clock, randomness, files or network.
 */
#ifndef OFFSTAGE_H
#define OFFSTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bindings/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One run of a plug-in type (IPluginExecutionContext with its change log). */
typedef struct offstage_context offstage_context;

/* Whether the plug-in agrees with the request or refuses it. */
typedef enum {
    /* The changes made with offstage_set and its like are applied. */
    OFFSTAGE_DONE,
    /* The request is refused with the error of offstage_refuse, or of the last failed request. */
    OFFSTAGE_REFUSED,
} offstage_outcome;

/* ---- Values ---------------------------------------------------------------------------------- */

/* Text that is not terminated by a zero. Print it with "%.*s" and OFFSTAGE_ARGS(text). */
typedef plugin_string_t offstage_text;
#define OFFSTAGE_ARGS(text) ((int)(text).len), ((const char *)(text).ptr)

typedef offstage_plugin_types_guid_t offstage_guid;
typedef offstage_plugin_types_entity_reference_t offstage_reference;
/* A typed value; `tag` is one of OFFSTAGE_PLUGIN_TYPES_VALUE_*. */
typedef offstage_plugin_types_value_t offstage_value;
/* A row that came from the host; it is read only. */
typedef offstage_plugin_types_entity_t offstage_entity;
/* One page of rows. */
typedef offstage_plugin_types_entity_collection_t offstage_page;
/* An error of the platform. */
typedef offstage_plugin_types_fault_t offstage_fault;

/* Platform codes that plug-ins look at. */
#define OFFSTAGE_ISV_ABORTED 0x80040265u
#define OFFSTAGE_UNEXPECTED 0x80040216u
#define OFFSTAGE_OBJECT_DOES_NOT_EXIST 0x80040217u
#define OFFSTAGE_DUPLICATE_RECORD 0x80040237u
#define OFFSTAGE_INVALID_ARGUMENT 0x80040203u

/* The text of a C string, not copied. */
offstage_text offstage_text_of(const char *text);
/* Whether two texts are the same bytes. */
bool offstage_text_equals(offstage_text text, const char *other);
/* The text without spaces, tabs and line ends around it. */
offstage_text offstage_trimmed(offstage_text text);

/* Values. They do not copy what they are given; offstage_set and offstage_row_set do. */
offstage_value offstage_null(void);
offstage_value offstage_boolean(bool value);
offstage_value offstage_integer(int32_t value);
offstage_value offstage_big_integer(int64_t value);
/* Decimal text such as "-12.50"; never an exponent. */
offstage_value offstage_decimal(const char *digits);
offstage_value offstage_double(double value);
/* Decimal text, in the row's currency. */
offstage_value offstage_money(const char *digits);
offstage_value offstage_string(const char *text);
offstage_value offstage_text_value(offstage_text text);
/* Milliseconds since 1970-01-01T00:00:00Z. */
offstage_value offstage_date_time(int64_t milliseconds);
/* A picklist, state or status value. */
offstage_value offstage_option(int32_t value);
offstage_value offstage_lookup(const char *table, offstage_guid id);
offstage_value offstage_unique_identifier(offstage_guid id);

/* ---- Rows ------------------------------------------------------------------------------------ */

/* The value of a column, null included; NULL if the row is NULL or does not mention the column. */
const offstage_value *offstage_get(const offstage_entity *entity, const char *column);

/* Typed readers. They return false, and leave `value` alone, if the column is not mentioned, is
 * null or holds another type. */
bool offstage_get_boolean(const offstage_entity *entity, const char *column, bool *value);
bool offstage_get_integer(const offstage_entity *entity, const char *column, int32_t *value);
bool offstage_get_double(const offstage_entity *entity, const char *column, double *value);
bool offstage_get_text(const offstage_entity *entity, const char *column, offstage_text *value);
/* The digits of a decimal or money column. */
bool offstage_get_digits(const offstage_entity *entity, const char *column, offstage_text *value);
bool offstage_get_date_time(const offstage_entity *entity, const char *column, int64_t *value);
bool offstage_get_option(const offstage_entity *entity, const char *column, int32_t *value);
bool offstage_get_lookup(const offstage_entity *entity, const char *column,
                         offstage_reference *value);
bool offstage_get_guid(const offstage_entity *entity, const char *column, offstage_guid *value);

/* A row to create or to update, made column by column. */
typedef struct offstage_row offstage_row;
/* A row without an id: the platform derives one from the operation. */
offstage_row *offstage_row_new(offstage_context *context, const char *table);
offstage_row *offstage_row_with_id(offstage_context *context, const char *table, offstage_guid id);
/* Sets a column; the value is copied. Setting a column again replaces it. */
void offstage_row_set(offstage_row *row, const char *column, offstage_value value);

/* ---- The context ----------------------------------------------------------------------------- */

/* Every property of the platform, by its name in sdk/wit/plugin.wit. */
const plugin_context_t *offstage_properties(const offstage_context *context);
/* The row in Target, in Create, Update and Upsert; NULL where there is none, as in Delete. */
const offstage_entity *offstage_target(const offstage_context *context);
/* The reference in Target or EntityMoniker, as in Delete; false where there is none. */
bool offstage_target_reference(const offstage_context *context, offstage_reference *reference);
/* The row before and after the main operation, as the step declared it; NULL without one. */
const offstage_entity *offstage_pre_image(const offstage_context *context, const char *alias);
const offstage_entity *offstage_post_image(const offstage_context *context, const char *alias);
/* An input parameter; NULL without one. */
const offstage_plugin_types_parameter_t *offstage_input(const offstage_context *context,
                                                        const char *name);
/* The value of a shared variable; NULL without one. */
const offstage_value *offstage_shared_variable(const offstage_context *context, const char *name);

/* Sets a column of Target. It counts as this plug-in's decision even if the value is the same. */
void offstage_set(offstage_context *context, const char *column, offstage_value value);
/* Takes a column out of Target, so that it is left as it is stored. */
void offstage_remove(offstage_context *context, const char *column);
void offstage_set_input(offstage_context *context, const char *name, offstage_value value);
void offstage_remove_input(offstage_context *context, const char *name);
void offstage_set_output(offstage_context *context, const char *name, offstage_value value);
void offstage_remove_output(offstage_context *context, const char *name);
/* For later steps of the same operation. */
void offstage_set_shared_variable(offstage_context *context, const char *name,
                                  offstage_value value);
void offstage_remove_shared_variable(offstage_context *context, const char *name);

/* Whether this is the second run, on the server. The host notices the question: what only the
 * offline run did is then carried over. */
bool offstage_is_offline_playback(void);
/* The context `level` operations up (1: ParentContext); NULL without one. */
const plugin_context_t *offstage_parent_context(offstage_context *context, uint32_t level);

/* ---- The organization service ---------------------------------------------------------------- */

/* Every call is one request through the whole pipeline, in the caller's transaction. One that fails
 * returns false, and offstage_last_fault says why. Then return OFFSTAGE_REFUSED: going on fails the
 * whole request, unless the step says `on_nested_error = "catch"`. */
bool offstage_create(offstage_context *context, const offstage_row *row, offstage_guid *id);
/* `columns` ends with NULL; NULL itself asks for all columns. */
bool offstage_retrieve(offstage_context *context, const char *table, offstage_guid id,
                       const char *const *columns, const offstage_entity **entity);
bool offstage_update(offstage_context *context, const offstage_row *row);
bool offstage_delete(offstage_context *context, const char *table, offstage_guid id);

/* A query over one table; conditions that are added must all hold. */
typedef struct offstage_query offstage_query;
offstage_query *offstage_query_new(offstage_context *context, const char *table,
                                   const char *const *columns);
/* `operator_` is one of OFFSTAGE_PLUGIN_TYPES_CONDITION_OPERATOR_*; the values are copied. */
void offstage_query_where(offstage_query *query, const char *column, uint8_t operator_,
                          const offstage_value *values, size_t count);
/* The common case: the column has this value. */
void offstage_query_where_equal(offstage_query *query, const char *column, offstage_value value);
void offstage_query_order_by(offstage_query *query, const char *column, bool descending);
/* At most this many rows in all. */
void offstage_query_top(offstage_query *query, uint32_t rows);
/* At most this many rows per page. */
void offstage_query_page_size(offstage_query *query, uint32_t rows);
/* Makes the next retrieve_multiple start after `page`; false if there are no more rows. */
bool offstage_query_next(offstage_query *query, const offstage_page *page);
bool offstage_retrieve_multiple(offstage_context *context, const offstage_query *query,
                                const offstage_page **page);

/* Any message: parameters as the platform names them. */
bool offstage_execute(offstage_context *context, offstage_plugin_types_request_t *request,
                      const offstage_plugin_organization_list_named_parameter_t **response);
/* The error of the last request that failed; NULL if none did. */
const offstage_fault *offstage_last_fault(const offstage_context *context);

/* ---- Errors, tracing, time, ids -------------------------------------------------------------- */

/* Refuses the request with words for the user: `return offstage_refuse(context, "...", ...);` */
offstage_outcome offstage_refuse(offstage_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with a platform code and an HTTP status (0: the default of the code). */
offstage_outcome offstage_refuse_with(offstage_context *context, uint32_t code, uint16_t status,
                                      const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Writes one line into the trace; it survives a rollback. */
void offstage_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* When the operation was made, in milliseconds since the epoch: the same in both runs. */
int64_t offstage_now(void);
/* The clock of the machine that runs now; it differs between the runs. For deadlines only. */
int64_t offstage_server_now(void);
/* The n-th call of a run returns the same id, or number, in both runs. */
offstage_guid offstage_new_guid(void);
uint64_t offstage_random(void);
/* An id that depends on the root operation, the step and `key` only. */
offstage_guid offstage_keyed_guid(const char *key);

/* Reads "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"; false if it is not one. */
bool offstage_guid_parse(offstage_text text, offstage_guid *id);
/* Writes 36 characters and a zero. */
void offstage_guid_format(offstage_guid id, char text[37]);

/* ---- The package ----------------------------------------------------------------------------- */

typedef offstage_outcome (*offstage_function)(offstage_context *context);

/* A plug-in type of the package; its name is that in plugin.toml. */
typedef struct {
    const char *type;
    offstage_function run;
} offstage_plugin;

extern const offstage_plugin offstage_plugins[];
extern const size_t offstage_plugins_count;

/* Lists the plug-in types of the package, once per package. */
#define OFFSTAGE_PLUGINS(...)                                                  \
    const offstage_plugin offstage_plugins[] = {__VA_ARGS__};                  \
    const size_t offstage_plugins_count = sizeof offstage_plugins / sizeof *offstage_plugins;

#ifdef __cplusplus
}
#endif
#endif
