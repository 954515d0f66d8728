"""Every backbone of mmpretrain, what the head needs to know of it, and why some cannot have one.

``python tests/backbones.py`` prints the table of docs/backbones.md.
"""

from dataclasses import dataclass
from typing import Any, Dict, Optional

import torch
from mmengine.registry import DefaultScope
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from torch import nn


@dataclass(frozen=True)
class Backbone:
    """A backbone that the head works on.

    Attributes:
        name: As registered.
        usual: Its arguments in a common size, for images of ``usual_side`` pixels.
        channels: Then the head's ``in_channels``.
        small: The arguments of a small network, for images of ``side`` pixels; None: those of ``usual``.
        small_channels: Then the head's ``in_channels``.
        layout: The head's.
        image_channels: Of the images.
        norms: Batch normalizations of the small network that cannot be merged into a convolution. None: it depends.
        slow: Whether a test of the small network takes more than two seconds.
        note: What else to set, or to know.
    """

    name: str
    usual: Dict[str, Any]
    channels: int
    small: Optional[Dict[str, Any]] = None
    small_channels: Optional[int] = None
    side: int = 64
    usual_side: int = 224
    layout: Optional[str] = None
    image_channels: int = 3
    norms: Optional[int] = 0
    slow: bool = False
    note: str = ''

    def model(self, small: bool = True) -> ImageClassifier:
        """A classifier of three labels."""
        return classifier(
            dict(type=self.name, **(self.usual if self.small is None or not small else self.small)),
            (self.small_channels if small else None) or self.channels,
            layout=self.layout,
            image_channels=self.image_channels,
        )

    def images(self) -> torch.Tensor:
        """Eight of the small network's size."""
        return draw_images(self.side, self.image_channels)


def classifier(backbone, channels, neck=None, crop_size=None, image_channels=3, **head):
    """A classifier of three labels on a backbone."""
    config = dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            type='FacePreprocessor',
            mean=(120, 110, 100)[:image_channels],
            std=(60, 61, 62)[:image_channels],
            crop_size=crop_size,
        ),
        backbone=backbone,
        neck=neck,
        head=dict(
            type='GroupedMultiLabelHead',
            classes=['a', 'b', 'c'],
            groups=[dict(name='all', labels=['a', 'b', 'c'])],
            in_channels=channels,
            hidden_dims=(8,),
            **head,
        ),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(config)


def draw_images(side, channels=3):
    """Blurred noise of different brightness and contrast, uint8 ``(8, channels, side, side)``."""
    noise = nn.functional.interpolate(torch.rand(8, channels, 8, 8), (side, side), mode='bilinear')
    return (noise * torch.rand(8, 1, 1, 1) + torch.rand(8, channels, 1, 1)).mul(127).byte()


@torch.no_grad()
def spread(model, images):
    """Gives an untrained network the statistics, and logits that vary as much between images, as a trained one has."""
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    x = model.data_preprocessor(dict(inputs=images))['inputs']
    # The method of some backbones returns nothing.
    model.train()
    model(x)
    for norm in norms:
        norm.running_var.mul_(torch.empty_like(norm.running_var).uniform_(0.7, 1.4)).clamp_(min=1e-3)
    model.eval()
    [bank], logits = model.head.banks, model(x)
    scale = 2 / logits.std(0)
    bank.fc.weight.mul_(scale[:, None])
    bank.fc.bias.copy_((bank.fc.bias - logits.mean(0)) * scale)


