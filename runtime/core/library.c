/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a generation. The file is copied into memory first, for three reasons. A file that is cut
 * short or written over while it is mapped kills the process that maps it with SIGBUS; here a copy
 * that lacks anything is refused. The loader knows objects by name and inode and would give the old
 * generation again for a path that was replaced. And what a node runs stays what it loaded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tvs/core.h"

enum {
    MAX_BYTES = 1 << 28,
    MEMFD_EXEC = 0x0010, /* MFD_EXEC of Linux 6.3: needed where vm.memfd_noexec is set */
};

static int __attribute__((format(printf, 4, 5)))
refuse(int error, char *why, size_t why_bytes, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, why_bytes, format, args);
    va_end(args);
    return error;
}

/* Like read(2) and write(2) of all of it; negative errno, -EIO when the file ends early. */
static int copy(int to, int from, size_t bytes)
{
    uint8_t buffer[65536];

    while (bytes > 0) {
        ssize_t got = read(from, buffer, bytes < sizeof(buffer) ? bytes : sizeof(buffer));
        ssize_t put = 0;

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        while (put < got) {
            ssize_t wrote = write(to, buffer + put, (size_t)(got - put));

            if (wrote < 0 && errno != EINTR)
                return -errno;
            put += wrote > 0 ? wrote : 0;
        }
        bytes -= (size_t)got;
    }
    return 0;
}

static int memory_file(void)
{
    int fd = memfd_create("tvs-generation", MFD_CLOEXEC | MEMFD_EXEC);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("tvs-generation", MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool inside(uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
    return offset <= file_bytes && bytes <= file_bytes - offset;
}

/*
 * Why the copy is no whole shared object for this machine; NULL when it is one. The section headers
 * come last in what linkers write, so a file that has them has been copied to its end.
 */
static const char *incomplete(int fd, uint64_t file_bytes)
{
    Elf64_Ehdr header;

    if (file_bytes < sizeof(header) || pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return "not a shared object";
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
        header.e_type != ET_DYN)
        return "not a shared object for this machine";
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_shoff == 0 ||
        !inside(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), file_bytes) ||
        !inside(header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize, file_bytes))
        return "cut short: the file is not all there";
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(header.e_phoff + i * sizeof(segment));

        if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment) ||
            !inside(segment.p_offset, segment.p_filesz, file_bytes))
            return "cut short: the file is not all there";
    }
    return NULL;
}

/* A private copy of the file at `path`, found whole; negative errno with the reason in `why`. */
static int copy_of(const char *path, char *why, size_t why_bytes)
{
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *lacks;
    struct stat file;
    int error;
    int fd;

    if (from < 0)
        return refuse(-errno, why, why_bytes, "%s", strerror(errno));
    fd = memory_file();
    if (fd < 0) {
        error = refuse(fd, why, why_bytes, "no memory to load it: %s", strerror(-fd));
        goto out;
    }
    if (fstat(from, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size > MAX_BYTES) {
        error =
            refuse(-EINVAL, why, why_bytes, "not a regular file of at most %d MB", MAX_BYTES >> 20);
        goto out;
    }
    error = copy(fd, from, (size_t)file.st_size);
    if (error < 0) {
        refuse(error, why, why_bytes, "cannot be read: %s", strerror(-error));
        goto out;
    }
    lacks = incomplete(fd, (uint64_t)file.st_size);
    if (lacks != NULL)
        error = refuse(-EINVAL, why, why_bytes, "%s", lacks);
out:
    close(from);
    if (error == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return error;
}

int tvs_library_open(struct tvs_library *library, const char *path,
                     const struct tvs_generation **generation, char *why, size_t why_bytes)
{
    const char *reason;
    char name[64];
    int fd = copy_of(path, why, why_bytes);

    if (fd < 0)
        return fd;
    /* open for as long as the object is loaded: its number is its name */
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    *library = (struct tvs_library){.handle = dlopen(name, RTLD_NOW | RTLD_LOCAL), .fd = fd};
    if (library->handle == NULL) {
        refuse(-EINVAL, why, why_bytes, "%s", dlerror());
        goto fail;
    }
    *generation = dlsym(library->handle, TVS_GENERATION_SYMBOL);
    if (*generation == NULL) {
        refuse(-EINVAL, why, why_bytes, "not a generation: it has no symbol %s",
               TVS_GENERATION_SYMBOL);
        goto fail;
    }
    /* of a foreign ABI nothing but its version can be read */
    if ((*generation)->abi_version != TVS_ABI_VERSION) {
        refuse(-EINVAL, why, why_bytes, "refused: ABI version %u, this host speaks %u",
               (*generation)->abi_version, (unsigned)TVS_ABI_VERSION);
        goto fail;
    }
    if ((*generation)->record_schema != TVS_RECORD_SCHEMA) {
        refuse(-EINVAL, why, why_bytes, "refused: record schema %llx, this host has %llx",
               (unsigned long long)(*generation)->record_schema,
               (unsigned long long)TVS_RECORD_SCHEMA);
        goto fail;
    }
    reason = tvs_generation_refuse(*generation);
    if (reason != NULL) {
        refuse(-EINVAL, why, why_bytes, "refused: %s", reason);
        goto fail;
    }
    return 0;

fail:
    tvs_library_close(library);
    return -EINVAL;
}

void tvs_library_close(struct tvs_library *library)
{
    if (library->handle != NULL)
        dlclose(library->handle);
    if (library->fd > 0)
        close(library->fd);
    *library = (struct tvs_library){0};
}
