"""Two releases of transformers and what differs in print: 5.23.0 and 4.57.1.

Each place is the file and the line that the logger shows. Version 4 writes its dicts as Python
does, splits files at 5 GB without a bar, and prints the tokenizer's files.
"""

from collections.abc import Mapping

from llmsim.job.records import Job

FIFTH: Mapping[str, str] = {
    "config file": "configuration_utils.py:1035",
    "config": "configuration_utils.py:1109",
    "generation file": "configuration_utils.py:1108",
    "generation": "configuration_utils.py:1154",
    "weights file": "modeling_utils.py:761",
    "max steps": "trainer.py:727",
    "loading model": "trainer.py:3659",
    "running": "trainer.py:1618",
    "examples": "trainer.py:1619",
    "epochs": "trainer.py:1620",
    "updates": "trainer.py:1621",
    "device batch": "trainer.py:1622",
    "batch": "trainer.py:1625",
    "accumulation": "trainer.py:1626",
    "steps": "trainer.py:1627",
    "trainable": "trainer.py:1628",
    "evaluating": "trainer.py:2949",
    "held out": "trainer.py:2951",
    "eval batch": "trainer.py:2954",
    "saving": "trainer.py:4141",
    "config saved": "configuration_utils.py:786",
    "generation saved": "configuration_utils.py:941",
    "one file": "modeling_utils.py:3630",
    "many files": "modeling_utils.py:3637",
    "tokenizer saved": "tokenization_utils_base.py:2144",
    "deleting": "trainer.py:2027",
    "completed": "trainer.py:1995",
}
FOURTH: Mapping[str, str] = {
    "config file": "configuration_utils.py:763",
    "config": "configuration_utils.py:839",
    "tokenizer file": "tokenization_utils_base.py:2093",
    "generation file": "configuration_utils.py:939",
    "generation": "configuration_utils.py:986",
    "weights file": "modeling_utils.py:1169",
    "max steps": "trainer.py:699",
    "half precision": "trainer.py:749",
    "loading model": "trainer.py:2934",
    "running": "trainer.py:2519",
    "examples": "trainer.py:2520",
    "epochs": "trainer.py:2521",
    "device batch": "trainer.py:2522",
    "batch": "trainer.py:2525",
    "accumulation": "trainer.py:2526",
    "steps": "trainer.py:2527",
    "trainable": "trainer.py:2528",
    "cached": "generic.py:960",
    "evaluating": "trainer.py:4643",
    "held out": "trainer.py:4645",
    "eval batch": "trainer.py:4648",
    "saving": "trainer.py:4309",
    "config saved": "configuration_utils.py:491",
    "generation saved": "configuration_utils.py:757",
    "one file": "modeling_utils.py:4181",
    "many files": "modeling_utils.py:4189",
    "tokenizer saved": "tokenization_utils_base.py:2590",
    "tokens saved": "tokenization_utils_base.py:2599",
    "deleting": "trainer.py:4418",
    "completed": "trainer.py:2810",
}
FOURTH_VERSION = "4.57.1"


def is_fourth(job: Job) -> bool:
    """Whether the run speaks the words of transformers 4."""
    return job.release.endswith(FOURTH_VERSION)


def place(job: Job, name: str) -> str:
    """The file and line of a statement in the run's release; a name that no table has is one."""
    return (FOURTH if is_fourth(job) else FIFTH).get(name, name)
