/*
 * The execution context, its change log, and the contract's export.
 *
 * Never changes a row or the request by itself: what a plug-in sets or removes is logged in order,
 * equal values too, and the host applies the log when the run returns.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE(name) OFFSTAGE_PLUGIN_TYPES_CHANGE_##name

void offstage_keep(offstage_context *context, void *thing, void (*release)(void *)) {
    offstage_kept *kept = offstage_allocate(sizeof *kept);
    *kept = (offstage_kept){context->kept, thing, release};
    context->kept = kept;
}

const plugin_context_t *offstage_properties(const offstage_context *context) {
    return context->properties;
}

typedef struct {
    offstage_plugin_types_named_parameter_t *ptr;
    size_t len;
} parameters;

static offstage_plugin_types_parameter_t *find(parameters list, const char *name) {
    for (size_t at = 0; at < list.len; at++) {
        if (offstage_text_equals(list.ptr[at].name, name)) return &list.ptr[at].parameter;
    }
    return NULL;
}

static offstage_plugin_types_parameter_t *input(const offstage_context *context, const char *name) {
    offstage_plugin_types_list_named_parameter_t list = context->properties->input_parameters;
    return find((parameters){list.ptr, list.len}, name);
}

static offstage_entity *target(const offstage_context *context) {
    offstage_plugin_types_parameter_t *parameter = input(context, "Target");
    if (parameter == NULL || parameter->tag != OFFSTAGE_PLUGIN_TYPES_PARAMETER_ENTITY) return NULL;
    return &parameter->val.entity;
}

const offstage_entity *offstage_target(const offstage_context *context) { return target(context); }

bool offstage_target_reference(const offstage_context *context, offstage_reference *reference) {
    const offstage_plugin_types_parameter_t *parameter = input(context, "Target");
    if (parameter == NULL) parameter = input(context, "EntityMoniker");
    if (parameter == NULL || parameter->tag != OFFSTAGE_PLUGIN_TYPES_PARAMETER_VALUE ||
        parameter->val.value.tag != OFFSTAGE_PLUGIN_TYPES_VALUE_REFERENCE) {
        return false;
    }
    *reference = parameter->val.value.val.reference;
    return true;
}

static const offstage_entity *image(offstage_plugin_types_list_image_t images, const char *alias) {
    for (size_t at = 0; at < images.len; at++) {
        if (offstage_text_equals(images.ptr[at].alias, alias)) return &images.ptr[at].entity;
    }
    return NULL;
}

const offstage_entity *offstage_pre_image(const offstage_context *context, const char *alias) {
    return image(context->properties->pre_entity_images, alias);
}

const offstage_entity *offstage_post_image(const offstage_context *context, const char *alias) {
    return image(context->properties->post_entity_images, alias);
}

const offstage_plugin_types_parameter_t *offstage_input(const offstage_context *context,
                                                        const char *name) {
    return input(context, name);
}

const offstage_value *offstage_shared_variable(const offstage_context *context, const char *name) {
    offstage_plugin_types_list_named_parameter_t list = context->properties->shared_variables;
    const offstage_plugin_types_parameter_t *parameter =
        find((parameters){list.ptr, list.len}, name);
    if (parameter == NULL || parameter->tag != OFFSTAGE_PLUGIN_TYPES_PARAMETER_VALUE) return NULL;
    return &parameter->val.value;
}

void offstage_entity_remove(offstage_entity *entity, const char *column) {
    offstage_plugin_types_list_attribute_t *list = &entity->attributes;
    for (size_t at = 0; at < list->len; at++) {
        if (!offstage_text_equals(list->ptr[at].column, column)) continue;
        offstage_plugin_types_attribute_free(&list->ptr[at]);
        memmove(&list->ptr[at], &list->ptr[at + 1], (list->len - at - 1) * sizeof *list->ptr);
        list->len--;
        /* The generated functions take a list without items for one without memory. */
        if (list->len == 0) free(list->ptr), list->ptr = NULL;
        return;
    }
}

void offstage_entity_set(offstage_entity *entity, const char *column, offstage_value value) {
    offstage_plugin_types_list_attribute_t *list = &entity->attributes;
    offstage_value *held = (offstage_value *)offstage_get(entity, column);
    if (held != NULL) {
        offstage_plugin_types_value_free(held);
        *held = value;
        return;
    }
    list->ptr = realloc(list->ptr, (list->len + 1) * sizeof *list->ptr);
    if (list->ptr == NULL) abort();
    list->ptr[list->len++] = (offstage_plugin_types_attribute_t){
        offstage_copy_text(offstage_text_of(column)), value};
}

static offstage_plugin_types_change_t *log_change(offstage_context *context, uint8_t tag) {
    plugin_list_change_t *changes = &context->changes;
    changes->ptr = offstage_grow(changes->ptr, changes->len, &context->changes_capacity,
                                 sizeof *changes->ptr);
    offstage_plugin_types_change_t *change = &changes->ptr[changes->len++];
    *change = (offstage_plugin_types_change_t){.tag = tag};
    return change;
}

void offstage_set(offstage_context *context, const char *column, offstage_value value) {
    /* Copied first: the value may be a part of what is replaced. */
    offstage_value logged = offstage_copy_value(&value);
    offstage_entity *entity = target(context);
    if (entity != NULL) offstage_entity_set(entity, column, offstage_copy_value(&value));
    log_change(context, CHANGE(SET_ATTRIBUTE))->val.set_attribute =
        (offstage_plugin_types_attribute_change_t){
            offstage_copy_text(offstage_text_of("Target")),
            offstage_copy_text(offstage_text_of(column)), logged};
}

