"""Where pip has installed a run's packages: one folder, which has its Python's version in its name.

Debian's and Ubuntu's Python, which containers have, call it dist-packages.
"""

from llmsim.job.records import Software

PACKAGES = "<packages>"  # stands for the folder in a path that is written before the run is known


def folder(software: Software) -> str:
    """The folder of a run's packages: /usr/local/lib/python3.12/dist-packages."""
    release = ".".join(software.python.split(".")[:2])
    return f"/usr/local/lib/python{release}/dist-packages"


def placed(software: Software, path: str) -> str:
    """A path whose PACKAGES is the run's folder."""
    return path.replace(PACKAGES, folder(software))
