"""The settings of the tests: a folder of their own and the cheapest password hash; the rest is a laptop."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

RUNNER = os.environ.get("PYTEST_XDIST_WORKER", "main")
if "TEST_DATA_DIR" in os.environ:  # a portal or worker that a test started shares the test's folder
    os.environ["DATA_DIR"] = os.environ["TEST_DATA_DIR"]
else:
    if "TEST_FOLDER" not in os.environ:  # the first process makes it and cleans up; runners end without a goodbye
        os.environ["TEST_FOLDER"] = tempfile.mkdtemp(prefix="switchboard-test-")
        atexit.register(shutil.rmtree, os.environ["TEST_FOLDER"], ignore_errors=True)
    os.environ["DATA_DIR"] = os.path.join(os.environ["TEST_FOLDER"], RUNNER)
os.environ.setdefault("PUBLIC_URL", "http://127.0.0.1:8000")

from config.settings.base import *

# Tests that run side by side share a Redis: each runner, and the workers that it starts, keep to names of their own.
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {**CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix": f"{RUNNER}:"}
CACHES["default"]["KEY_PREFIX"] = RUNNER

ALLOWED_HOSTS = [*ALLOWED_HOSTS, "testserver"]
PASSWORD_HASH_TIME_COST = 1
PASSWORD_HASH_MEMORY_KIB = 8
