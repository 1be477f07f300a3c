"""Prints which test holds the wire to which section of the contract: `python -m tests.matrix`."""

from __future__ import annotations

import contextlib
import io
import sys
from collections import defaultdict

import pytest


class Matrix:
    """A pytest plugin that collects the `wire` marks and runs nothing."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], set[str]] = defaultdict(set)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the marked tests under their dialect and section; the cases of one test count as one."""
        for item in items:
            for mark in item.iter_markers("wire"):
                dialect, section = mark.args
                self.rows[dialect, section].add(item.nodeid.partition("[")[0])

    def text(self) -> str:
        """Answer the matrix as Markdown: one section of the contract, then its tests."""
        lines: list[str] = []
        for (dialect, section), tests in sorted(self.rows.items()):
            lines += [f"## {dialect}: {section}", *(f"- {test}" for test in sorted(tests)), ""]
        return "\n".join(lines)


def main() -> int:
    """Collect and print; answers pytest's exit code when something cannot be collected."""
    matrix = Matrix()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(["--collect-only", "-q", "tests/integrations"], plugins=[matrix])
    sys.stdout.write(said.getvalue() if code else matrix.text())
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
