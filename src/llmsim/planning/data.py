"""The data of a job: a listed set, or one that a job file describes."""

from llmsim.catalog import records
from llmsim.catalog.records import Dataset
from llmsim.errors import CatalogError, PlanError
from llmsim.options.wanted import Wanted
from llmsim.typed import Any


def asked_dataset(wanted: Wanted, kind: str) -> Dataset | None:
    """The data set that is asked for by name or size; None where it is the planner's to choose.

    `kind` is that of a set which does not say its own. Raises CatalogError for a name that is not
    listed and has no tokens beside it.
    """
    if wanted.dataset is None and wanted.data_tokens is None:
        if wanted.rows is not None:
            raise PlanError("[data] rows are of a set with a name or tokens: give one of them.")
        return None
    listed = _listed(wanted)
    changed: dict[str, Any] = {
        "tokens": wanted.data_tokens,
        "kind": wanted.kind,
        "rows": wanted.rows,
    }
    made = listed or Dataset(wanted.dataset or "custom", 1, kind)
    dataset = made._replace(**{name: value for name, value in changed.items() if value is not None})
    if dataset.rows > dataset.tokens:
        more = f"[data] has {dataset.rows:,} rows, more than its {dataset.tokens:,} tokens"
        raise PlanError(f"{more}: a row has one or more.")
    return dataset


def _listed(wanted: Wanted) -> Dataset | None:
    """The listed set of this name; None where tokens say how large another one is."""
    if wanted.dataset is None:
        return None
    try:
        return records.dataset_named(wanted.dataset)
    except CatalogError:
        if wanted.data_tokens is None:
            raise
        return None
