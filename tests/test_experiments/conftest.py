import pytest

from imcnn_plugin.experiments.results_file import _pack_counts


@pytest.fixture
def counts():
    """A function that makes the ``by_identity`` of three identities with 20 labels of each attribute."""

    def make(male, smiling, labelled=(20, 20, 20)):
        correct = dict(Male=male, Smiling=smiling)
        return dict(identity=[3, 5, 8], correct=correct, labelled=dict(Male=labelled, Smiling=[20, 20, 20]))

    return make


@pytest.fixture
def row(counts):
    """A function that makes a row of three identities, each with 10 correct labels of Male."""

    def make(name, seed, smiling, **changes):
        values = dict(name=name, config_hash='a', seed=seed, mean_accuracy=25 + sum(smiling) / 1.2, val_accuracy=70.0)
        values |= dict(accuracy=dict(Male=50.0, Smiling=sum(smiling) / 0.6), identity_stable=['Male'])
        values |= dict(agreement=80.0, label_agreement=85.0, seconds=90, resumed=False)
        values |= dict(split='test', num_images=60, checksums=dict(images='x'))
        return values | dict(by_identity=_pack_counts(counts([10, 10, 10], smiling))) | changes

    return make
