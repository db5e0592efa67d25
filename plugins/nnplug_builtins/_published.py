"""Published files, and whether a file is one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from attrs import frozen


@frozen
class Published:
    """What a file must be to be the published one.

    Args:
        size: in bytes.
        md5: the MD5 sum, as 32 hexadecimal digits.
    """

    size: int
    md5: str

    def fault(self, path: Path) -> str:
        """What makes the file at ``path`` another one; nothing, if it is the published one.

        Raises:
            OSError: it cannot be read.
        """
        size = path.stat().st_size
        if size != self.size:
            return f"it has {size} bytes and should have {self.size}"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return "" if found == self.md5 else f"its MD5 sum is {found} and should be {self.md5}"

    def is_at(self, path: Path) -> bool:
        """Whether the published file is there."""
        return path.is_file() and not self.fault(path)
