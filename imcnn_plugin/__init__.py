"""Identity-aware multi-task face attribute classification (IMCNN) for mmengine and mmpretrain.

Importing the package registers its modules in mmpretrain's registries; in a config, use
``custom_imports = dict(imports=['imcnn_plugin'])``. The import also allows ``torch.load(weights_only=True)`` to read
mmengine's checkpoints. It does not change checkpoint loaders, warning filters or standard output.
"""

import warnings

from .versions import check_versions

__version__ = '0.2.0'

# mmcv-lite has no compiled operators, and this package needs none.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
# warnings.catch_warnings would also undo the filters of torch and NumPy.
_filter = warnings.filters[0]
try:
    check_versions()
    from . import framework

    framework.import_datasets()
    from . import checkpoints, datasets, engine, evaluation, models
finally:
    warnings.filters.remove(_filter)

checkpoints.allow_mmengine_checkpoints()

__all__ = ['checkpoints', 'datasets', 'engine', 'evaluation', 'models']
