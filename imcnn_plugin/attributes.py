"""CelebA's 40 attribute names and the attribute groups; this is their only definition.

A group is ``dict(name=..., labels=[...], slice=...)``, as expected by
:class:`~imcnn_plugin.models.GroupedMultiLabelHead`. ``slice`` is the index of the slice of the
backbone's feature map that the group reads.
"""

__all__ = ['ATTRIBUTES', 'FIRST_SPLIT', 'FOUR_GROUPS', 'IDENTITY_STABLE', 'NINE_GROUPS', 'TRANSIENT']

# In the order of list_attr_celeba.txt.
ATTRIBUTES = (
    '5_o_Clock_Shadow', 'Arched_Eyebrows', 'Attractive', 'Bags_Under_Eyes', 'Bald', 'Bangs', 'Big_Lips',
    'Big_Nose', 'Black_Hair', 'Blond_Hair', 'Blurry', 'Brown_Hair', 'Bushy_Eyebrows', 'Chubby', 'Double_Chin',
    'Eyeglasses', 'Goatee', 'Gray_Hair', 'Heavy_Makeup', 'High_Cheekbones', 'Male', 'Mouth_Slightly_Open',
    'Mustache', 'Narrow_Eyes', 'No_Beard', 'Oval_Face', 'Pale_Skin', 'Pointy_Nose', 'Receding_Hairline',
    'Rosy_Cheeks', 'Sideburns', 'Smiling', 'Straight_Hair', 'Wavy_Hair', 'Wearing_Earrings', 'Wearing_Hat',
    'Wearing_Lipstick', 'Wearing_Necklace', 'Wearing_Necktie', 'Young',
)  # fmt: skip

# Transient attributes may differ between two photos of an identity; identity-stable ones do not. Synthetic faces
# follow this strictly. In real datasets it is a matter of degree: see the within-identity agreement of labels.
TRANSIENT = (
    'Bangs', 'Blurry', 'Eyeglasses', 'Heavy_Makeup', 'Mouth_Slightly_Open', 'Rosy_Cheeks', 'Smiling',
    'Wearing_Earrings', 'Wearing_Hat', 'Wearing_Lipstick', 'Wearing_Necklace', 'Wearing_Necktie',
)  # fmt: skip
IDENTITY_STABLE = tuple(name for name in ATTRIBUTES if name not in TRANSIENT)

# First split of the paper (section 3.1). Each has its own ConvAttr layer, that is, one slice of the feature map.
FIRST_SPLIT = ('Nose', 'Mouth', 'Eyes', 'Face', 'Gender', 'Rest')

# Nine groups of Hand & Chellappa (2016), which the paper follows. The last four share Rest's ConvAttr (second split).
NINE_GROUPS = [
    dict(name='Gender', slice=4, labels=['Male']),
    dict(name='Nose', slice=0, labels=['Big_Nose', 'Pointy_Nose']),
    dict(name='Mouth', slice=1, labels=['Big_Lips', 'Smiling', 'Wearing_Lipstick', 'Mouth_Slightly_Open']),
    dict(name='Eyes', slice=2, labels=[
        'Arched_Eyebrows', 'Bags_Under_Eyes', 'Bushy_Eyebrows', 'Narrow_Eyes', 'Eyeglasses',
    ]),
    dict(name='Face', slice=3, labels=['Attractive', 'Blurry', 'Oval_Face', 'Pale_Skin', 'Young', 'Heavy_Makeup']),
    dict(name='AroundHead', slice=5, labels=[
        'Black_Hair', 'Blond_Hair', 'Brown_Hair', 'Gray_Hair', 'Wearing_Earrings', 'Wearing_Necklace',
        'Wearing_Necktie', 'Bald', 'Receding_Hairline', 'Bangs', 'Wearing_Hat', 'Straight_Hair', 'Wavy_Hair',
    ]),
    dict(name='FacialHair', slice=5, labels=['5_o_Clock_Shadow', 'Mustache', 'No_Beard', 'Sideburns', 'Goatee']),
    dict(name='Cheeks', slice=5, labels=['High_Cheekbones', 'Rosy_Cheeks']),
    dict(name='Fat', slice=5, labels=['Chubby', 'Double_Chin']),
]  # fmt: skip

# The spatial groups printed in section 3.1 of the paper; IMCNN-Dense has one group block for each.
FOUR_GROUPS = [
    dict(name='Upper', slice=0, labels=[
        'Arched_Eyebrows', 'Bags_Under_Eyes', 'Bushy_Eyebrows', 'Narrow_Eyes', 'Eyeglasses', 'Black_Hair',
        'Blond_Hair', 'Brown_Hair', 'Gray_Hair', 'Bald', 'Receding_Hairline', 'Bangs', 'Wearing_Hat',
    ]),
    dict(name='Middle', slice=1, labels=[
        'Big_Nose', 'Pointy_Nose', 'Wearing_Earrings', 'Sideburns', 'High_Cheekbones', 'Rosy_Cheeks',
    ]),
    dict(name='Lower', slice=2, labels=[
        'Big_Lips', 'Wearing_Lipstick', 'Mouth_Slightly_Open', 'Wearing_Necklace', 'Wearing_Necktie', 'Mustache',
        'No_Beard', 'Goatee', 'Double_Chin',
    ]),
    dict(name='Whole', slice=3, labels=[
        'Male', 'Smiling', 'Attractive', 'Blurry', 'Oval_Face', 'Pale_Skin', 'Young', 'Heavy_Makeup',
        'Straight_Hair', 'Wavy_Hair', '5_o_Clock_Shadow', 'Chubby',
    ]),
]  # fmt: skip
