"""Model files: one safetensors file with the weights and, as JSON, the config they belong to.

Nothing in a file is unpickled, evaluated or imported by path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnplug.errors import ModelFileError
from nnplug.files import write_atomically
from nnplug.specs import Array

FORMAT = 1
KEY = "nnplug"


def write_model(path: Path, header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a model file; one that exists is replaced as a whole, or stays as it is.

    Raises:
        ModelFileError: the file cannot be written.
    """
    import json

    import safetensors.numpy

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    content = safetensors.numpy.save(contiguous, {KEY: json.dumps({"format": FORMAT, **header})})
    try:
        write_atomically(path, content)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be written: {error.strerror}") from error


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read what `write_model` wrote.

    Raises:
        ModelFileError: the file is missing, or is no model of nnplug.
    """
    import json

    import safetensors

    try:
        with path.open("rb"):
            pass  # for an OSError that says what is wrong
        with safetensors.safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(KEY, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (safetensors.SafetensorError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # A TypeError or AttributeError is how it says that NumPy has no such dtype.
        raise ModelFileError(f"{path} is no model file: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("model"), dict):
        raise ModelFileError(f"{path} is a safetensors file, but not one that nnplug wrote: it has no config")
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} has format {header.get('format')!r}; this nnplug reads format {FORMAT}, a newer one may read it"
        )
    return header, arrays
