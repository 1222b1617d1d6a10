"""The sandbox of the tests of creating."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=8) as running:
        yield running
