"""Learn a coupling that maximises a reward of galleries, and write its card.

    python -m experiments.learn reward=ssim task.gallery_size=3
    python -m experiments.learn study=diversity

A study learns several and reports how near they come to the repulsive coupling, and what they are
worth on prompts that nothing was learned from. Learning is committed step by step under
`output_dir`; run again, and it continues where it was stopped. Like `experiments.run`, this is a
thin shell: a mistake in the configuration ends it before any model is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.compose import CONFIGS, build, compose, mistakes, plain, require_kinds, start
from experiments.errors import UsageError, command
from experiments.inputs.settings import require_whole, require_writable

if TYPE_CHECKING:
    from experiments.learning.card import Card
    from experiments.learning.study import Learning
    from experiments.models.source import ModelSource

# What of the configuration decides what is learned, beside the model and the prompts.
DECIDES = ("reward", "start", "estimator", "within", "learning_rate", "num_steps", "seed")


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="learn")
def main(config: DictConfig) -> None:
    overrides = HydraConfig.get().overrides.task
    with command(), mistakes(overrides, name="learn"):
        require_kinds(config, overrides, name="learn")
        for name in ("output_dir", "results_dir"):
            require_writable(name, Path(config[name]))

        from experiments.workers.preemption import requeueable

        with requeueable():
            run(config, overrides=overrides)


def run(config: DictConfig, *, overrides: Sequence[str]) -> None:
    """Learn the coupling, or all couplings of the study; write cards, figure and report.

    With plan=true it says what would be learned, and refuses what learning would.

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
    study = {
        group: {label: _learning_of(one) for label, one in starts.items()}
        for group, starts in configs.items()
    }
    learnings = [learning for starts in study.values() for learning in starts.values()]
    print(_headline(config, learnings))
    if config.plan:
        print(*map(_plan, learnings), sep="\n")
        return
    folder = Path(config.results_dir) / "learn"
    cards: dict[str, dict[str, Card]] = {group: {} for group in study}
    for group, starts in study.items():
        for label, learning in starts.items():
            card = cards[group][label] = learning.learn()
            card.write(folder / "cards" / f"{learning.name}.safetensors")
    _show(config, study, cards, folder)


def _learning_of(config: DictConfig) -> "Learning":
    """The learning that a configuration describes, as far as it has come, checked."""
    from experiments.cells.build import model_of
    from experiments.galleries.folder import cell_key
    from experiments.learning.card import Card, read
    from experiments.learning.problem import Problem
    from experiments.learning.study import Learning
    from experiments.workers.provenance import provenance

    if (model := model_of(config)).family.opaque:
        raise UsageError(
            "a coupling is learned through a network, and a pipeline is a black box: learn it with "
            "a model of a family, and apply it by coupling=learned"
        )
    values, task = plain(config), build("task", config)
    held_out = config.study.held_out if config.study else 0
    require_whole("task.num_prompts", task.num_prompts, least=1)
    jobs = replace(task, num_prompts=task.num_prompts + held_out).jobs()
    num_steps = config.num_steps
    if num_steps is None:
        num_steps = -(-task.num_prompts // max(1, config.prompts_per_step))
    seen = max(0, min(task.num_prompts, num_steps * config.prompts_per_step))
    problem = Problem(
        model.load,
        jobs=jobs[:seen],
        reward=build("reward", config),
        estimator=build("estimator", config),
        prompts_per_step=config.prompts_per_step,
        seed=config.seed,
    )
    settings = {name: values.get(name) for name in DECIDES}
    settings |= {"num_steps": num_steps, "model": model.inputs(), "prompts": problem.prompts}
    settings |= {"prompts_per_step": config.prompts_per_step}
    name = f"{config.model.name}-{config.name}"
    checkpoint = Path(config.output_dir) / "learn" / f"{name}-{cell_key(settings)}.safetensors"
    settings["made_with"] = {**provenance(model.device), "prompts": values["prompts"]}
    start = build("start", config)
    learning = Learning(
        name=name,
        problem=problem,
        card=read(checkpoint) if checkpoint.is_file() else Card.begin(start, settings),
        checkpoint=checkpoint,
        within=build("within", config) or (lambda *, inside: inside),
        held_out=jobs[task.num_prompts :],
        num_steps=num_steps,
        learning_rate=config.learning_rate,
    )
    learning.check(image_size=config.model.image_size, device=model.device)
    _hold_against(model, learning, planned=config.plan)
    return learning


def _hold_against(model: "ModelSource", learning: "Learning", *, planned: bool) -> None:
    """Raises UsageError where the model's noises are not those that the law is made for."""
    from experiments.models.hub import Unfetched

    try:
        law = learning.within(inside=learning.card.coupling)
        law.sample(model.sketch().noise_shape, seed=0)
    except ValueError as error:
        raise UsageError(f"within: {error}") from error
    except Unfetched as error:
        if not planned:
            raise
        print(f"{learning.name}: not held against its model: {error}")


def _plan(learning: "Learning") -> str:
    """What there is to be learned, from how much, with what memory."""
    from coupling import full_gradient
    from experiments.models.footprint import told

    model, images = learning.card.settings["model"], learning.images_per_step
    full = getattr(learning.problem.estimator, "func", None) is full_gradient
    memory = told(model, sampled=images, differentiated=images if full else 0, back=True)
    return (
        f"{learning.name}: {learning.num_steps - learning.card.steps} of {learning.num_steps} "
        f"steps to learn, each of {images} images in {model['num_steps']} sampler steps; "
        f"{learning.problem.prompts['count']} prompts; {memory or 'memory unknown'}"
    )


def _headline(config: DictConfig, learnings: Sequence["Learning"]) -> str:
    """What is about to be learned, and with which model."""
    left = sum(learning.num_steps - learning.card.steps for learning in learnings)
    model = f"{config.model.name}, {config.model.image_size} px, {config.model.num_steps} steps"
    return (
        f"learning with {model}: {len(learnings)} couplings, {left} steps of learning to take, "
        f"each from {config.prompts_per_step} galleries"
    )


def _show(
    config: DictConfig,
    study: Mapping[str, Mapping[str, "Learning"]],
    cards: Mapping[str, Mapping[str, "Card"]],
    folder: Path,
) -> None:
    """Draw the figure, write the table of a study, print what was found."""
    from experiments.figures import learning as figure
    from experiments.report import learning as report

    name = config.model.name
    if config.study is None:
        (learning,), (card,) = study[config.name].values(), cards[config.name].values()
        paths: tuple[Path, ...] = figure.course(cards, folder / learning.name, target=False)
        print(f"R after {card.steps} steps:\n{report.matrix(card.correlations[-1])}")
        print(f"largest constraint violation: {card.violation:.1e}")
    else:
        evaluated = [
            report.Evaluated(group, label, card, study[group][label].held_out_rewards(card))
            for group, starts in cards.items()
            for label, card in starts.items()
        ]
        title, within = config.study.title, config.study.within
        paths = report.write(evaluated, folder, name, title=title, within=within)
        paths = (*figure.course(cards, folder / name, target=True), *paths)
        print((folder / f"{name}.md").read_text(encoding="utf-8"))
    print("\n".join(f"  {path}" for path in paths))


if __name__ == "__main__":
    start(main, name="learn")