# oneDNN's 1x1 convolutions of stride 2 on fewer than 16 channels can write past their memory, so none is so narrow.
_VIT = dict(embed_dims=64, num_layers=2, num_heads=2, feedforward_channels=64)
_SMALL_VIT = dict(arch=_VIT, img_size=64)
_RESNET = dict(depth=18, stem_channels=16, base_channels=16)
_BOTTLENECK = dict(depth=50, stem_channels=16, base_channels=4)
_SWIN = dict(embed_dims=32, depths=[1] * 4, num_heads=[1, 2, 4, 8])
_PATCHES = dict(patch_sizes=[4, 2, 2, 2], strides=[4, 2, 2, 2], mlp_ratios=[2] * 4, sr_ratios=[8, 4, 2, 1])
_TWINS = dict(embed_dims=[16] * 4, depths=[1] * 4, num_heads=[1] * 4, **_PATCHES)
_FORMER = dict(layers=[1] * 4, embed_dims=[8, 16, 24, 32])
_EFFICIENT_FORMER = dict(**_FORMER, downsamples=[False, True, True, True], vit_num=1)
_EDGE = dict(channels=[16, 32, 48, 64], depths=[2] * 4, num_heads=[4] * 4)
_HORNET = dict(base_dim=8, depths=[1] * 4, orders=[2, 3, 4, 5], dw_cfg=[dict(type='DW', kernel_size=7)] * 4)
_MVIT = dict(embed_dims=32, num_layers=3, num_heads=1, downscale_indices=[1])
_MIXER = dict(embed_dims=32, num_layers=2, tokens_mlp_dims=16, channels_mlp_dims=32)
_MOBILE_ONE = dict(num_blocks=[1] * 4, width_factor=[0.25] * 4, num_conv_branches=[2] * 4, num_se_blocks=[0] * 4)
_REGNET = dict(w0=16, wa=32, wm=1.5, group_w=8, depth=4, bot_mul=1.0)
_REP_LK = dict(large_kernel_sizes=[7] * 4, layers=[1] * 4, channels=[8, 16, 32, 64], small_kernel=3, dw_ratio=1)
_REP_MLP = dict(channels=[16, 32], depths=[1, 1], sharesets_nums=[1, 4])
_REP_VGG = dict(num_blocks=[1] * 4, width_factor=[0.25] * 4, group_layer_map=None, se_cfg=None)
_TNT = dict(embed_dims_outer=32, embed_dims_inner=8, num_layers=2, num_heads_inner=2, num_heads_outer=2)
_TINY_VIT = dict(channels=[16, 32, 32, 64], num_heads=[1, 2, 2, 4], depths=[1] * 4)
_VAN = dict(embed_dims=[8, 16, 32, 64], depths=[1] * 4, ffn_ratios=[2] * 4)

_IMG_SIZE = 'set `img_size` to the image size'
_CONTIGUOUS = 'training on CPUs: `FacePreprocessor` without `crop_size` and `flip_prob`, see below'
_NEIGHBORS = (
    'requires images of 224 pixels; no batch norm is merged if rounding changes its graph of nearest neighbors'
)

