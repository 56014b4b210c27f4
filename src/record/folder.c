#include "record/folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 8 };

DIR *vf_folder_entries(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The lock goes last: what was begun can be gone on with. */
static bool empty(int folder, unsigned depth)
{
    struct dirent *entry;
    bool good = true;
    DIR *dir = vf_folder_entries(folder);
    while (dir && (entry = readdir(dir))) {
        if (is_dots(entry->d_name) || (depth == 0 && strcmp(entry->d_name, "lock") == 0) ||
            unlinkat(folder, entry->d_name, 0) == 0)
            continue;
        int below = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        good = below >= 0 && depth < DEPTH_MAX && empty(below, depth + 1) &&
               unlinkat(folder, entry->d_name, AT_REMOVEDIR) == 0 && good;
        if (below >= 0)
            close(below);
    }
    if (dir)
        closedir(dir);
    return good && dir;
}

static bool is_at(int folder, const char *path)
{
    struct stat one, two;
    return fstat(folder, &one) == 0 && lstat(path, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

bool vf_folder_remove(int folder, const char *path)
{
    if (empty(folder, 0))
        unlinkat(folder, "lock", 0);
    return is_at(folder, path) && rmdir(path) == 0;
}
