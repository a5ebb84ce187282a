/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says of how its user signed in, and whether that is enough.
 *
 * Sources: RFC 8176 section 2 (amr), OpenID EAP ACR Values 1.0 (phr, phrh), OpenID
 * Connect Core section 2 (auth_time), semantics S4 to S5.
 *   - Two factors are two different classes of knowledge, possession, inherence:
 *     pwd and kba are one, otp and sms are one, pin and hwk are two.
 *   - kba and wia are one factor that is never added to others.
 *   - mfa is two factors only where the issuer's assertion is trusted; mca, user,
 *     geo, rba and what we do not know are none.
 *   - An acr of stepUp.twoFactors is two factors; phr, phrh and those that the
 *     issuer names are two and phishing resistant: an answered challenge is met.
 *   - An amr is phishing resistant only where the issuer says so. */
#ifndef BARTIZAN_FACTORS_H
#define BARTIZAN_FACTORS_H

#include "facts.h"
#include "model.h"

struct factors {
    uint32_t count; /* 0 to 3 */
    bool is_phishing_resistant;
};

/* The class of an RFC 8176 value at this issuer (may be NULL), or FACTOR_UNKNOWN_CLASS. */
enum factor_class factors_class(const struct issuer *issuer, struct view amr);

/* Of a known user of `issuer`. */
struct factors factors_of(const struct issuer *issuer, const struct user_facts *user);

/* True when the token names `amr`, in the issuer's words or in ours. */
bool factors_has_method(const struct issuer *issuer, const struct user_facts *user, struct view amr);

enum assurance_state {
    ASSURANCE_NO_USER = 0,
    ASSURANCE_KEYS,         /* the user cannot be judged */
    ASSURANCE_WRONG_ISSUER, /* no step-up at this issuer mends it */
    ASSURANCE_NOT_BOUND,    /* nor this */
    ASSURANCE_UNMET,        /* a challenge can be answered */
    ASSURANCE_MET,
};

/* The parts of an assurance, for counting and for words. */
enum assurance_part {
    PART_FACTORS = 1,
    PART_METHODS = 2,
    PART_PHISHING = 4,
    PART_AGE = 8,
    PART_ACR = 16,
};

struct assurance_result {
    enum assurance_state state;
    unsigned missing; /* ASSURANCE_UNMET: a set of enum assurance_part */
};

/* How the caller stands against `wanted`. `issuer` is that of a known user;
 * `workload` is absent when the rule does not accept the caller's proof. */
struct assurance_result factors_check(const struct assurance *wanted, const struct issuer *issuer,
                                      const struct facts *facts, struct view workload);

#endif
