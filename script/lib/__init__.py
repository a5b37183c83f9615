"""What the programs in script/ are made of."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
