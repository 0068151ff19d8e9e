/*
 * Values, texts and ids. Never talks to the host.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define TAG(name) OFFSTAGE_PLUGIN_TYPES_VALUE_##name

void *offstage_allocate(size_t bytes) {
    void *memory = calloc(1, bytes > 0 ? bytes : 1);
    /* The host ends a run that asks for too much; this is for the rest. */
    if (memory == NULL) abort();
    return memory;
}

void *offstage_grow(void *items, size_t length, size_t *capacity, size_t item_bytes) {
    if (length < *capacity) return items;
    *capacity = *capacity > 0 ? *capacity * 2 : 8;
    void *moved = realloc(items, *capacity * item_bytes);
    if (moved == NULL) abort();
    return moved;
}

offstage_text offstage_text_of(const char *text) {
    return (offstage_text){(uint8_t *)text, strlen(text)};
}

bool offstage_text_equals(offstage_text text, const char *other) {
    return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

offstage_text offstage_trimmed(offstage_text text) {
    while (text.len > 0 && is_space(text.ptr[0])) text.ptr++, text.len--;
    while (text.len > 0 && is_space(text.ptr[text.len - 1])) text.len--;
    return text;
}

/* The contract's text type never has memory when it is empty. */
offstage_text offstage_copy_text(offstage_text text) {
    offstage_text copy = {NULL, text.len};
    if (text.len > 0) {
        copy.ptr = offstage_allocate(text.len);
        memcpy(copy.ptr, text.ptr, text.len);
    }
    return copy;
}

static void *copy_bytes(const void *from, size_t bytes) {
    if (bytes == 0) return NULL;
    void *copy = offstage_allocate(bytes);
    memcpy(copy, from, bytes);
    return copy;
}

offstage_value offstage_copy_value(const offstage_value *value) {
    offstage_value copy = *value;
    switch (value->tag) {
    case TAG(DECIMAL):
    case TAG(MONEY):
    case TAG(TEXT):
        copy.val.text = offstage_copy_text(value->val.text);
        break;
    case TAG(OPTION_VALUES):
        copy.val.option_values.ptr = copy_bytes(value->val.option_values.ptr,
                                                value->val.option_values.len * sizeof(int32_t));
        break;
    case TAG(BYTES):
        copy.val.bytes.ptr = copy_bytes(value->val.bytes.ptr, value->val.bytes.len);
        break;
    case TAG(REFERENCE):
        copy.val.reference.table = offstage_copy_text(value->val.reference.table);
        if (value->val.reference.name.is_some) {
            copy.val.reference.name.val = offstage_copy_text(value->val.reference.name.val);
        }
        break;
    default:
        break;
    }
    return copy;
}

offstage_value offstage_null(void) { return (offstage_value){.tag = TAG(NULL)}; }

offstage_value offstage_boolean(bool value) {
    return (offstage_value){.tag = TAG(BOOLEAN), .val.boolean = value};
}

offstage_value offstage_integer(int32_t value) {
    return (offstage_value){.tag = TAG(INTEGER), .val.integer = value};
}

offstage_value offstage_big_integer(int64_t value) {
    return (offstage_value){.tag = TAG(BIG_INT), .val.big_int = value};
}

offstage_value offstage_decimal(const char *digits) {
    return (offstage_value){.tag = TAG(DECIMAL), .val.decimal = offstage_text_of(digits)};
}

offstage_value offstage_double(double value) {
    return (offstage_value){.tag = TAG(DOUBLE), .val.double_ = value};
}

offstage_value offstage_money(const char *digits) {
    return (offstage_value){.tag = TAG(MONEY), .val.money = offstage_text_of(digits)};
}

offstage_value offstage_string(const char *text) {
    return offstage_text_value(offstage_text_of(text));
}

offstage_value offstage_text_value(offstage_text text) {
    return (offstage_value){.tag = TAG(TEXT), .val.text = text};
}

offstage_value offstage_date_time(int64_t milliseconds) {
    return (offstage_value){.tag = TAG(DATE_TIME), .val.date_time = milliseconds};
}

offstage_value offstage_option(int32_t value) {
    return (offstage_value){.tag = TAG(OPTION_VALUE), .val.option_value = value};
}

offstage_value offstage_lookup(const char *table, offstage_guid id) {
    offstage_reference reference = {.table = offstage_text_of(table), .id = id};
    return (offstage_value){.tag = TAG(REFERENCE), .val.reference = reference};
}

offstage_value offstage_unique_identifier(offstage_guid id) {
    return (offstage_value){.tag = TAG(UNIQUE_IDENTIFIER), .val.unique_identifier = id};
}

const offstage_value *offstage_get(const offstage_entity *entity, const char *column) {
    if (entity == NULL) return NULL;
    for (size_t at = 0; at < entity->attributes.len; at++) {
        const offstage_plugin_types_attribute_t *attribute = &entity->attributes.ptr[at];
        if (offstage_text_equals(attribute->column, column)) return &attribute->value;
    }
    return NULL;
}

static const offstage_value *typed(const offstage_entity *entity, const char *column, uint8_t tag) {
    const offstage_value *value = offstage_get(entity, column);
    return value != NULL && value->tag == tag ? value : NULL;
}

#define READER(name, type, wanted, field)                                                  \
    bool name(const offstage_entity *entity, const char *column, type *value) {            \
        const offstage_value *held = typed(entity, column, TAG(wanted));                   \
        if (held != NULL) *value = held->val.field;                                        \
        return held != NULL;                                                               \
    }

READER(offstage_get_boolean, bool, BOOLEAN, boolean)
READER(offstage_get_integer, int32_t, INTEGER, integer)
READER(offstage_get_double, double, DOUBLE, double_)
READER(offstage_get_text, offstage_text, TEXT, text)
READER(offstage_get_date_time, int64_t, DATE_TIME, date_time)
READER(offstage_get_option, int32_t, OPTION_VALUE, option_value)
READER(offstage_get_lookup, offstage_reference, REFERENCE, reference)
READER(offstage_get_guid, offstage_guid, UNIQUE_IDENTIFIER, unique_identifier)

bool offstage_get_digits(const offstage_entity *entity, const char *column, offstage_text *value) {
    const offstage_value *held = typed(entity, column, TAG(MONEY));
    if (held == NULL) held = typed(entity, column, TAG(DECIMAL));
    if (held != NULL) *value = held->val.decimal;
    return held != NULL;
}

static int hex_digit(uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool offstage_guid_parse(offstage_text text, offstage_guid *id) {
    if (text.len != 36) return false;
    uint64_t halves[2] = {0, 0};
    size_t digits = 0;
    for (size_t at = 0; at < text.len; at++) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            if (text.ptr[at] != '-') return false;
            continue;
        }
        int digit = hex_digit(text.ptr[at]);
        if (digit < 0) return false;
        halves[digits / 16] = halves[digits / 16] << 4 | (uint64_t)digit;
        digits++;
    }
    *id = (offstage_guid){.high = halves[0], .low = halves[1]};
    return true;
}

void offstage_guid_format(offstage_guid id, char text[37]) {
    static const char digits[] = "0123456789abcdef";
    char *end = text;
    for (int digit = 0; digit < 32; digit++) {
        if (digit == 8 || digit == 12 || digit == 16 || digit == 20) *end++ = '-';
        uint64_t half = digit < 16 ? id.high : id.low;
        *end++ = digits[half >> (60 - 4 * (digit % 16)) & 15];
    }
    *end = '\0';
}
