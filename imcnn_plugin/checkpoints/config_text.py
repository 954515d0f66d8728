import ast
from pathlib import Path
from typing import Any, Iterator, Union

from mmengine.config import Config

from ..errors import DataError


def parse_config(text: str, path: Union[str, Path]) -> Config:
    """Parses the config text of a checkpoint: assignments of literals and ``dict(...)``.

    ``Config.fromstring`` would execute the text, and loading weights must not run code.

    Args:
        text: The config as mmengine wrote it.
        path: The checkpoint, for messages.

    Raises:
        DataError: The text contains anything else.
    """
    try:
        values = {}
        for statement in ast.parse(text).body:
            [target] = statement.targets
            values[target.id] = _evaluate(statement.value)
        return Config(values)
    # The last two are raised for text that is nested too deeply.
    except (SyntaxError, ValueError, AttributeError, TypeError, KeyError, RecursionError, MemoryError) as error:
        reason = ' '.join(str(error).split())[:200]
        raise DataError(f'{path}: the config in it cannot be read ({reason})') from error


def config_dicts(node: Any) -> Iterator[dict]:
    """All dicts in a part of a config."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for value in node if isinstance(node, (list, tuple)) else ():
        yield from config_dicts(value)


def _evaluate(node: ast.expr) -> Any:
    """Returns the value of a literal or ``dict(...)``; raises ValueError for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        # mmengine writes dict({...}) if a key is not an identifier.
        found = _evaluate(node.args[0]) if node.args else {}
        return {**found, **{keyword.arg: _evaluate(keyword.value) for keyword in node.keywords}}
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(key): _evaluate(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.List):
        return [_evaluate(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_evaluate(item) for item in node.elts)
    return ast.literal_eval(node)
