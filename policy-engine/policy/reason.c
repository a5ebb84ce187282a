/* SPDX-License-Identifier: Apache-2.0 */
#include "reason.h"

static const struct reason_info table[REASON_COUNT] = {
#define REASON_ROW(symbol, name_, family_, verdict_, rpc_, http_, www_, sentence_, advice_)                            \
    [REASON_##symbol] = {.name = {name_, sizeof(name_) - 1},                                                           \
                         .family = {family_, sizeof(family_) - 1},                                                     \
                         .verdict = VERDICT_##verdict_,                                                                \
                         .rpc_code = (rpc_),                                                                           \
                         .http_status = (http_),                                                                       \
                         .www = (www_),                                                                                \
                         .sentence = {sentence_, sizeof(sentence_) - 1},                                               \
                         .advice = {advice_, sizeof(advice_) - 1}},
    REASON_TABLE(REASON_ROW)
#undef REASON_ROW
};

const struct reason_info *reason_info(enum reason reason)
{
    return (unsigned)reason < REASON_COUNT ? &table[reason] : &table[REASON_INTERNAL];
}

bool reason_is_named(enum reason reason, struct view name)
{
    const struct reason_info *info = reason_info(reason);
    return view_equals(info->name, name) || view_equals(info->family, name);
}

bool reason_is_fault(enum reason reason)
{
    const struct view faults[] = {VIEW("certificate"), VIEW("invalid_token"), VIEW("binding"),
                                  VIEW("request"),     VIEW("unavailable"),   VIEW("internal")};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (view_equals(reason_info(reason)->family, faults[i]))
            return true;
    }
    return false;
}

bool reason_parse(struct view name, enum reason *out)
{
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (view_equals(table[i].name, name)) {
            *out = (enum reason)i;
            return true;
        }
    }
    return false;
}

const char *verdict_text(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_DENY: return "deny";
    case VERDICT_CHALLENGE: return "challenge";
    case VERDICT_ALLOW: return "allow";
    }
    return "deny";
}
