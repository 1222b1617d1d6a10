from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_calls import Caller

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.server import Sandbox


@pytest.fixture
def admin(koodrive_sandbox: Sandbox) -> Caller:
    return Caller(koodrive_sandbox)


@pytest.fixture
def user(koodrive_sandbox: Sandbox) -> Caller:
    return Caller(koodrive_sandbox, koodrive_sandbox.user_ids[1])


@pytest.fixture
def other(koodrive_sandbox: Sandbox) -> Caller:
    return Caller(koodrive_sandbox, koodrive_sandbox.user_ids[2])
