from typing import Optional, Union

from mmpretrain.registry import MODELS

from .imcnn import IMCNN, PAPER_INIT


@MODELS.register_module()
class LNet(IMCNN):
    """LNet of LNets+ANet (Liu et al. 2015, arXiv 1411.7766), here the trunk of IMCNN over a photo of any size.

    It learns from the labels of whole photos which places speak for attributes. A neck that pools over positions and a
    head with one layer leave this map as the only one that knows where; see
    :func:`~imcnn_plugin.apis.response_maps`. The weights of an IMCNN of the same width fit.

    Args:
        width: Multiplier of the number of channels of every layer.
        init_cfg: Defaults to the paper's Xavier filler.
    """

    # Pixels of the photo for one of the map.
    STRIDE = 8

    def __init__(self, width: float = 0.25, init_cfg: Optional[Union[dict, list]] = PAPER_INIT):
        super().__init__(width, 1, init_cfg)
        # The map (N, 384 * width, H / 8, W / 8) before it.
        del self.layers.conv_attr
