from typing import Optional, Union

from mmpretrain.registry import MODELS

from .imcnn import IMCNN, PAPER_INIT


@MODELS.register_module()
class LNet(IMCNN):
    """LNet of LNets+ANet (Liu et al. 2015, arXiv 1411.7766), here the trunk of IMCNN applied to a photo of any size.

    It learns from image-level labels where in a photo the evidence for each attribute is. The neck pools over
    positions and the head has one layer, so only this map keeps spatial information; see
    :func:`~imcnn_plugin.apis.response_maps`. It can load the weights of an IMCNN of the same width.

    Args:
        width: Multiplier of the number of channels of every layer.
        init_cfg: Defaults to the paper's Xavier filler.
    """

    # Pixels of the photo per pixel of the map.
    STRIDE = 8

    def __init__(self, width: float = 0.25, init_cfg: Optional[Union[dict, list]] = PAPER_INIT):
        super().__init__(width, 1, init_cfg)
        # The output is the map before this layer, (N, 384 * width, H / 8, W / 8).
        del self.layers.conv_attr
