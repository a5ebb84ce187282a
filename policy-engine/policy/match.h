/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of the language on single values, shared by both evaluators.
 *
 * Semantics S2 (three values), S7, S8, S12; rulings, table Policy. Nothing here
 * knows rules or allocates. */
#ifndef BARTIZAN_MATCH_H
#define BARTIZAN_MATCH_H

#include "facts.h"
#include "model.h"
#include "tri.h"

/* S12. `host` is canonical (request_host_parse); a pattern's port 0 fits any. */
bool match_host(const struct host_pattern *pattern, struct view host, uint16_t port);

/* True when some pattern fits, or there is none. */
bool match_hosts(const struct host_pattern *patterns, size_t count, struct view host, uint16_t port);

bool match_string(const struct string_list *list, struct view text);

bool match_spiffe(const struct spiffe_glob *glob, struct view spiffe_id);

/* A caller without an ID fits no selector; an ID of another shape than /ns/N/sa/S
 * has neither namespace nor service account. */
bool match_workload(const struct workload_selector *selector, const struct workload_facts *workload);

/* The namespace and account of an ID of the shape /ns/N/sa/S, or false. */
bool match_service_account(struct view spiffe_id, struct service_account *out);

/* USER_ABSENT is false, USER_UNKNOWN unknown. `issuer` is that of a known user. */
enum tri match_user(const struct user_selector *selector, const struct model *model, const struct user_facts *user,
                    const struct issuer *issuer);

bool match_id(const struct id_pattern *pattern, struct view id);

/* False for an id with `.` or `..` between slashes, a backslash or a control byte: an
 * upstream that takes ids for paths would find another resource behind it. */
bool match_is_plain_id(struct view id);

/* True for the claims whose text is a list of words (RFC 6749 section 3.3). */
bool match_is_scope(const struct claim_path *path);

/* IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2) count as IPv4. An unknown
 * address is U. */
enum tri match_address(const struct cidr *cidrs, size_t count, const struct address_fact *address);

/* The minute of the week at `now` by the zone's clock, from Monday 00:00. */
uint32_t match_week_minute(const struct time_zone *zone, int64_t now);

bool match_time(const struct time_window *window, int64_t now);

/* A test on a text that is there: a header, a context value. */
enum tri match_text(const struct value_test *test, struct view text);

/* A test on a header or context value; NULL is absent. */
enum tri match_pair(const struct value_test *test, const struct pair *pair);

/* A test on a query parameter of the target in `facts` (query.h). */
enum tri match_query(const struct value_test *test, struct view name, const struct facts *facts);

/* A test on what `path` leads to in `root` (NULL: nothing). `tries_whole`: the
 * whole dotted name is tried first as one member. */
enum tri match_value(const struct claim_path *path, const struct value_test *test, const struct value *root,
                     bool tries_whole, uint32_t max_groups);

/* A test on a claim: no user F, a user that cannot be judged U. */
enum tri match_claim(const struct claim_test *test, const struct model *model, const struct user_facts *user);

/* The one scalar that `path` leads to, or the absent view. */
struct view match_scalar(const struct claim_path *path, const struct value *root);

/* Calls `each` with what a claim path leads to, until it returns false. Elements
 * of lists on the way are stepped into. False when a step met a value that cannot
 * have members: then what was found is not all there is to know (U). */
bool match_walk(const struct claim_path *path, const struct value *root, bool tries_whole,
                bool (*each)(void *context, const struct value *value), void *context);

/* A condition (NULL: true). `claims_are_open` takes every claim test for U: what
 * would hold whatever the user. */
enum tri match_condition(const struct condition *condition, const struct model *model, const struct facts *facts,
                         bool claims_are_open);

#endif
