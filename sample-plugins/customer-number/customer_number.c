/*
 * Customer numbers with a check digit, so that a digit typed wrong is found at once.
 *
 * A number is digits, with a letter prefix or without one: "KD-1234 5674" is kept as "KD-12345674".
 * The last digit is the Luhn check digit of those before it. Never changes a number that is right
 * already, and never lets two accounts have the same one.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "offstage.h"

#define COLUMN "accountnumber"
#define PREFIX_MAX 8
#define DIGITS_MAX 20
/* Digits with the check digit, where the step's configuration names no other number. */
#define DIGITS_DEFAULT 8

typedef struct {
    char prefix[PREFIX_MAX + 1];
    char digits[DIGITS_MAX + 1];
    size_t count;
} customer_number;

/* Reads letters, then digits; spaces and hyphens only separate. False if there is anything else. */
static bool read_number(offstage_text text, customer_number *number) {
    size_t letters = 0;
    memset(number, 0, sizeof *number);
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = text.ptr[at];
        if (byte == ' ' || byte == '-') continue;
        if (isalpha(byte) && number->count == 0 && letters < PREFIX_MAX) {
            number->prefix[letters++] = (char)toupper(byte);
        } else if (isdigit(byte) && number->count < DIGITS_MAX) {
            number->digits[number->count++] = (char)byte;
        } else {
            return false;
        }
    }
    return number->count > 1;
}

/* The Luhn check digit of `count` digits: from the right, every second digit counts double. */
static char check_digit(const char *digits, size_t count) {
    int sum = 0;
    for (size_t at = 0; at < count; at++) {
        int digit = digits[at] - '0';
        if ((count - at) % 2 == 1) digit *= 2;
        sum += digit > 9 ? digit - 9 : digit;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

static size_t digits_wanted(const offstage_context *context) {
    offstage_text configuration = offstage_properties(context)->configuration;
    size_t wanted = 0;
    for (size_t at = 0; at < configuration.len && isdigit(configuration.ptr[at]); at++) {
        wanted = wanted * 10 + (size_t)(configuration.ptr[at] - '0');
    }
    return wanted >= 2 && wanted <= DIGITS_MAX ? wanted : DIGITS_DEFAULT;
}

/* Refuses a number that another account has already. */
static offstage_outcome check_unique(offstage_context *context, const char *kept) {
    static const char *const columns[] = {"name", NULL};
    offstage_query *query = offstage_query_new(context, "account", columns);
    offstage_query_where_equal(query, COLUMN, offstage_string(kept));
    offstage_query_top(query, 2);
    const offstage_page *page;
    if (!offstage_retrieve_multiple(context, query, &page)) return OFFSTAGE_REFUSED;
    offstage_guid own = offstage_properties(context)->primary_entity_id;
    for (size_t at = 0; at < page->entities.len; at++) {
        const offstage_entity *other = &page->entities.ptr[at];
        if (other->id.val.high == own.high && other->id.val.low == own.low) continue;
        offstage_text name = offstage_text_of("another account");
        offstage_get_text(other, "name", &name);
        return offstage_refuse(context, "Customer number %s belongs to %.*s already.", kept,
                               OFFSTAGE_ARGS(name));
    }
    return OFFSTAGE_DONE;
}

static offstage_outcome check_number(offstage_context *context) {
    offstage_text typed;
    if (!offstage_get_text(offstage_target(context), COLUMN, &typed)) return OFFSTAGE_DONE;
    customer_number number;
    if (!read_number(typed, &number)) {
        return offstage_refuse(context,
                               "\"%.*s\" is no customer number: write letters, then digits, such "
                               "as KD-12345674.",
                               OFFSTAGE_ARGS(typed));
    }
    size_t wanted = digits_wanted(context);
    if (number.count == wanted - 1) {
        number.digits[number.count] = check_digit(number.digits, number.count);
        number.count++;
        offstage_trace("added the check digit %c", number.digits[number.count - 1]);
    }
    if (number.count != wanted) {
        return offstage_refuse(context, "Customer number \"%.*s\" has %zu digits instead of %zu.",
                               OFFSTAGE_ARGS(typed), number.count, wanted);
    }
    char expected = check_digit(number.digits, wanted - 1);
    if (number.digits[wanted - 1] != expected) {
        return offstage_refuse(context,
                               "Customer number \"%.*s\" is mistyped: its check digit would be %c.",
                               OFFSTAGE_ARGS(typed), expected);
    }
    char kept[PREFIX_MAX + DIGITS_MAX + 2] = "";
    if (number.prefix[0] != '\0') {
        strcpy(kept, number.prefix);
        strcat(kept, "-");
    }
    strcat(kept, number.digits);
    if (!offstage_text_equals(typed, kept)) offstage_set(context, COLUMN, offstage_string(kept));
    return check_unique(context, kept);
}

OFFSTAGE_PLUGINS({"samples.numbers.CheckCustomerNumber", check_number})
