/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <openssl/crypto.h>

enum reason token_check_binding(const struct token *token, const uint8_t *certificate_sha256, struct view spiffe_id,
                                struct user_facts *user)
{
    bool names_workload = view_is_present(token->confirmed_spiffe_id);
    user->is_bound_to_certificate = false;
    user->is_bound_to_workload = false;
    user->is_bound_by_dpop = false;
    if (!token->has_confirmation)
        return REASON_NONE;
    if (token->has_jkt || (!token->has_x5t_s256 && !names_workload))
        return REASON_TOKEN_BINDING;
    if (token->has_x5t_s256 &&
        (certificate_sha256 == NULL || CRYPTO_memcmp(token->x5t_s256, certificate_sha256, SHA256_BYTES) != 0))
        return REASON_TOKEN_BINDING;
    if (names_workload && (view_is_empty(spiffe_id) || !view_equals(token->confirmed_spiffe_id, spiffe_id)))
        return REASON_TOKEN_BINDING;
    user->is_bound_to_certificate = token->has_x5t_s256;
    user->is_bound_to_workload = names_workload;
    return REASON_NONE;
}