BACKBONES = [
    Backbone('AlexNet', {}, 256, side=96),
    Backbone('BEiTViT', {}, 768, _SMALL_VIT, 64),
    Backbone('CSPDarkNet', dict(depth=53), 1024, slow=True),
    Backbone('CSPResNeXt', dict(depth=50), 2048, slow=True),
    Backbone('CSPResNet', dict(depth=50), 1024, slow=True),
    Backbone('Conformer', {}, 256 + 384, slow=True, note='two vectors, concatenated'),
    Backbone('ConvMixer', {}, 768, dict(arch=dict(embed_dims=32, depth=2, patch_size=4, kernel_size=5)), 32, norms=5),
    Backbone('ConvNeXt', {}, 768, dict(arch=dict(depths=[1] * 4, channels=[8, 16, 24, 32])), 32),
    Backbone('DaViT', {}, 768, dict(arch=_SWIN, pad_small_map=True), 256),
    Backbone('DeiT3', {}, 768, _SMALL_VIT, 64),
    Backbone('DenseNet', {}, 1024, dict(arch=dict(growth_rate=8, depths=[2, 2], init_channels=16)), 32, norms=6),
    Backbone('DistilledVisionTransformer', {}, 768, _SMALL_VIT, 64, note='two tokens, averaged'),
    Backbone('EdgeNeXt', {}, 168, dict(arch=_EDGE), 64),
    Backbone(
        'EfficientFormer',
        {},
        448,
        dict(arch=_EFFICIENT_FORMER),
        32,
        224,
        layout='NCL',
        note='requires images of 224 pixels',
    ),
    Backbone('EfficientNet', {}, 1280, slow=True),
    Backbone('EfficientNetV2', {}, 1280, dict(arch='b0'), slow=True),
    Backbone(
        'HRNet', {}, 256, dict(arch='w18'), 144, norms=10, slow=True, note='uses the map of the lowest resolution'
    ),
    Backbone('HiViT', {}, 512, dict(arch=dict(embed_dims=64, depths=[1, 1, 7], num_heads=2), img_size=64), 64),
    Backbone('HorNet', {}, 512, dict(arch=_HORNET), 64),
    Backbone(
        'InceptionV3',
        dict(num_classes=512),
        512,
        side=96,
        usual_side=299,
        slow=True,
        note='set `num_classes` to the number of channels',
    ),
    Backbone('LeNet5', {}, 120, side=32, usual_side=32, image_channels=1, note='grayscale images of 32 pixels'),
    Backbone('LeViT', dict(arch='256'), 512, dict(arch='128s', img_size=64), 384, note=_IMG_SIZE),
    Backbone('MViT', {}, 768, dict(arch=_MVIT, img_size=64), 64),
    Backbone(
        'MixMIMTransformer', {}, 1024, dict(arch=_SWIN, img_size=64, window_size=[4, 4, 4, 2]), 256, note=_IMG_SIZE
    ),
    Backbone('MlpMixer', {}, 768, dict(arch=_MIXER, img_size=64), 32, layout='NCL', note=_IMG_SIZE),
    Backbone('MobileNetV2', {}, 1280, dict(widen_factor=0.25)),
    Backbone('MobileNetV3', {}, 576),
    Backbone('MobileOne', dict(arch='s0'), 1024, dict(arch=_MOBILE_ONE), 128, norms=1, note=_CONTIGUOUS),
    Backbone('MobileViT', {}, 640, dict(arch='xx_small'), 320),
    Backbone('PCPVT', dict(arch='small'), 512, dict(arch=_TWINS), 16),
    Backbone('PoolFormer', {}, 512, dict(arch=_FORMER, out_indices=(6,)), 32),
    Backbone('PyramidVig', dict(arch='tiny'), 384, side=224, norms=None, slow=True, note=_NEIGHBORS),
    Backbone('RIFormer', {}, 512, dict(arch=_FORMER, out_indices=(6,)), 32),
    Backbone('RegNet', dict(arch='regnetx_400mf'), 384, dict(arch=_REGNET), 120),
    Backbone('RepLKNet', dict(arch='31B'), 1024, dict(arch=_REP_LK), 64, norms=9),
    Backbone(
        'RepMLPNet',
        dict(arch='base'),
        768,
        dict(arch=_REP_MLP, img_size=64, out_indices=(1,)),
        32,
        norms=7,
        note=_IMG_SIZE,
    ),
    Backbone('RepVGG', dict(arch='A0'), 1280, dict(arch=_REP_VGG), 128, note=_CONTIGUOUS),
    Backbone('Res2Net', dict(depth=50), 2048, dict(_BOTTLENECK, scales=2, base_width=4), 128),
    Backbone('ResNeSt', dict(depth=50), 2048, _BOTTLENECK, 128),
    Backbone('ResNeXt', dict(depth=50), 2048, dict(_BOTTLENECK, groups=2), 128),
    Backbone('ResNet', dict(depth=18), 512, _RESNET, 128),
    Backbone('ResNetV1c', dict(depth=50), 2048, _RESNET, 128),
    Backbone('ResNetV1d', dict(depth=50), 2048, _RESNET, 128),
    Backbone('ResNet_CIFAR', dict(depth=18), 512, _RESNET, 128),
    Backbone('RevVisionTransformer', {}, 1536, _SMALL_VIT, 128, note='twice the width, for its two streams'),
    Backbone('SEResNeXt', dict(depth=50), 2048, dict(_BOTTLENECK, groups=2), 128),
    Backbone('SEResNet', dict(depth=50), 2048, _BOTTLENECK, 128),
    Backbone('SVT', dict(arch='small'), 512, dict(arch=dict(_TWINS, window_sizes=[4] * 4)), 16),
    Backbone('ShuffleNetV1', {}, 960),
    Backbone('ShuffleNetV2', {}, 1024, dict(widen_factor=0.5)),
    Backbone('SwinTransformer', {}, 768, dict(arch=_SWIN, pad_small_map=True), 256),
    Backbone(
        'SwinTransformerV2',
        {},
        768,
        dict(arch=dict(_SWIN, extra_norm_every_n_blocks=0), pad_small_map=True),
        256,
        usual_side=256,
    ),
    Backbone('T2T_ViT', {}, 384, dict(img_size=64, embed_dims=64, num_layers=2, layer_cfgs=dict(num_heads=2)), 64),
    Backbone('TNT', {}, 640, dict(arch=_TNT, img_size=64), 32),
    Backbone(
        'TinyViT', {}, 320, dict(arch=_TINY_VIT, img_size=(64, 64), window_size=[4, 4, 4, 2]), 64, note=_IMG_SIZE
    ),
    Backbone('VAN', {}, 256, dict(arch=_VAN), 64, norms=8),
    Backbone('VGG', dict(depth=11, norm_cfg=dict(type='BN')), 512, slow=True),
    Backbone('ViTEVA02', {}, 192, _SMALL_VIT, 64),
    Backbone(
        'ViTSAM',
        {},
        256,
        dict(arch=dict(_VIT, global_attn_indexes=[1]), img_size=64, out_channels=32, window_size=2),
        32,
    ),
    Backbone('Vig', dict(arch='tiny'), 192, side=224, norms=None, slow=True, note=_NEIGHBORS),
    Backbone('VisionTransformer', {}, 768, _SMALL_VIT, 64),
    Backbone('XCiT', {}, 768, dict(patch_size=16, embed_dims=64, depth=1, num_heads=2, img_size=64), 64, norms=1),
]

