/*
 * The organization service, and values derived from the operation.
 *
 * Never goes around steps, rights or grants: every call is one request through the whole pipeline.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define PARAMETER(name) OFFSTAGE_PLUGIN_TYPES_PARAMETER_##name

struct offstage_query {
    offstage_plugin_types_query_t query;
    size_t nodes_capacity;
    size_t orders_capacity;
};

static void release_row(void *thing) {
    offstage_row *row = thing;
    offstage_plugin_types_entity_free(&row->entity);
    free(row);
}

offstage_row *offstage_row_new(offstage_context *context, const char *table) {
    offstage_row *row = offstage_allocate(sizeof *row);
    row->entity.table = offstage_copy_text(offstage_text_of(table));
    offstage_keep(context, row, release_row);
    return row;
}

offstage_row *offstage_row_with_id(offstage_context *context, const char *table, offstage_guid id) {
    offstage_row *row = offstage_row_new(context, table);
    row->entity.id.is_some = true;
    row->entity.id.val = id;
    return row;
}

void offstage_row_set(offstage_row *row, const char *column, offstage_value value) {
    offstage_entity_set(&row->entity, column, offstage_copy_value(&value));
}

static void release_response(void *thing) {
    offstage_plugin_organization_list_named_parameter_free(thing);
    free(thing);
}

bool offstage_execute(offstage_context *context, offstage_plugin_types_request_t *request,
                      const offstage_plugin_organization_list_named_parameter_t **response) {
    offstage_plugin_organization_list_named_parameter_t *answer = offstage_allocate(sizeof *answer);
    offstage_fault fault;
    if (!offstage_plugin_organization_execute(request, answer, &fault)) {
        free(answer);
        offstage_take_fault(context, fault);
        context->request_failed = true;
        return false;
    }
    offstage_keep(context, answer, release_response);
    if (response != NULL) *response = answer;
    return true;
}

const offstage_fault *offstage_last_fault(const offstage_context *context) {
    return context->has_fault && context->request_failed ? &context->fault : NULL;
}

/* Runs a message with these parameters and returns the one output parameter that is wanted. */
static const offstage_plugin_types_parameter_t *send(
    offstage_context *context, const char *message,
    offstage_plugin_types_named_parameter_t *parameters, size_t count, const char *wanted,
    uint8_t tag) {
    offstage_plugin_types_request_t request = {offstage_text_of(message), {parameters, count}};
    const offstage_plugin_organization_list_named_parameter_t *response;
    if (!offstage_execute(context, &request, &response)) return NULL;
    for (size_t at = 0; at < response->len; at++) {
        if (offstage_text_equals(response->ptr[at].name, wanted) &&
            response->ptr[at].parameter.tag == tag) {
            return &response->ptr[at].parameter;
        }
    }
    offstage_refuse_with(context, OFFSTAGE_UNEXPECTED, 0, "message `%s` answered without `%s`",
                         message, wanted);
    context->request_failed = true;
    return NULL;
}

static offstage_plugin_types_named_parameter_t entity_target(const offstage_row *row) {
    return (offstage_plugin_types_named_parameter_t){
        offstage_text_of("Target"), {.tag = PARAMETER(ENTITY), .val.entity = row->entity}};
}

static offstage_plugin_types_named_parameter_t reference_target(const char *table,
                                                                offstage_guid id) {
    return (offstage_plugin_types_named_parameter_t){
        offstage_text_of("Target"),
        {.tag = PARAMETER(VALUE), .val.value = offstage_lookup(table, id)}};
}

bool offstage_create(offstage_context *context, const offstage_row *row, offstage_guid *id) {
    offstage_plugin_types_named_parameter_t target = entity_target(row);
    const offstage_plugin_types_parameter_t *made =
        send(context, "Create", &target, 1, "id", PARAMETER(VALUE));
    if (made == NULL) return false;
    if (id != NULL) *id = made->val.value.val.unique_identifier;
    return true;
}

bool offstage_update(offstage_context *context, const offstage_row *row) {
    offstage_plugin_types_named_parameter_t target = entity_target(row);
    offstage_plugin_types_request_t request = {offstage_text_of("Update"), {&target, 1}};
    return offstage_execute(context, &request, NULL);
}

bool offstage_delete(offstage_context *context, const char *table, offstage_guid id) {
    offstage_plugin_types_named_parameter_t target = reference_target(table, id);
    offstage_plugin_types_request_t request = {offstage_text_of("Delete"), {&target, 1}};
    return offstage_execute(context, &request, NULL);
}

/* The column set of a list that ends with NULL. Its memory lives until the end of the run. */
static plugin_option_list_string_t column_set(offstage_context *context,
                                              const char *const *columns) {
    if (columns == NULL) return (plugin_option_list_string_t){.is_some = false};
    size_t count = 0;
    while (columns[count] != NULL) count++;
    offstage_text *names = offstage_allocate(count * sizeof *names);
    for (size_t at = 0; at < count; at++) names[at] = offstage_text_of(columns[at]);
    offstage_keep(context, names, free);
    return (plugin_option_list_string_t){.is_some = true, .val = {names, count}};
}

bool offstage_retrieve(offstage_context *context, const char *table, offstage_guid id,
                       const char *const *columns, const offstage_entity **entity) {
    offstage_plugin_types_named_parameter_t parameters[] = {
        reference_target(table, id),
        {offstage_text_of("ColumnSet"),
         {.tag = PARAMETER(COLUMNS), .val.columns = column_set(context, columns)}},
    };
    const offstage_plugin_types_parameter_t *found =
        send(context, "Retrieve", parameters, 2, "BusinessEntity", PARAMETER(ENTITY));
    if (found == NULL) return false;
    *entity = &found->val.entity;
    return true;
}

