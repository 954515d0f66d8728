import ctypes

# Of malloc.h, for mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
# What glibc adapts to by itself in a process that frees large blocks.
_MMAP_THRESHOLD, _MMAP_MAX = 32 << 20, 65536


def keep_freed_memory(keep: bool = True) -> bool:
    """Sets whether memory that this process frees stays with it.

    By default glibc returns blocks of 32 MB or more at once, and the system hands them out again as zeros, page by
    page: a step of the full IMCNN on a CPU spends a quarter of its time on a million page faults.

    Args:
        keep: False restores glibc's default; blocks that fit into memory that was kept are still placed there.

    Returns:
        False if the C library is not glibc, and nothing was changed.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, 'gnu_get_libc_version'):
        return False
    settings = (
        {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}
        if keep
        else {_M_MMAP_MAX: _MMAP_MAX, _M_MMAP_THRESHOLD: _MMAP_THRESHOLD, _M_TRIM_THRESHOLD: 2 * _MMAP_THRESHOLD}
    )
    done = all([library.mallopt(name, value) for name, value in settings.items()])
    if not keep:
        library.malloc_trim(0)
    return done
