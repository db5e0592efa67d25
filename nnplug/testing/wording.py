"""How reports name components: by the options that are not the default."""

from __future__ import annotations

from typing import Any

import attrs

from nnplug.options import options_of
from nnplug.registry import default_registry


def brief(component: Any) -> str:
    """``Affine(units=3)``: a component as one would write it, without options that are the default."""
    if isinstance(component, tuple):
        return f"({', '.join(map(brief, component))}{',' * (len(component) == 1)})"
    if not attrs.has(type(component)):
        return repr(component)
    told = []
    for name, option in options_of(type(component)).items():
        value = getattr(component, option.attribute.name)
        if not _is_default(value, option):
            told.append(f"{name}={brief(value)}")
    return f"{type(component).__name__}({', '.join(told)})"


def _is_default(value: Any, option: Any) -> bool:
    if option.required:
        return False
    default = option.default_value()
    if isinstance(default, str) and attrs.has(type(value)):  # a name, and the component that it may stand for
        return brief(value) == f"{type(value).__name__}()" and default_registry().name_of(value, "") == default
    return bool(value is default or (type(value) is type(default) and value == default))
