/* SPDX-License-Identifier: Apache-2.0 */
#include "x509_svid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The authority that signed the seeds. */
static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBfjCCASSgAwIBAgICA+gwCgYIKoZIzj0EAwIwJjELMAkGA1UEBhMCVVMxFzAV\n"
                                "BgNVBAoMDlRlc3QgQXV0aG9yaXR5MB4XDTI3MDExNTA3MDAwMFoXDTI3MDExNTA5\n"
                                "MDAwMFowJjELMAkGA1UEBhMCVVMxFzAVBgNVBAoMDlRlc3QgQXV0aG9yaXR5MFkw\n"
                                "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIQwwPFcYz5qvmTbbpy86MRRn2n6UPQ8r\n"
                                "e2vm7k6e8i33nhSQA52mUf4/z2zyE8+HyGGQ6ijNhc4znCuf8lM5vaNCMEAwDwYD\n"
                                "VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFNmuJmul9Bra\n"
                                "V2dnhccMLOlTOxqFMAoGCCqGSM49BAMCA0gAMEUCIAvxFjaWakoPu/PjOMAoS70h\n"
                                "ByBSfcMx3FqsCL84nvG6AiEA1h2PVtVAee9DHr0KfbnUvxlXYvAv0lR38+Vra4II\n"
                                "LUM=\n"
                                "-----END CERTIFICATE-----\n";

#define SEED_TIME INT64_C(1800000000)

static struct trust_bundles *bundles_of_seeds(void)
{
    static struct trust_bundles *bundles;
    struct arena arena;
    struct diag_list diags;
    struct trust_bundle_source source = {.trust_domain = VIEW("td"), .text = view_of(authority), .generation = 1};
    if (bundles)
        return bundles;
    arena_init(&arena, 65536);
    diag_list_init(&diags, &arena);
    if (trust_bundles_build(&source, 1, &diags, &bundles) != ERR_NONE)
        abort();
    arena_free(&arena);
    return bundles;
}

/* As a leaf and as a chain: who is accepted has a whole ID, and the leaf's hash. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {.data = (const char *)data, .size = size};
    struct x509_svid svid, again;
    struct spiffe_id id;
    uint8_t hash[SHA256_BYTES];
    enum reason reason = x509_svid_verify(text, (struct view){0}, bundles_of_seeds(), SEED_TIME, &svid);
    enum reason as_chain = x509_svid_verify((struct view){0}, text, bundles_of_seeds(), SEED_TIME, &again);
    if (reason != REASON_NONE)
        return 0;
    if (as_chain != REASON_NONE || spiffe_id_parse(svid.id.text, &id) != ERR_NONE || view_is_empty(id.path))
        abort();
    if (x509_svid_fingerprint(text, hash) != REASON_NONE || memcmp(hash, svid.sha256, sizeof hash) != 0)
        abort();
    return 0;
}
