/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of RFC 8032 section 7.1, tests 1 and 2, as RFC 8410 writes them: whose signature is looked for, and another.
 */
#ifndef BARTIZAN_SIGNING_KEYS_H
#define BARTIZAN_SIGNING_KEYS_H

#define SIGNING_KEY                                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                                    \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                                               \
    "-----END PRIVATE KEY-----\n"
#define SIGNING_KEY_PUBLIC                                                                                             \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"                                                   \
    "-----END PUBLIC KEY-----\n"
#define OTHER_KEY_PUBLIC                                                                                               \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"                                                   \
    "-----END PUBLIC KEY-----\n"

#endif
