import ctypes

# Parameters of mallopt, from malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
# The values that glibc itself adapts to in a process that frees large blocks.
_MMAP_THRESHOLD, _MMAP_MAX = 32 << 20, 65536


def keep_freed_memory(keep: bool = True) -> bool:
    """Sets whether this process keeps the memory that it frees.

    By default, glibc immediately returns freed blocks of 32 MB or more to the system, which zeroes their pages one by
    one when they are allocated again. A step of the full IMCNN on a CPU then spends a quarter of its time on a million
    page faults.

    Args:
        keep: False restores glibc's default; blocks that fit into memory kept so far are still placed there.

    Returns:
        False if the C library is not glibc, so that nothing was changed.
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
