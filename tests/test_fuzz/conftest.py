"""Bad inputs, made by hypothesis: a plain run tries some dozens of each kind, ``pytest --slow`` 20 times as many.

Each is either used as an independent reading of it says, or rejected by one of the package's errors, whose one line
names the file.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from imcnn_plugin.errors import IMCNNError

# What is done to some bytes at a place.
EDITS = ('set', 'insert', 'delete', 'cut off', 'zero', 'repeat', 'append')


def pytest_configure(config):
    """The same cases in each run, however long one takes; ``max_examples`` multiplies that of a test."""
    settings.register_profile(
        'fuzz',
        max_examples=20 if config.getoption('--slow', False) else 1,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope='session')
def mutate():
    """Changes bytes in one to three places."""

    def function(data, content):
        for _ in range(data.draw(st.integers(1, 3))):
            edit = data.draw(st.sampled_from(EDITS))
            # Beginnings, where formats keep what matters, are hit as often as all the rest.
            last = data.draw(st.sampled_from((min(len(content), 64), len(content))))
            start = data.draw(st.integers(0, last))
            length = data.draw(st.integers(1, 16) | st.integers(1, max(1, len(content))))
            end = min(start + length, len(content))
            new = data.draw(st.binary(min_size=1, max_size=8)) if edit in ('set', 'insert', 'append') else b''
            content = {
                'set': content[:start] + new + content[start + len(new) :],
                'insert': content[:start] + new + content[start:],
                'delete': content[:start] + content[end:],
                'cut off': content[:start],
                'zero': content[:start] + bytes(end - start) + content[end:],
                'repeat': content[:end] + content[start:end] + content[end:],
                'append': content + new,
            }[edit]
        return content

    return function


@pytest.fixture(scope='session')
def attempt():
    """What a function gives, or None if it rejects its input as it should."""

    def function(place, call, *args, **kwargs):
        try:
            return call(*args, **kwargs)
        except IMCNNError as error:
            assert '\n' not in str(error) and len(str(error)) < 2000 and str(place) in str(error), error
            return None

    return function
