"""What others have published of the methods that a table has, to stand beside what it has measured.

The numbers are `rivals.yaml`'s, each with its source; none of them is ours. They were measured on
other models, prompts and networks, so they say in which direction a method was found to go.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.tables.finding import parts_of
from experiments.tables.stated import stated
from experiments.tables.table import Table
from experiments.tables.wording import arrowed


@dataclass(frozen=True)
class Reported:
    """A score of ordinary sampling (`before`) and of a method (`after`), as published.

    Attributes:
        metric: with an arrow to where it is better.
        source: an arXiv number; place: where in it, or by whom it is cited.
        here: what the table has measured of the method by that metric, a text for each row.
    """

    name: str
    model: str
    prompts: str
    metric: str
    before: float
    after: float
    source: str
    place: str
    here: tuple[str, ...]

    @property
    def percent(self) -> float:
        return 100 * (self.after / self.before - 1)


def reported(table: Table, configs: Mapping[str, Mapping]) -> list[Reported]:
    """What is published of the methods of its rows.

    configs: the composed configuration of every row.
    """
    rows = [row for row in table.spec.rows if row in configs]
    found = []
    for entry in stated("rivals")["published"]:
        of_it = [row for row in rows if entry["method"] in parts_of(configs[row])]
        if of_it:
            here = [_effect(table, row, entry.get("ours")) for row in of_it]
            second = "as a later paper cites it" if entry.get("second") else ""
            found.append(
                Reported(
                    name=entry["name"],
                    model=entry["model"],
                    prompts=entry["prompts"],
                    metric=arrowed(entry["metric"], entry["better"]),
                    before=entry["from"],
                    after=entry["to"],
                    source=entry["source"],
                    place=entry.get("where", second),
                    here=tuple(filter(None, here)),
                )
            )
    return found


def _effect(table: Table, row: str, metric: str | None) -> str:
    """A row's change against its first baseline, or ""."""
    if metric not in table.spec.columns:
        return ""
    found = table.cell(row, str(metric)).comparison
    return f"{row} {found.percent:+.1f} %" if found and found.percent is not None else ""
