import ast
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config

from ..errors import DataError


def parse_config(text: str, path: Union[str, Path]) -> Config:
    """The config whose text a checkpoint holds, by reading assignments of literals and ``dict(...)``.

    ``Config.fromstring`` would run it as a program, and a file of weights should not be one.

    Args:
        text: What mmengine wrote.
        path: The checkpoint, for messages.

    Raises:
        DataError: It is no such text.
    """
    try:
        values = {}
        for statement in ast.parse(text).body:
            [target] = statement.targets
            values[target.id] = evaluate(statement.value)
        return Config(values)
    # The last two are those of texts that are nested too deeply.
    except (SyntaxError, ValueError, AttributeError, TypeError, KeyError, RecursionError, MemoryError) as error:
        reason = ' '.join(str(error).split())[:200]
        raise DataError(f'{path}: the config in it cannot be read ({reason})') from error


def evaluate(node: ast.expr) -> Any:
    """The value of a literal or ``dict(...)``; a ValueError for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        # Where keys are no names, mmengine writes dict({...}).
        found = evaluate(node.args[0]) if node.args else {}
        return {**found, **{keyword.arg: evaluate(keyword.value) for keyword in node.keywords}}
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(key): evaluate(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.List):
        return [evaluate(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(evaluate(item) for item in node.elts)
    return ast.literal_eval(node)
