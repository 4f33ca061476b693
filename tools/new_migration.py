"""Write the next migration from the difference between the tables and an empty (or migrated) database.

    .venv/bin/python -P tools/new_migration.py "what changes"

Read and mend what it writes: Alembic sees columns and constraints, not triggers.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from alembic import command

from daemon.store import Store, alembic_config


def main(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/empty.sqlite")
        config = alembic_config()
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.revision(config, message, autogenerate=True)
        store.close()


if __name__ == "__main__":
    main(sys.argv[1])
