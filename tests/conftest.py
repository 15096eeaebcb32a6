"""How hard Hypothesis tries: ``HYPOTHESIS_PROFILE=long`` for a night, the usual profile for every day."""

import os

from hypothesis import HealthCheck, settings

from tests.browser import pytest_terminal_summary as pytest_terminal_summary

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("usual", max_examples=25, deadline=None, suppress_health_check=_slow)
settings.register_profile("ci", parent=settings.get_profile("usual"), derandomize=True, database=None)
settings.register_profile("long", parent=settings.get_profile("usual"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
