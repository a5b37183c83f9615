"""What the programs in script/ are made of."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def read_settings_file() -> None:
    """Take the settings of the file that ORCHESTRA_ENV_FILE names; the environment's own values win."""
    if file := os.environ.get("ORCHESTRA_ENV_FILE"):
        import environ

        try:
            with open(file, encoding="utf-8") as lines:
                environ.Env.read_env(lines)
        except (OSError, ValueError) as error:
            raise SystemExit(f"The file that ORCHESTRA_ENV_FILE names cannot be read: {error}") from None
