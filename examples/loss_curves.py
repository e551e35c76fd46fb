"""Loss curves of all runs of a data set, in DuckDB: a table, and a chart if there is matplotlib.

python examples/loss_curves.py fleet curves.png
"""

import sys

import duckdb

# A hundred points a run are enough; a loss of nan is no point.
CURVES = """
SELECT run_id, round(100 * step / steps) AS percent, avg(loss) AS loss,
       any_value(parameters) AS size
FROM '{data}/steps/*.parquet' s JOIN '{data}/runs/*.parquet' r USING (run_id)
WHERE loss < 20 AND recipe = 'pretrain'
GROUP BY run_id, percent ORDER BY run_id, percent
"""


def main(data: str, chart: str = "") -> None:
    """Prints the final loss by the size of the model, and draws the curves."""
    duck = duckdb.connect()
    duck.sql("CREATE TABLE curves AS " + CURVES.format(data=data))
    rows = duck.sql("""
        SELECT floor(log10(size) * 2) / 2 AS power, count(DISTINCT run_id), median(loss), min(loss)
        FROM curves WHERE percent >= 99 GROUP BY power ORDER BY power
    """).fetchall()
    print("parameters from  runs  median final loss  best")
    for power, runs, middle, best in rows:
        print(f"{10**power:15.1e} {runs:5} {middle:18.3f} {best:5.2f}")
    if not chart:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for run_id, percent, loss, _ in duck.sql("FROM curves ORDER BY ALL").fetchall():
        curve = curves.setdefault(run_id, ([], []))
        curve[0].append(percent)
        curve[1].append(loss)
    for percents, losses in curves.values():
        axes.plot(percents, losses, color="tab:blue", alpha=min(1.0, 20 / len(curves)), lw=0.8)
    axes.set(xlabel="% of the steps", ylabel="loss, nats per token", title=f"{len(curves)} runs")
    figure.savefig(chart, dpi=120)
    print(f"{chart} has {len(curves)} curves")


if __name__ == "__main__":
    main(*sys.argv[1:3])
