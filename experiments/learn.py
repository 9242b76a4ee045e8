"""Learn a coupling that maximises a reward of galleries, and write its card.

    python -m experiments.learn reward=ssim task.gallery_size=3
    python -m experiments.learn study=diversity

A study learns several and reports how near they come to the repulsive coupling, and what they are
worth on prompts that nothing was learned from. Learning is committed step by step under
`output_dir`; run again, and it continues where it was stopped. Like `experiments.run`, this is a
thin shell: a mistake in the configuration ends it before any model is loaded.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.cells.source import load_model, model_inputs
from experiments.compose import CONFIGS, build, compose
from experiments.errors import UsageError, command, resumable

if TYPE_CHECKING:
    from experiments.learning.card import Card
    from experiments.learning.problem import Problem
    from experiments.tasks.job import Job


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="learn")
def main(config: DictConfig) -> None:
    with command():
        from experiments.workers.preemption import requeueable

        with requeueable():
            run(config, overrides=HydraConfig.get().overrides.task)


@dataclass(frozen=True)
class Row:
    """One coupling to be learned: checked, but without a model."""

    group: str
    label: str
    config: DictConfig
    card: "Card"  # as far as it has been learned
    checkpoint: Path
    within: Callable[..., Any]
    held_out: Sequence["Job"]
    problem: Callable[[Any], "Problem"]  # of the model


def run(config: DictConfig, *, overrides: Sequence[str]) -> None:
    """Learns the coupling, or all couplings of the study; writes cards, figure and report.

    Raises:
        UsageError: something that the user can mend.
    """
    if config.study is None:
        configs = {config.name: {"": config}}
    else:
        configs = {
            group: {
                label: compose([*overrides, *changes], name="learn")
                for label, changes in starts.items()
            }
            for group, starts in config.study.rows.items()
        }
    rows = [
        _row(group, label, one)
        for group, starts in configs.items()
        for label, one in starts.items()
    ]
    models: dict[str, Any] = {}
    rows = [_learn(row, models) for row in rows]
    _report(config, rows, models)


def _row(group: str, label: str, config: DictConfig) -> Row:
    """Everything that can be wrong is found out here."""
    import torch

    from experiments.galleries.store import cell_key
    from experiments.learning.card import Card, read
    from experiments.learning.problem import Problem
    from experiments.models.device import select_device
    from experiments.workers.provenance import provenance
    from metrics.weights import WeightsError

    for name in ("num_steps", "prompts_per_step"):
        if config[name] < 1:
            raise UsageError(f"{name} = {config[name]} must be at least 1")
    task = build("task", config)
    held_out = config.study.held_out if config.study else 0
    jobs = replace(task, num_prompts=task.num_prompts + held_out).jobs()
    jobs, unseen = jobs[: task.num_prompts], jobs[task.num_prompts :]
    start, reward = build("start", config), build("reward", config)
    within = build("within", config) if "within" in config else lambda *, inside: inside
    side, device = config.model.image_size, select_device(config.model.device)
    try:
        within(inside=start)
        reward(torch.rand(1, start.size, 3, side, side, device=device))
    except ValueError as error:
        raise UsageError(f"reward or within: {error}") from error
    except WeightsError as error:
        raise UsageError(str(error)) from error
    values = OmegaConf.to_container(config, resolve=True)
    settings = {
        name: values.get(name)
        for name in ("reward", "start", "estimator", "within", "learning_rate", "num_steps", "seed")
    }
    settings |= {"model": model_inputs(values["model"]), "prompts": _digest(jobs)}
    settings |= {"prompts_per_step": config.prompts_per_step}
    name = f"{config.model.name}-{config.name}-{cell_key(settings)}"
    settings["made_with"] = {**provenance(device), "prompts": values["prompts"]}
    checkpoint = Path(config.output_dir) / "learn" / f"{name}.safetensors"
    return Row(
        group=group,
        label=label,
        config=config,
        card=read(checkpoint) if checkpoint.is_file() else Card.begin(start, settings),
        checkpoint=checkpoint,
        within=within,
        held_out=unseen,
        problem=partial(
            Problem,
            jobs=jobs,
            reward=reward,
            estimator=build("estimator", config),
            prompts_per_step=config.prompts_per_step,
            seed=config.seed,
        ),
    )


def _digest(jobs: Sequence["Job"]) -> dict[str, Any]:
    """Which prompts these are, and in which order."""
    prompts = "\n".join(job.prompt for job in jobs)
    return {"count": len(jobs), "sha256": hashlib.sha256(prompts.encode()).hexdigest()}


def _learn(row: Row, models: dict[str, Any]) -> Row:
    """The row with its coupling learned, and its card among the results."""
    from tqdm import tqdm

    from coupling.learned import learn

    card, config = row.card, row.config
    if card.steps < config.num_steps:
        problem = row.problem(load_model(config, models))
        base_size = row.within(inside=card.coupling).base_size
        states = learn(
            card.state,
            batch=partial(problem.batch, base_size=base_size),
            reward=problem.reward,
            num_steps=config.num_steps,
            learning_rate=config.learning_rate,
            within=lambda live: row.within(inside=live),
        )
        progress = tqdm(
            states, desc=config.name, total=config.num_steps, initial=card.steps, unit="step"
        )
        try:
            with resumable(lambda: f"{card.steps} of {config.num_steps} steps are committed"):
                for state in progress:
                    card = card.after(state)
                    card.write(row.checkpoint)
                    told = f"reward {state.reward:.4f}, {_pairs(state.correlation)}"
                    progress.set_postfix_str(told)
        except FloatingPointError as error:
            raise UsageError(f"{config.name}: {error}; choose another reward or start") from error
    cards = Path(config.results_dir) / "learn" / "cards"
    card.write(cards / f"{config.model.name}-{config.name}.safetensors")
    return replace(row, card=card)


def _report(config: DictConfig, rows: Sequence[Row], models: dict[str, Any]) -> None:
    """The figure; of a study the table; what was found, on the screen."""
    from experiments.figures import learning as figure
    from experiments.report import learning as report

    folder = Path(config.results_dir) / "learn"
    groups: dict[str, dict[str, Card]] = {}
    for row in rows:
        groups.setdefault(row.group, {})[row.label] = row.card
    if config.study is None:
        paths = figure.course(groups, folder / f"{config.model.name}-{config.name}", target=False)
        (row,) = rows
        print(f"R after {row.card.steps} steps:\n{report.matrix(row.card.correlations[-1])}")
        print(f"largest constraint violation: {row.card.violation:.1e}")
    else:
        paths = figure.course(groups, folder / config.model.name, target=True)
        evaluated = [
            report.Evaluated(row.group, row.label, row.card, _rewards(row, models)) for row in rows
        ]
        paths += report.write(
            evaluated,
            folder,
            config.model.name,
            title=config.study.title,
            within=config.study.within,
        )
        print((folder / f"{config.model.name}.md").read_text(encoding="utf-8"))
    print("\n".join(f"  {path}" for path in paths))


def _rewards(row: Row, models: dict[str, Any]) -> dict[str, list[float]]:
    """Coupling -> the reward of every held-out prompt, on common base noises; each made once."""
    from coupling import iid, repulsive
    from experiments.galleries.store import cell_key
    from experiments.report.learning import remembered

    size = row.card.matrix.shape[0]
    laws = {"learned": row.card.coupling, "repulsive": repulsive(size), "iid": iid(size)}
    rewards = {}
    for name, inside in laws.items():
        inputs = {key: row.card.settings[key] for key in ("model", "reward", "within", "seed")}
        inputs |= {"matrix": inside.matrix.tolist(), "jobs": [job.id for job in row.held_out]}
        rewards[name] = remembered(
            row.checkpoint.parent / f"held-out-{cell_key(inputs)}.json",
            lambda inside=inside: row.problem(load_model(row.config, models)).evaluate(
                row.within(inside=inside), row.held_out
            ),
        )
    return rewards


def _pairs(correlation) -> str:
    size = len(correlation)
    return " ".join(f"{correlation[i, j]:+.2f}" for i in range(size) for j in range(i + 1, size))


if __name__ == "__main__":
    main()
