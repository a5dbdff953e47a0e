"""Where the DAGs and Airflow's plugins are: in the project's checkout. An installed package does not have them.

Must not: find data of the packages; ``importlib.resources`` does.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from firehose.errors import FirehoseError


def checkout() -> Path:
    """The folder with ``dags`` and ``plugins`` of which this package is a part.

    Raises:
        FirehoseError: the package was installed without them.
    """
    package = Path(str(resources.files("devstack"))).resolve()
    root = package.parent.parent
    if all((root / name).is_dir() for name in ("dags", "plugins")):
        return root
    raise FirehoseError(
        f"Airflow needs the project's dags/ and plugins/, and {package} was installed without them: clone the "
        "project and run the command there after `make env` (`firehose once` works without Airflow)"
    )
