/* SPDX-License-Identifier: Apache-2.0 */
#include "authority_folder.h"

#include "bio_text.h"
#include "bundle_document.h"
#include "bundle_print.h"
#include "folder_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 1 << 20, LIST_MOST = 16 << 20 };

enum err authority_problem(struct authority *authority, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(authority->problem, sizeof authority->problem, format, args);
    va_end(args);
    return err;
}

/* A sentence for what folder_file_* said of `name`. */
static enum err file_problem(struct authority *authority, enum err err, const char *name)
{
    switch (err) {
    case ERR_NONE: return err;
    case ERR_NOT_FOUND: return authority_problem(authority, err, "%s is not there", name);
    case ERR_CONFLICT: return authority_problem(authority, err, "%s exists and is not overwritten", name);
    case ERR_LIMIT: return authority_problem(authority, err, "%s is too long", name);
    case ERR_IO: return authority_problem(authority, err, "%s: %s", name, strerror(errno));
    case ERR_NO_MEMORY:
    case ERR_MALFORMED:
    case ERR_UNSUPPORTED:
    case ERR_STALE:
    case ERR_INVALID: break;
    }
    return authority_problem(authority, err, "%s: %s", name, err_text(err));
}

enum err authority_folder_open(const char *dir, bool is_writer, struct authority *authority)
{
    authority->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (authority->folder < 0)
        return file_problem(authority, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, dir);
    if (is_writer && flock(authority->folder, LOCK_EX | LOCK_NB) != 0)
        return authority_problem(authority, ERR_CONFLICT, "%s is in use by another command", dir);
    return ERR_NONE;
}

