/* SPDX-License-Identifier: Apache-2.0 */
#include "wiring.h"

const struct wiring_info *wiring_info(enum wiring_fault fault)
{
    static const struct wiring_info all[WIRING_FAULTS] = {
        [WIRING_CERTIFICATE] = {.code = "W0941",
                                .meaning = "Envoy saw a client's certificate and did not send it",
                                .advice = "set `include_peer_certificate: true` in its ext_authz filter; Istio's proxy "
                                          "cannot: name `xfcc` in identity.sources, and nothing else",
                                .metric = METRIC_UNSENT_CERTIFICATES},
        [WIRING_XFCC] = {.code = "W0942",
                         .meaning = "Envoy saw a client's certificate and sent no x-forwarded-client-cert",
                         .advice =
                             "set `forward_client_cert_details` (SANITIZE_SET, or APPEND_FORWARD behind proxies), "
                             "and let `allowed_headers` of its ext_authz filter pass the header",
                         .metric = METRIC_UNSENT_XFCC},
    };
    return &all[fault];
}

bool wiring_find(const struct caller_proof_input *in, enum wiring_fault *out)
{
    const struct caller_proof_rule *rule = in->rule;
    if (view_is_empty(in->peer))
        return false;
    bool lacks_certificate = rule->uses_certificate && view_is_empty(in->source_certificate);
    bool lacks_xfcc = rule->uses_xfcc && !view_is_present(in->xfcc);
    *out = lacks_certificate ? WIRING_CERTIFICATE : WIRING_XFCC;
    return lacks_certificate || lacks_xfcc;
}
