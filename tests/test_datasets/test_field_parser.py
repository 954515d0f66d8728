import numpy as np
import pytest

from imcnn_plugin.datasets.field_parser import TextFields

TEXTS = [b'', b'\n\n', b' ', b'a', b'a b\r\n\n c\t-1 \nd', b'a b\n\n \n', b'\xff 1\n']


def random_text(seed):
    return np.random.default_rng(seed).choice(list(b'ab1- \n\t\r'), 400).astype(np.uint8).tobytes()


@pytest.mark.parametrize('content', TEXTS + [random_text(seed) for seed in range(5)])
def test_the_fields_are_those_of_a_loop_over_lines(content):
    lines = content.split(b'\n')
    while lines and not lines[-1].split():
        lines.pop()
    text = TextFields(content)
    assert len(text) == len(lines)
    assert text.counts.tolist() == [len(line.split()) for line in lines]
    assert [text.line(i).rstrip(b'\n') for i in range(len(lines))] == lines
    fields = [field for line in lines for field in line.split()]
    assert text.texts(np.arange(len(fields)), 99).tolist() == fields
    assert text.texts(np.arange(len(fields))[::-2], 2).tolist() == [field[:2] for field in fields[::-2]]
    assert text.line(len(lines)) == b''
