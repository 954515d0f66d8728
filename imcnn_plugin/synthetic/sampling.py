"""Samples identities of synthetic faces and the attributes of their images."""

from typing import Dict, Tuple

import numpy as np

from ..attributes import ATTRIBUTES, IDENTITY_STABLE, TRANSIENT

EYE_COLORS = np.array([(70, 42, 24), (60, 110, 170), (74, 120, 70), (110, 116, 122)], float)


def _sample_identity(seed: int, identity: int) -> Tuple[dict, Dict[str, bool]]:
    """Samples what all images of an identity share: traits that have no label, and the identity-stable attributes."""
    rng = np.random.default_rng([seed, 1, identity])
    traits = dict(
        skin=rng.random(),
        eye_color=EYE_COLORS[rng.integers(4)] + rng.uniform(-12, 12, 3),
        eye_gap=rng.uniform(-2, 2),
        face_width=rng.uniform(-2.5, 2.5),
        chin=rng.uniform(-3, 3),
        nose_length=rng.uniform(-3, 3),
        mouth_width=rng.uniform(-2, 2),
        brow_height=rng.uniform(-1.5, 1.5),
        ear=rng.uniform(0.85, 1.15),
        hair_shade=rng.uniform(0.85, 1.15),
        hair_length=rng.random(),
        parting=rng.uniform(-14, 14),
        side=rng.choice([-1, 1]),
        makeup=rng.uniform(0.3, 0.9),
        freckles=rng.uniform(-2.5, 2.5, (12, 2)),
        strands=rng.uniform(-2, 2, 34),
    )

    def chance(probability):
        return bool(rng.random() < probability)

    has = dict.fromkeys(IDENTITY_STABLE, False)
    male = has['Male'] = chance(0.5)
    young = has['Young'] = chance(0.6)
    has['Attractive'] = chance(0.6 if young else 0.35)
    has['Pale_Skin'] = chance(0.25)
    has['Oval_Face'] = chance(0.4)
    has['Chubby'] = chance(0.4) and not has['Oval_Face']
    has['Double_Chin'] = chance(0.5 if has['Chubby'] else 0.15)
    has['High_Cheekbones'] = chance(0.4)
    has['Big_Nose'] = chance(0.4 if male else 0.25)
    has['Pointy_Nose'] = chance(0.35)
    has['Big_Lips'] = chance(0.35)
    has['Narrow_Eyes'] = chance(0.3)
    has['Bushy_Eyebrows'] = chance(0.5 if male else 0.2)
    has['Arched_Eyebrows'] = chance(0.25 if male else 0.55)
    has['Bags_Under_Eyes'] = chance(0.25 if young else 0.45)
    has['Bald'] = chance(0.32 if male else 0)
    if not has['Bald']:
        has['Receding_Hairline'] = chance(0.35 if male else 0.15)
        grey = 0.05 if young else 0.45
        # None is red hair, which has no attribute.
        colors = ('Gray_Hair', 'Black_Hair', 'Blond_Hair', 'Brown_Hair', None)
        color = colors[rng.choice(5, p=[grey, *[(1 - grey) * 0.3] * 3, (1 - grey) * 0.1])]
        texture = ('Straight_Hair', 'Wavy_Hair', None)[rng.choice(3, p=[0.38, 0.38, 0.24])]
        has.update({name: True for name in (color, texture) if name})
    has['No_Beard'] = not (male and chance(0.7))
    if not has['No_Beard']:
        # A man with none of the four styles has a full beard.
        for name in ('Goatee', 'Mustache', 'Sideburns', '5_o_Clock_Shadow'):
            has[name] = chance(0.48)
    return traits, has


def _sample_image(traits: dict, stable: Dict[str, bool], rng: np.random.Generator) -> Dict[str, bool]:
    """Samples the attributes of one image: all 40, in the order of ``ATTRIBUTES``."""
    male, makeup = stable['Male'], 0.04 if stable['Male'] else traits['makeup']
    smiling, necktie = rng.random() < 0.5, rng.random() < (0.32 if male else 0.06)
    probability = dict(
        Bangs=0.0 if stable['Bald'] or stable['Receding_Hairline'] else 0.2 if male else 0.4,
        Blurry=0.12,
        Eyeglasses=0.2,
        Heavy_Makeup=makeup * 0.7,
        Mouth_Slightly_Open=0.6 if smiling else 0.35,
        Rosy_Cheeks=0.15 if male else 0.35,
        Smiling=smiling,
        Wearing_Earrings=0.06 if male else 0.45,
        Wearing_Hat=0.13,
        Wearing_Lipstick=makeup,
        Wearing_Necklace=0.0 if necktie else 0.06 if male else 0.45,
        Wearing_Necktie=necktie,
    )
    # Every attribute always draws one number, so that changing one does not affect the others.
    has = stable | {name: bool(rng.random() < probability[name]) for name in TRANSIENT}
    return {name: has[name] for name in ATTRIBUTES}


def _sample_labels(identities: int, images: int, seed: int) -> np.ndarray:
    """The labels of a dataset without drawing its images: bool ``(identities, images, 40)``."""
    labels = np.zeros((identities, images, len(ATTRIBUTES)), bool)
    for identity in range(identities):
        traits, stable = _sample_identity(seed, identity)
        for image in range(images):
            labels[identity, image] = list(_sample_image(traits, stable, _image_rng(seed, identity, image)).values())
    return labels


def _image_rng(seed: int, identity: int, image: int) -> np.random.Generator:
    return np.random.default_rng([seed, 2, identity, image])