void offstage_remove(offstage_context *context, const char *column) {
    offstage_entity *entity = target(context);
    if (entity != NULL) offstage_entity_remove(entity, column);
    log_change(context, CHANGE(REMOVE_ATTRIBUTE))->val.remove_attribute =
        (offstage_plugin_types_attribute_removal_t){offstage_copy_text(offstage_text_of("Target")),
                                                    offstage_copy_text(offstage_text_of(column))};
}

static void log_named(offstage_context *context, uint8_t tag, const char *name,
                      const offstage_value *value) {
    log_change(context, tag)->val.set_input = (offstage_plugin_types_named_parameter_t){
        offstage_copy_text(offstage_text_of(name)),
        {.tag = OFFSTAGE_PLUGIN_TYPES_PARAMETER_VALUE, .val.value = offstage_copy_value(value)}};
}

static void log_name(offstage_context *context, uint8_t tag, const char *name) {
    log_change(context, tag)->val.remove_input = offstage_copy_text(offstage_text_of(name));
}

void offstage_set_input(offstage_context *context, const char *name, offstage_value value) {
    log_named(context, CHANGE(SET_INPUT), name, &value);
}

void offstage_remove_input(offstage_context *context, const char *name) {
    log_name(context, CHANGE(REMOVE_INPUT), name);
}

void offstage_set_output(offstage_context *context, const char *name, offstage_value value) {
    log_named(context, CHANGE(SET_OUTPUT), name, &value);
}

void offstage_remove_output(offstage_context *context, const char *name) {
    log_name(context, CHANGE(REMOVE_OUTPUT), name);
}

void offstage_set_shared_variable(offstage_context *context, const char *name,
                                  offstage_value value) {
    log_named(context, CHANGE(SET_SHARED_VARIABLE), name, &value);
}

void offstage_remove_shared_variable(offstage_context *context, const char *name) {
    log_name(context, CHANGE(REMOVE_SHARED_VARIABLE), name);
}

void offstage_take_fault(offstage_context *context, offstage_fault fault) {
    if (context->has_fault) plugin_fault_free(&context->fault);
    context->fault = fault;
    context->has_fault = true;
}

static offstage_text formatted(const char *format, va_list arguments) {
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length <= 0) return (offstage_text){NULL, 0};
    char *text = offstage_allocate((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return (offstage_text){(uint8_t *)text, (size_t)length};
}

offstage_outcome offstage_refuse(offstage_context *context, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    offstage_text message = formatted(format, arguments);
    va_end(arguments);
    offstage_take_fault(context, (offstage_fault){OFFSTAGE_ISV_ABORTED, message, 0});
    return OFFSTAGE_REFUSED;
}

offstage_outcome offstage_refuse_with(offstage_context *context, uint32_t code, uint16_t status,
                                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    offstage_text message = formatted(format, arguments);
    va_end(arguments);
    offstage_take_fault(context, (offstage_fault){code, message, status});
    return OFFSTAGE_REFUSED;
}

void offstage_trace(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    offstage_text line = formatted(format, arguments);
    va_end(arguments);
    offstage_plugin_tracing_trace(&line);
    plugin_string_free(&line);
}

static offstage_fault unknown_type(offstage_text type) {
    static const char words[] = "this package exports no plug-in type of the name that was asked for: ";
    offstage_text message = {offstage_allocate(sizeof words - 1 + type.len), 0};
    memcpy(message.ptr, words, sizeof words - 1);
    if (type.len > 0) memcpy(message.ptr + sizeof words - 1, type.ptr, type.len);
    message.len = sizeof words - 1 + type.len;
    return (offstage_fault){OFFSTAGE_UNEXPECTED, message, 0};
}

static offstage_fault refusal(offstage_context *context) {
    if (!context->has_fault) {
        return (offstage_fault){
            OFFSTAGE_ISV_ABORTED,
            offstage_copy_text(offstage_text_of("The plug-in refused the request.")), 0};
    }
    context->has_fault = false;
    return context->fault;
}

/* Frees everything of the run but its result. */
static void finish(offstage_context *context) {
    while (context->kept != NULL) {
        offstage_kept *kept = context->kept;
        context->kept = kept->next;
        kept->release(kept->thing);
        free(kept);
    }
    if (context->has_fault) plugin_fault_free(&context->fault);
    plugin_context_free(context->properties);
}

/* The generated code wants an object file with the contract's types to be linked. The build adds the
 * types by itself, so that no binary file is part of the sources. */
void __component_type_object_force_link_plugin(void);
void __component_type_object_force_link_plugin(void) {}

bool exports_plugin_execute(plugin_string_t *plugin_type, plugin_context_t *properties,
                            plugin_list_change_t *changes, plugin_fault_t *fault) {
    offstage_context context = {.properties = properties};
    offstage_function run = NULL;
    for (size_t at = 0; at < offstage_plugins_count; at++) {
        if (offstage_text_equals(*plugin_type, offstage_plugins[at].type)) {
            run = offstage_plugins[at].run;
        }
    }
    bool done = run != NULL && run(&context) == OFFSTAGE_DONE;
    if (done) {
        *changes = context.changes;
    } else {
        *fault = run == NULL ? unknown_type(*plugin_type) : refusal(&context);
        plugin_list_change_free(&context.changes);
    }
    plugin_string_free(plugin_type);
    finish(&context);
    return done;
}
