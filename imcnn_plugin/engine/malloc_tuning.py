import ctypes

# Of malloc.h, for mallopt.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
# What glibc comes to by itself in a process that frees large blocks.
MMAP_THRESHOLD, MMAP_MAX = 32 << 20, 65536


def keep_freed_memory(keep: bool = True) -> bool:
    """Whether memory that this process frees stays with it.

    Else glibc gives blocks of 32 MB or more back at once, and the system hands them out again as zeros, page by page:
    a step of the full IMCNN on a CPU spends a quarter of its time on a million page faults.

    Args:
        keep: False goes back to glibc's ways; blocks that fit into what was kept still take their place there.

    Returns:
        False where the C library is not glibc, and nothing was changed.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, 'gnu_get_libc_version'):
        return False
    settings = (
        {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1}
        if keep
        else {M_MMAP_MAX: MMAP_MAX, M_MMAP_THRESHOLD: MMAP_THRESHOLD, M_TRIM_THRESHOLD: 2 * MMAP_THRESHOLD}
    )
    done = all([library.mallopt(name, value) for name, value in settings.items()])
    if not keep:
        library.malloc_trim(0)
    return done
