"""Identity-aware multi-task face attribute classification (IMCNN) for mmengine and mmpretrain.

Importing it registers every part in mmpretrain's registries; ``custom_imports = dict(imports=['imcnn_plugin'])`` in a
config does that. It also lets ``torch.load(weights_only=True)`` read what checkpoints of mmengine hold, and leaves the
rest of the process as it is: checkpoint loaders, warnings, standard output.
"""

import warnings

from .versions import check_versions

__version__ = '0.2.0'

# mmcv-lite lacks compiled operators, of which nothing here needs any.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
# Not warnings.catch_warnings, which would undo the filters of torch and NumPy, too.
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
