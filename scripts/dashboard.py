"""Build the dashboard of the runs on Weights & Biases: a workspace and a report's draft, as code.

    python scripts/dashboard.py --entity ENTITY [--project couple-to-control]

Needs `pip install 'couple-to-control[dashboard]'` and a key. Each run of this program makes a new
view and a new draft; what they show follows from the experiments' configurations (`described`).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.compose import CONFIGS, compose
from experiments.errors import command
from experiments.tables.spec import Column
from experiments.tables.wording import heading
from experiments.tracking.send import has_key


class Panel(NamedTuple):
    """One panel; `kind` is "bars": a summary value of each run, "pictures": a logged picture of
    each run, or "lines": a logged table of all runs, joined.
    """

    kind: str
    title: str
    key: str


def described() -> dict[str, list[Panel]]:
    """The dashboard of all tables that there are, each column and figure once."""
    columns, figures = {}, {}
    for path in sorted((CONFIGS / "experiment").glob("*.yaml")):
        table = compose([f"experiment={path.stem}"]).table
        columns |= {name: column for name, column in table.columns.items() if name not in columns}
        figures |= {name: None for name, figure in (table.figures or {}).items() if figure}
    return sections(columns, tuple(figures))


def sections(columns: Mapping[str, Mapping], figures: Sequence[str]) -> dict[str, list[Panel]]:
    """Title -> panels, from what tables can have.

    Args:
        columns: metric -> the fields of its Column.
        figures: the names of the tables' figures.
    """
    return {
        "Methods, means over prompts": [
            Panel("bars", heading(Column(**column)), f"{metric}.mean")
            for metric, column in columns.items()
        ],
        "Galleries, prompt by prompt": [Panel("lines", "", "prompts")],
        "Figures of the tables": [Panel("pictures", name, name) for name in figures],
        "Couplings": [Panel("pictures", "correlation of a gallery's noises", "correlation")],
    }


def workspace(described: Mapping[str, Sequence[Panel]], *, entity: str, project: str):
    """The workspace that the sections describe, not saved yet."""
    import wandb_workspaces.workspaces as workspaces
    from wandb_workspaces import expr

    return workspaces.Workspace(
        entity=entity,
        project=project,
        name="Couple to control",
        sections=[
            workspaces.Section(name=title, panels=[_built(panel) for panel in panels])
            for title, panels in described.items()
        ],
        runset_settings=workspaces.RunsetSettings(
            groupby=[expr.Metric("Group"), expr.Metric("JobType")]
        ),
    )


def report(described: Mapping[str, Sequence[Panel]], *, entity: str, project: str):
    """The same as a report to write around: a heading, a place for words, and the panels."""
    import wandb_workspaces.reports.v2 as reports

    blocks: list = [reports.TableOfContents()]
    for title, panels in described.items():
        runs = reports.Runset(entity=entity, project=project, groupby=["Group", "JobType"])
        grid = reports.PanelGrid(runsets=[runs], panels=[_built(panel) for panel in panels])
        words = reports.P("What is seen, and how surely: ...")
        blocks += [reports.H2(title), words, grid]
    title = "Couple to control"
    return reports.Report(entity=entity, project=project, title=title, blocks=blocks)


def _built(panel: Panel):
    import wandb_workspaces.reports.v2 as reports

    kind, title, key = panel
    return {
        "bars": lambda: reports.BarPlot(title=title, metrics=[reports.SummaryMetric(key)]),
        "pictures": lambda: reports.MediaBrowser(title=title, media_keys=[key]),
        "lines": lambda: reports.WeavePanelSummaryTable(table_name=key),
    }[kind]()


@command()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entity", required=True, help="the user or team of the project")
    parser.add_argument("--project", default="couple-to-control")
    arguments = parser.parse_args()
    try:
        import wandb_workspaces  # noqa: F401
    except ImportError:
        sys.exit("error: wandb-workspaces is missing; pip install 'couple-to-control[dashboard]'")
    if not has_key():
        sys.exit("error: there is no key of W&B; set WANDB_API_KEY, or run wandb login")
    place = vars(arguments)
    built = workspace(described(), **place), report(described(), **place)
    try:
        built[0].save()
        built[1].save(draft=True)
    except Exception as error:  # the service's many ways to refuse
        sys.exit(f"error: W&B did not take the dashboard: {' '.join(str(error).split())}")
    print(*(each.url for each in built), sep="\n")


if __name__ == "__main__":
    main()
