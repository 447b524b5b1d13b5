"""Published vectors of floor 1: the usual folder must be complete, another one is run as found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VectorFiles = Callable[[str], list[tuple[str, Any]]]


@pytest.fixture(scope="session")
def usual_vectors(vectors_folder: Path, project_root: Path) -> bool:
    """Whether the vectors are those of the project's README, whose numbers of cases we know."""
    return vectors_folder.resolve() == (project_root.parent / "shared/vectors").resolve()


@pytest.fixture(scope="session")
def vector_files(vectors_folder: Path) -> VectorFiles:
    """All JSON files of a topic, by their paths in it; skips without the topic."""

    def files(topic: str) -> list[tuple[str, Any]]:
        folder = vectors_folder / topic
        if not folder.is_dir():
            pytest.skip(f"no folder {topic} among the vectors")
        paths = sorted(folder.rglob("*.json"))
        assert paths, f"the folder {topic} of the vectors is empty"
        return [
            (path.relative_to(folder).as_posix(), json.loads(path.read_text())) for path in paths
        ]

    return files
