"""Build the dashboard of the runs on Weights & Biases: a workspace, as code.

    python scripts/dashboard.py --entity ENTITY [--project couple-to-control]

Needs `pip install 'couple-to-control[dashboard]'` and a key. Each run of this program makes a new
view; what it shows follows from the experiments' configurations (experiments.tracking.panels).
"""

import argparse
import sys
from collections.abc import Sequence

from experiments.compose import CONFIGS, compose
from experiments.errors import command
from experiments.tracking.panels import Bars, Lines, Panel, Pictures, Section, sections
from experiments.tracking.send import has_key


def described() -> tuple[Section, ...]:
    """The dashboard of all tables that there are, each column and figure once."""
    columns, figures = {}, {}
    for path in sorted((CONFIGS / "experiment").glob("*.yaml")):
        table = compose([f"experiment={path.stem}"]).table
        columns |= {name: column for name, column in table.columns.items() if name not in columns}
        figures |= {name: None for name, figure in (table.figures or {}).items() if figure}
    return sections(columns, tuple(figures))


def workspace(described: Sequence[Section], *, entity: str, project: str):
    """The workspace that the sections describe, not saved yet."""
    import wandb_workspaces.reports.v2 as reports
    import wandb_workspaces.workspaces as workspaces
    from wandb_workspaces import expr

    def built(panel: Panel):
        match panel:
            case Bars(title, key):
                return reports.BarPlot(title=title, metrics=[reports.SummaryMetric(key)])
            case Pictures(title, key):
                return reports.MediaBrowser(title=title, media_keys=[key])
            case Lines(key):
                return reports.WeavePanelSummaryTable(table_name=key)

    return workspaces.Workspace(
        entity=entity,
        project=project,
        name="Couple to control",
        sections=[
            workspaces.Section(name=section.title, panels=list(map(built, section.panels)))
            for section in described
        ],
        runset_settings=workspaces.RunsetSettings(
            groupby=[expr.Metric("Group"), expr.Metric("JobType")]
        ),
    )


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
    built = workspace(described(), entity=arguments.entity, project=arguments.project)
    try:
        built.save()
    except Exception as error:  # the service's many ways to refuse
        sys.exit(f"error: W&B did not take the dashboard: {' '.join(str(error).split())}")
    print(built.url)


if __name__ == "__main__":
    main()
