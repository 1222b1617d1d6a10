"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

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
