"""Settings that all tests share."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

# Files whose tests share one Airflow with scheduler and workers.
DEPLOYMENT = ("test_kills.py", "test_leaks.py", "test_queued_connection_test.py")

# KOODRIVE_FUZZ_EXAMPLES=2000 makes every property test look longer.
settings.register_profile(
    "koodrive",
    max_examples=int(os.environ.get("KOODRIVE_FUZZ_EXAMPLES", "50")),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("koodrive")


def pytest_collection_finish() -> None:
    # Thousands of tests and Airflow's modules stay; the collector need not visit them again and again.
    gc.collect()
    gc.freeze()


class Scheduling(LoadScopeScheduling):
    """Distribute tests to workers so that those which share an expensive fixture stay together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.endswith(DEPLOYMENT):
            return "deployment"
        # All parameters of another test stay together: one message per parameter costs more than it balances.
        return file if file.startswith("tests/airflow/") else nodeid.partition("[")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)
