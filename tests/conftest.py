"""What all tests share: hypothesis profiles and the two folders of public vectors and data."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# Deadlines are off: a test that measures time fails on a busy machine and says nothing.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _PATIENT, max_examples=50)
settings.register_profile("ci", _PATIENT, max_examples=200, derandomize=True)
settings.register_profile("nightly", _PATIENT, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def _shared_folder(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / name)
    if not folder.is_dir():
        pytest.skip(f"no folder of {name}: set {variable} to it")
    return folder


@pytest.fixture(scope="session")
def vectors_folder() -> Path:
    """The folder of published test vectors; the test skips with a message if it is absent."""
    return _shared_folder("CIVREG_VECTORS", "vectors")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of registers to import; the test skips with a message if it is absent."""
    return _shared_folder("CIVREG_DATA", "data")


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT


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
