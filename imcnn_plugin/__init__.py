"""Identity-aware multi-task face attribute classification (IMCNN) for mmengine and mmpretrain.

Importing it registers every part in mmpretrain's registries; ``custom_imports = dict(imports=['imcnn_plugin'])`` in a
config does that.
"""

import io
import warnings
from contextlib import redirect_stdout

from .versions import check_versions

__version__ = '0.1.0'

printed = io.StringIO()
with warnings.catch_warnings(), redirect_stdout(printed):
    # mmcv-lite lacks compiled operators, of which nothing here needs any.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    check_versions()
    from . import checkpoints, datasets, engine, evaluation, models
# The forks print this each time, also into what a tool writes for other programs.
print(printed.getvalue().replace('Could not import OneDL\n', ''), end='')
del printed

checkpoints.allow_mmengine_checkpoints()

__all__ = ['checkpoints', 'datasets', 'engine', 'evaluation', 'models']
