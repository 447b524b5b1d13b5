"""Published vectors of floor 0: the usual folder must be complete, another one is run as found."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

VectorFiles = Callable[[str], Iterator[tuple[str, Any]]]


@pytest.fixture(scope="session")
def usual_vectors(vectors_folder: Path, project_root: Path) -> bool:
    """Whether the vectors are those of the project's README, whose numbers of cases we know."""
    return vectors_folder.resolve() == (project_root.parent / "shared/vectors").resolve()


@pytest.fixture(scope="session")
def vector_files(vectors_folder: Path) -> VectorFiles:
    """All JSON files of a topic; skips if the topic is absent, fails if its folder is empty."""

    def files(topic: str) -> Iterator[tuple[str, Any]]:
        if not (vectors_folder / topic).is_dir():
            pytest.skip(f"no folder {topic} among the vectors")
        paths = sorted((vectors_folder / topic).rglob("*.json"))
        assert paths, f"the folder {topic} of the vectors is empty"
        return ((path.name, json.loads(path.read_text())) for path in paths)

    return files