# Those without the head: why, the arguments of a small one, and what it then raises.
EXCEPTIONS = {
    'CSPNet': ('the base class of the other CSP networks, not registered', None, None),
    'SparseConvNeXt': (
        "only computes under SparK's pre-training mask: load its weights into `ConvNeXt`",
        dict(arch=dict(depths=[1] * 4, channels=[8, 16, 24, 32])),
        "AttributeError.*'shape'",
    ),
    'SparseResNet': (
        "only computes under SparK's pre-training mask: load its weights into `ResNet`",
        dict(depth=50),
        "AttributeError.*'shape'",
    ),
}
# Networks for pre-training on masked images or on pairs, in models.selfsup: the backbone that takes their weights.
PRETRAINING = {
    'BEiTPretrainViT': 'BEiTViT',
    'CAEPretrainViT': 'BEiTViT',
    'MAEHiViT': 'HiViT',
    'MAEViT': 'VisionTransformer',
    'MFFViT': 'VisionTransformer',
    'MILANViT': 'VisionTransformer',
    'MaskFeatViT': 'VisionTransformer',
    'MixMIMPretrainTransformer': 'MixMIMTransformer',
    'MoCoV3ViT': 'VisionTransformer',
    'SimMIMSwinTransformer': 'SwinTransformer',
    'iTPNHiViT': 'HiViT',
}


def table():
    """The lines of docs/backbones.md that follow from the lists above."""
    lines = ['| backbone | arguments | `in_channels` | `layout` | fused | note |', '|---|---|---:|---|---|---|']
    for backbone in BACKBONES:
        arguments = ', '.join(f'{key}={value!r}' for key, value in backbone.usual.items())
        fused = 'same labels' if backbone.norms == 0 else 'same labels; some batch norms stay'
        cells = (
            f'`{backbone.name}`',
            arguments and f'`{arguments}`',
            str(backbone.channels),
            backbone.layout and f"'{backbone.layout}'" or '',
            fused,
            backbone.note,
        )
        lines.append('| ' + ' | '.join(cells) + ' |')
    lines += ['', '| not supported | reason |', '|---|---|']
    lines += [f'| `{name}` | {why} |' for name, (why, *_) in EXCEPTIONS.items()]
    lines += ['', '| pre-training backbone | load its weights into |', '|---|---|']
    return lines + [f'| `{name}` | `{backbone}` |' for name, backbone in PRETRAINING.items()]


if __name__ == '__main__':
    print('\n'.join(table()))
