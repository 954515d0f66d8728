import os


def usable_cores() -> int:
    """The cores that this process may use, where a job has some of a machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
