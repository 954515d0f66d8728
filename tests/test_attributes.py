import pytest

from imcnn_plugin.attributes import ATTRIBUTES, FIRST_SPLIT, FOUR_GROUPS, NINE_GROUPS


@pytest.mark.parametrize(
    'groups, sizes',
    [
        (NINE_GROUPS, dict(Gender=1, Nose=2, Mouth=4, Eyes=5, Face=6, AroundHead=13, FacialHair=5, Cheeks=2, Fat=2)),
        (FOUR_GROUPS, dict(Upper=13, Middle=6, Lower=9, Whole=12)),
    ],
)
def test_groups_hold_every_attribute_once(groups, sizes):
    assert {group['name']: len(group['labels']) for group in groups} == sizes
    assert sorted(label for group in groups for label in group['labels']) == sorted(ATTRIBUTES)


def test_rest_feeds_the_four_groups_of_the_second_split():
    for group in NINE_GROUPS:
        first = 'Rest' if group['name'] in ('AroundHead', 'FacialHair', 'Cheeks', 'Fat') else group['name']
        assert FIRST_SPLIT[group['slice']] == first
