"""A coupling to be learned: checked without a model, learned step by step, tried on other prompts.

It is committed after every step. Whoever asks for the same learning again continues it, and what
has been learned or evaluated already loads no model.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from coupling import Coupling, MatrixCoupling, iid, repulsive
from coupling.learned import learn
from experiments.errors import UsageError, resumable
from experiments.galleries.durable import replace_file
from experiments.galleries.folder import cell_key
from experiments.learning.card import Card
from experiments.learning.problem import Problem
from experiments.tasks.job import Job
from metrics.weights import WeightsError


@dataclass(frozen=True)
class Learning:
    """One coupling to be learned.

    Attributes:
        name: of the model and the coupling, as errors and files call it.
        card: the coupling as far as it has been learned.
        checkpoint: the card's file; rewards of held-out jobs are kept beside it.
        within: puts a coupling, as `inside`, into the one that noises are drawn from.
        held_out: jobs that nothing is learned from.
        num_steps, learning_rate: see `coupling.learned.learn`.
    """

    name: str
    problem: Problem
    card: Card
    checkpoint: Path
    within: Callable[..., Coupling]
    held_out: Sequence[Job]
    num_steps: int
    learning_rate: float

    @property
    def images_per_step(self) -> int:
        """How many images a step makes."""
        return self.problem.prompts_per_step * self.card.coupling.size

    def check(self, *, image_size: int, device: torch.device) -> None:
        """Find what is wrong before a model is loaded; the reward is tried on random pixels.

        Raises:
            UsageError: a number of steps or prompts below 1; a reward that takes no such galleries;
                missing weights; a coupling that does not fit `within`.
        """
        reward, per_step = self.problem.reward, self.problem.prompts_per_step
        for name, value in (("num_steps", self.num_steps), ("prompts_per_step", per_step)):
            if value < 1:
                raise UsageError(f"{name} = {value} must be at least 1")
        try:
            size = self.within(inside=self.card.coupling).size
            reward(torch.rand(1, size, 3, image_size, image_size, device=device))
        except ValueError as error:
            raise UsageError(f"reward or within: {error}") from error
        except WeightsError as error:
            raise UsageError(str(error)) from error

    def learn(self) -> Card:
        """Take the steps that are left, and commit each.

        Raises:
            UsageError: the reward's gradient is not finite.
        """
        card = self.card
        if card.steps == self.num_steps:
            return card
        self.problem.load()  # before the progress bar's clock starts
        base_size = self.within(inside=card.coupling).base_size
        states = learn(
            card.state,
            batch=partial(self.problem.batch, base_size=base_size),
            reward=self.problem.reward,
            num_steps=self.num_steps,
            learning_rate=self.learning_rate,
            within=lambda inside: self.within(inside=inside),
        )
        steps = tqdm(states, self.name, self.num_steps, initial=card.steps, unit="step")
        size = card.coupling.size
        first, second = torch.triu_indices(size, size, offset=1)
        try:
            with resumable(lambda: f"{card.steps} of {self.num_steps} steps are committed"):
                for state in steps:
                    card = card.after(state)
                    card.write(self.checkpoint)
                    pairs = " ".join(f"{r:+.2f}" for r in state.correlation[first, second].tolist())
                    steps.set_postfix_str(f"reward {state.reward:.4f}, {pairs}")
        except FloatingPointError as error:
            remedy = "set model.dtype=bfloat16, or choose another reward or start"
            raise UsageError(f"{self.name}: {error}; {remedy}") from error
        return card

    def held_out_rewards(self, card: Card) -> dict[str, list[float]]:
        """Rewards of all held-out jobs, on common noises, of "learned", "repulsive" and "iid"."""
        size = card.coupling.size
        laws = {"learned": card.coupling, "repulsive": repulsive(size), "iid": iid(size)}
        return {name: self._rewards(law) for name, law in laws.items()}

    def _rewards(self, law: MatrixCoupling) -> list[float]:
        """Rewards of all held-out jobs under `law`: computed once, then read."""
        inputs = {key: self.card.settings[key] for key in ("model", "reward", "within", "seed")}
        inputs |= {"matrix": law.matrix.tolist(), "jobs": [job.id for job in self.held_out]}
        path = self.checkpoint.with_name(f"held-out-{cell_key(inputs)}.json")
        if path.is_file():
            return json.loads(path.read_text())
        rewards = self.problem.evaluate(self.within(inside=law), self.held_out)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(rewards).encode())
        return rewards
