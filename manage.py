#!/usr/bin/env python
"""The door of every operator command; a refused setting is one readable line, not a traceback."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from config.settings import chosen


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", chosen())
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        sys.exit(f"switchboard: {refusal}")


if __name__ == "__main__":
    main()