/* `name` in a folder below: that folder, opened, and the rest of the name; *folder stays as it is for one without. */
static enum err open_below(struct authority *authority, const char **name, int *folder)
{
    struct view text = view_of(*name);
    size_t slash = view_index_of(text, '/', 0);
    if (slash == text.size)
        return ERR_NONE;
    struct view path = arena_copy(&authority->arena, view_slice(text, 0, slash));
    *folder = view_is_present(path) ? openat(authority->folder, path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (*folder < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    *name += slash + 1;
    return ERR_NONE;
}

/* ---- reading ---- */

static enum err read_file(struct authority *authority, const char *name, size_t most, struct view *out)
{
    AUTO(descriptor_close) int below = -1;
    TRY(open_below(authority, &name, &below));
    return folder_file_read(below >= 0 ? below : authority->folder, name, most, &authority->arena, out);
}

static X509 *certificate_parse(struct view pem)
{
    AUTO(bio_text_drop) BIO *bio = bio_text_read(pem);
    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

enum err authority_folder_certificate(struct authority *authority, const char *name, X509 **out)
{
    struct view text;
    enum err err = read_file(authority, name, FILE_MOST, &text);
    if (err != ERR_NONE)
        return file_problem(authority, err, name);
    *out = certificate_parse(text);
    return *out ? ERR_NONE : authority_problem(authority, ERR_INVALID, "%s holds no certificate", name);
}

enum err authority_folder_key(struct authority *authority, const char *name, EVP_PKEY **out)
{
    struct view text;
    struct stat status;
    if (fstatat(authority->folder, name, &status, 0) == 0 && (status.st_mode & 077) != 0)
        return authority_problem(authority, ERR_INVALID, "%s is open to others (mode %04o): chmod 600", name,
                                 (unsigned)(status.st_mode & 07777));
    enum err err = read_file(authority, name, FILE_MOST, &text);
    if (err != ERR_NONE)
        return file_problem(authority, err, name);
    *out = key_pair_parse(text);
    OPENSSL_cleanse((char *)text.data, text.size);
    return *out ? ERR_NONE : authority_problem(authority, ERR_INVALID, "%s holds no private key in PEM", name);
}

enum err authority_folder_list(struct authority *authority, struct authority_signer *signer)
{
    struct view text;
    const char *name = authority_folder_name(authority, "lists", signer->certificate, "pem");
    enum err err = read_file(authority, name, LIST_MOST, &text);
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    if (err != ERR_NONE)
        return file_problem(authority, err, name);
    AUTO(bio_text_drop) BIO *bio = bio_text_read(text);
    signer->list = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
    /* An entry that goes missing is a certificate that is good again. */
    if (!signer->list || X509_CRL_verify(signer->list, X509_get0_pubkey(signer->certificate)) != 1)
        return authority_problem(authority, ERR_INVALID, "%s is no list that its intermediate signed", name);
    return ERR_NONE;
}

enum err authority_folder_current(struct authority *authority, char out[AUTHORITY_SERIAL_TEXT])
{
    struct view text;
    enum err err = read_file(authority, "current", FILE_MOST, &text);
    if (err != ERR_NONE)
        return file_problem(authority, err, "current");
    if (text.size == 0 || text.size > AUTHORITY_SERIAL_TEXT || text.data[text.size - 1] != '\n')
        return authority_problem(authority, ERR_INVALID, "current holds no serial");
    memcpy(out, text.data, text.size - 1);
    out[text.size - 1] = '\0';
    return ERR_NONE;
}

static enum err pass_over(void *context, struct view der, uint32_t line)
{
    (void)context;
    (void)der;
    (void)line;
    return ERR_NONE;
}

enum err authority_folder_sequence(struct authority *authority, uint64_t *out)
{
    struct view text;
    struct bundle_document_error error = {.message = ""};
    struct bundle_facts facts;
    enum err err = read_file(authority, "bundle.json", FILE_MOST, &text);
    *out = 0;
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    if (err != ERR_NONE)
        return file_problem(authority, err, "bundle.json");
    err = bundle_document_read(text, pass_over, NULL, &facts, &error);
    *out = facts.sequence;
    return err == ERR_NONE ? err : authority_problem(authority, ERR_INVALID, "bundle.json: %s", error.message);
}

/* ---- writing ---- */

static enum err put_file(struct authority *authority, const char *name, mode_t mode, struct view text,
                         enum err (*put)(int folder, const char *name, mode_t mode, struct view text))
{
    AUTO(descriptor_close) int below = -1;
    if (!view_is_present(text))
        return ERR_NO_MEMORY;
    TRY(open_below(authority, &name, &below));
    return put(below >= 0 ? below : authority->folder, name, mode, text);
}

enum err authority_folder_create(struct authority *authority, const char *name, mode_t mode, struct view text)
{
    return file_problem(authority, put_file(authority, name, mode, text, folder_file_create), name);
}

enum err authority_folder_replace(struct authority *authority, const char *name, mode_t mode, struct view text)
{
    return file_problem(authority, put_file(authority, name, mode, text, folder_file_replace), name);
}

enum err authority_folder_make(struct authority *authority, const char *name)
{
    bool is_there = mkdirat(authority->folder, name, 0755) == 0 || errno == EEXIST;
    return is_there ? ERR_NONE : file_problem(authority, ERR_IO, name);
}

const char *authority_folder_name(struct authority *authority, const char *folder, X509 *certificate,
                                  const char *suffix)
{
    char serial[AUTHORITY_SERIAL_TEXT];
    authority_serial_text(X509_get0_serialNumber(certificate), serial);
    struct view name = arena_print(&authority->arena, "%s/%s.%s", folder, serial, suffix);
    return view_is_present(name) ? name.data : "";
}

/* ---- every file of a folder ---- */

static void listing_close(DIR **listing)
{
    if (*listing)
        (void)closedir(*listing);
}

/* After the last, errno is 0. */
static const struct dirent *next_entry(DIR *listing)
{
    errno = 0;
    return readdir(listing);
}

enum err authority_folder_each(struct authority *authority, const char *name,
                               void (*each)(void *context, X509 *certificate), void *context, size_t *unreadable)
{
    int folder = openat(authority->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? ERR_NONE : file_problem(authority, ERR_IO, name);
    AUTO(listing_close) DIR *listing = fdopendir(folder);
    if (!listing) {
        (void)close(folder);
        return file_problem(authority, ERR_IO, name);
    }
    for (const struct dirent *entry = next_entry(listing); entry != NULL; entry = next_entry(listing)) {
        struct view text = {0};
        if (entry->d_name[0] == '.' || !view_ends_with(view_of(entry->d_name), VIEW(".pem")))
            continue;
        AUTO(arena_free) struct arena arena;
        arena_init(&arena, 2 * FILE_MOST);
        enum err err = folder_file_read(folder, entry->d_name, FILE_MOST, &arena, &text);
        AUTO(certificate_drop) X509 *certificate = err == ERR_NONE ? certificate_parse(text) : NULL;
        if (certificate)
            each(context, certificate);
        else
            ++*unreadable;
    }
    /* A part of the intermediates would be written as all of them. */
    return errno == 0 ? ERR_NONE : file_problem(authority, ERR_IO, name);
}
