/* SPDX-License-Identifier: Apache-2.0 */
#include "x509_key.h"

#include "view.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

static bool is_known_curve(EVP_PKEY *key)
{
    char name[32];
    size_t size = 0;
    if (EVP_PKEY_get_group_name(key, name, sizeof name, &size) != 1)
        return false;
    struct view group = {.data = name, .size = size};
    return view_equals(group, VIEW("prime256v1")) || view_equals(group, VIEW("secp384r1")) ||
           view_equals(group, VIEW("secp521r1"));
}

static bool is_sound_rsa(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    BIGNUM *exponent = NULL;
    if (bits < X509_KEY_RSA_BITS_MIN || bits > X509_KEY_RSA_BITS_MAX ||
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
        return false;
    bool is_sound =
        BN_is_odd(exponent) && !BN_is_one(exponent) && BN_num_bits(exponent) <= X509_KEY_RSA_EXPONENT_BITS_MAX;
    BN_free(exponent);
    return is_sound;
}

bool x509_key_is_accepted(X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    if (!key)
        return false;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: return is_known_curve(key);
    case EVP_PKEY_RSA: return is_sound_rsa(key);
    case EVP_PKEY_ED25519: return true;
    default: return false;
    }
}
