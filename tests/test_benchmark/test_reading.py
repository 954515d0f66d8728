import subprocess
import sys

import pytest
import torch
from benchlib import reading


def test_all_readers_read_the_same_images(faces, packs, monkeypatch):
    batches = []
    monkeypatch.setattr(reading, '_read', lambda loader: batches.append(list(loader)))
    readers = reading.make_readers(faces, packs[32], 32, 12, 4, num_workers=1)
    assert list(readers) == [
        'stock, JPEG files', 'packed faces', 'stock, JPEG files, 1 workers', 'packed faces, 1 workers',
    ]  # fmt: skip
    for reader in readers.values():
        reader()
    images = [torch.cat([batch['inputs'] for batch in read]) for read in batches]
    for found in images:
        # Each shuffles in its own order.
        assert torch.equal(found.flatten(1).long().sum(1).sort()[0], images[0].flatten(1).long().sum(1).sort()[0])
    assert isinstance(batches[0][0]['data_samples'], list) and not isinstance(batches[1][0]['data_samples'], list)


def test_time_of_ended_children_counts():
    before = reading.cpu_seconds()
    subprocess.run([sys.executable, '-c', 'import time\nwhile time.process_time() < 0.2: pass'], check=True)
    assert reading.cpu_seconds() - before > 0.15


def test_rows_and_table_of_given_times():
    cpu = {reading.STOCK: [2.0, 4.0, 3.0], reading.PACKED: [0.1, 0.1, 0.1]}
    wall = {reading.STOCK: [4.0, 4.0, 4.0], reading.PACKED: [0.5, 1.0, 0.8]}
    rows = reading.reading_rows(1000, cpu, wall, bound=20000)
    assert rows[1]['images_per_core_second'] == pytest.approx(10000) and rows[1]['share_of_roofline'] == pytest.approx(
        0.5
    )
    assert rows[1]['times_stock_a_core'] == pytest.approx(30) and rows[1]['times_stock'] == pytest.approx(5)
    assert reading.reading_table(rows, 1000)[2] == ['packed faces', '100 us', '10,000', '30.0', '50%', '1,250', '5.0']