static void release_query(void *thing) {
    offstage_query *query = thing;
    /* Column names belong to the context. */
    query->query.columns.is_some = false;
    offstage_plugin_types_query_free(&query->query);
    free(query);
}

offstage_query *offstage_query_new(offstage_context *context, const char *table,
                                   const char *const *columns) {
    offstage_query *query = offstage_allocate(sizeof *query);
    query->query.table = offstage_copy_text(offstage_text_of(table));
    query->query.columns = column_set(context, columns);
    offstage_keep(context, query, release_query);
    return query;
}

void offstage_query_where(offstage_query *query, const char *column, uint8_t operator_,
                          const offstage_value *values, size_t count) {
    offstage_plugin_types_list_filter_node_t *nodes = &query->query.filter;
    /* One place more than conditions: the root comes last, when the query is sent. */
    nodes->ptr = offstage_grow(nodes->ptr, nodes->len + 1, &query->nodes_capacity,
                               sizeof *nodes->ptr);
    offstage_plugin_types_condition_t condition = {
        .column = offstage_copy_text(offstage_text_of(column)), .operator_ = operator_};
    if (count > 0) {
        condition.values.ptr = offstage_allocate(count * sizeof *values);
        condition.values.len = count;
    }
    for (size_t at = 0; at < count; at++) {
        condition.values.ptr[at] = offstage_copy_value(&values[at]);
    }
    nodes->ptr[nodes->len++] = (offstage_plugin_types_filter_node_t){
        .tag = OFFSTAGE_PLUGIN_TYPES_FILTER_NODE_CONDITION, .val.condition = condition};
}

void offstage_query_where_equal(offstage_query *query, const char *column, offstage_value value) {
    offstage_query_where(query, column, OFFSTAGE_PLUGIN_TYPES_CONDITION_OPERATOR_EQUAL, &value, 1);
}

void offstage_query_order_by(offstage_query *query, const char *column, bool descending) {
    offstage_plugin_types_list_order_t *orders = &query->query.orders;
    orders->ptr = offstage_grow(orders->ptr, orders->len, &query->orders_capacity,
                                sizeof *orders->ptr);
    orders->ptr[orders->len++] = (offstage_plugin_types_order_t){
        offstage_copy_text(offstage_text_of(column)), descending};
}

void offstage_query_top(offstage_query *query, uint32_t rows) {
    query->query.top = (plugin_option_u32_t){true, rows};
}

void offstage_query_page_size(offstage_query *query, uint32_t rows) {
    query->query.page_size = (plugin_option_u32_t){true, rows};
}

bool offstage_query_next(offstage_query *query, const offstage_page *page) {
    if (!page->more_records || !page->paging_cookie.is_some) return false;
    plugin_option_string_free(&query->query.paging_cookie);
    query->query.paging_cookie =
        (plugin_option_string_t){true, offstage_copy_text(page->paging_cookie.val)};
    return true;
}

bool offstage_retrieve_multiple(offstage_context *context, const offstage_query *query,
                                const offstage_page **page) {
    /* A copy with the root node behind the conditions. */
    offstage_plugin_types_query_t sent = query->query;
    size_t conditions = sent.filter.len;
    uint32_t *children = NULL;
    if (conditions > 0) {
        children = offstage_allocate(conditions * sizeof *children);
        for (size_t at = 0; at < conditions; at++) children[at] = (uint32_t)at;
        sent.filter.ptr[conditions] = (offstage_plugin_types_filter_node_t){
            .tag = OFFSTAGE_PLUGIN_TYPES_FILTER_NODE_ALL, .val.all = {children, conditions}};
        sent.filter.len++;
    }
    offstage_plugin_types_named_parameter_t parameter = {
        offstage_text_of("Query"), {.tag = PARAMETER(QUERY), .val.query = sent}};
    const offstage_plugin_types_parameter_t *found =
        send(context, "RetrieveMultiple", &parameter, 1, "BusinessEntityCollection",
             PARAMETER(ENTITIES));
    free(children);
    if (found == NULL) return false;
    *page = &found->val.entities;
    return true;
}

bool offstage_is_offline_playback(void) {
    return offstage_plugin_organization_is_offline_playback();
}

static void release_context(void *thing) {
    plugin_context_free(thing);
    free(thing);
}

const plugin_context_t *offstage_parent_context(offstage_context *context, uint32_t level) {
    plugin_context_t *parent = offstage_allocate(sizeof *parent);
    if (!offstage_plugin_organization_parent_context(level, parent)) {
        free(parent);
        return NULL;
    }
    offstage_keep(context, parent, release_context);
    return parent;
}

int64_t offstage_now(void) { return offstage_plugin_operation_now(); }

int64_t offstage_server_now(void) { return offstage_plugin_operation_server_now(); }

offstage_guid offstage_new_guid(void) {
    offstage_guid id;
    offstage_plugin_operation_new_guid(&id);
    return id;
}

uint64_t offstage_random(void) { return offstage_plugin_operation_random(); }

offstage_guid offstage_keyed_guid(const char *key) {
    offstage_text text = offstage_text_of(key);
    offstage_guid id;
    offstage_plugin_operation_keyed_guid(&text, &id);
    return id;
}
