"""workers=ray: Ray actors on this machine or on a cluster, each with its own model.

Ray schedules, places and ends processes. That a dead or silent one is replaced is done here: only
the one who handed a batch out knows what is lost with it. Actors see no hub: the weights are on
their machine before they start.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.errors import UsageError
from experiments.tasks.job import Job
from experiments.workers.batch import Batch, Queue
from experiments.workers.dispatch import Limits
from experiments.workers.preemption import kept
from experiments.workers.recipe import ModelSource, Recipe
from experiments.workers.worker import (
    Crash,
    OutOfMemory,
    Result,
    WorkerLost,
    attempt,
    encoded,
    probe,
)

ROOT = Path(__file__).parents[2]


class Actor:
    """The other end: lives in a process of Ray's, and keeps its model loaded."""

    def __init__(self, folder: str, threads: int) -> None:
        with suppress(OSError):  # on another machine paths may be others
            os.chdir(folder)
        self.threads = threads
        torch.set_num_threads(threads)
        self._checked: Mapping | None = None

    def name(self) -> tuple[str, int]:
        """Host and process id; answered as soon as the actor lives."""
        return socket.gethostname(), os.getpid()

    def probe(self, recipe: Recipe, job: Job) -> int | UsageError:
        try:
            return probe(recipe, job)
        except UsageError as error:
            return error

    def make(self, recipe: Recipe, batch: Batch) -> Result:
        if self._checked != recipe.inputs["model"]:
            here, there = recipe.model.inputs(), recipe.inputs["model"]
            differing = sorted(key for key in here | there if here.get(key) != there.get(key))
            if differing:
                return UsageError(
                    f"the model on {socket.gethostname()} is not the driver's (another "
                    f"{', '.join(differing)}): have the same weights, and set model.dtype"
                )
            self._checked = there
        return encoded(recipe, attempt(recipe, batch, threads=self.threads))


@dataclass(eq=False)
class Hand:
    """An actor, and since when it has been asked to start or to make its batch."""

    actor: Any
    since: float
    host: str = ""
    pid: int = 0
    batch: Batch | None = None


class RayWorkers:
    """Up to `num` actors, started as there are batches for them.

    Args:
        num: how many.
        address: of a running cluster, "auto" for the one on this machine; None starts Ray here.
        cpus, gpus: of each actor; None shares what there is among all.
        start_seconds: how long the first actor may take to appear, where machines must be had.
        batch_seconds: how long a batch may take, the loading of the model included, before its
            actor is given up.
        galleries_per_batch, threads, retries: see `LocalWorkers`.

    Raises:
        UsageError: a number is out of range.
    """

    def __init__(
        self,
        *,
        num: int,
        address: str | None,
        cpus: float | None,
        gpus: float | None,
        start_seconds: float,
        batch_seconds: float,
        galleries_per_batch: int | str,
        threads: int,
        retries: int,
    ) -> None:
        self.limits = Limits(galleries_per_batch, threads, retries)
        for name, value in {"num": num, "batch_seconds": batch_seconds}.items():
            if value <= 0:
                raise UsageError(f"workers.{name} = {value} must be positive")
        self.num, self.address, self.cpus, self.gpus = num, address, cpus, gpus
        self.start_seconds, self.batch_seconds = start_seconds, batch_seconds
        self._idle: list[Hand] = []
        self._busy: dict[Any, Hand] = {}  # by what will be ready when they answer
        self._starting: dict[Any, Hand] = {}
        self._failed_starts = 0  # in a row
        self._started_ray = False

    @property
    def pids(self) -> list[int]:
        """The process ids of the actors that live."""
        return [hand.pid for hand in [*self._idle, *self._busy.values()]]

    def at_once(self, recipe: Recipe) -> int:
        return self.num

    def prepare(self, recipe: Recipe) -> None:
        """Has the weights on every machine that there is now, each fetched once."""
        _ray()
        recipe.model.fetch()
        ray = self._connect()
        here = ray.get_runtime_context().get_node_id()
        others = {node["NodeID"] for node in ray.nodes() if node["Alive"]} - {here}
        fetch = ray.remote(num_cpus=0, max_retries=0)(_fetch)
        on = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        answers = [
            fetch.options(scheduling_strategy=on(node, soft=False), runtime_env=_environment())
            .remote(recipe.model)
            for node in others
        ]  # fmt: skip
        for error in ray.get(answers):
            if error is not None:
                raise error

    def probe(self, recipe: Recipe, job: Job) -> int:
        ray = self._connect()
        if not self._idle:
            self._start(1)
        while not self._idle:
            self._answer()
        size = ray.get(self._idle[0].actor.probe.remote(recipe, job), timeout=self.batch_seconds)
        if isinstance(size, UsageError):
            raise size
        return size

    def results(self, recipe: Recipe, queue: Queue) -> Iterator[tuple[Batch, Result]]:
        order = self._connect().put(recipe)
        try:
            while queue or self._busy:
                while self._idle and (batch := queue.take()):
                    hand = self._idle.pop()
                    hand.batch, hand.since = batch, time.monotonic()
                    self._busy[hand.actor.make.remote(order, batch)] = hand
                useful = min(self.num - len(self._busy), len(queue))
                self._start(useful - len(self._starting))
                if answer := self._answer():
                    yield answer
        finally:
            for hand in self._busy.values():  # nobody waits for these any more
                self._kill(hand)
            self._busy.clear()

    def close(self) -> None:
        for hand in [*self._idle, *self._busy.values(), *self._starting.values()]:
            self._kill(hand)
        self._idle, self._busy, self._starting = [], {}, {}
        if self._started_ray:
            _ray().shutdown()
            self._started_ray = False

    def _answer(self) -> tuple[Batch, Result] | None:
        """Waits for an actor to answer, or for its time to run out; what became of its batch."""
        ray, now = _ray(), time.monotonic()
        patience = [hand.since + self.batch_seconds - now for hand in self._busy.values()]
        if not self._busy:
            patience = [hand.since + self.start_seconds - now for hand in self._starting.values()]
        refs = [*self._busy, *self._starting]
        ready, _ = ray.wait(refs, num_returns=1, timeout=max(0.0, min(patience)))
        if not ready:
            return self._out_of_time()
        (ref,) = ready
        if ref in self._starting:
            return self._started(ref)
        hand = self._busy.pop(ref)
        batch = hand.batch
        try:
            result = ray.get(ref)
        except ray.exceptions.OutOfMemoryError:  # the machine's: Ray has ended the actor
            return batch, OutOfMemory("out of the machine's memory")
        except ray.exceptions.RayActorError:
            return batch, WorkerLost(f"worker {hand.pid} on {hand.host} died")
        except ray.exceptions.RayError as error:
            result = Crash(" ".join(str(error).split())[-300:])
        self._idle.append(hand)
        return batch, result

    def _out_of_time(self) -> tuple[Batch, Result] | None:
        now = time.monotonic()
        if not self._busy:
            raise UsageError(
                f"Ray gave no worker in {self.start_seconds:g} s: each wants {self._share()}, and "
                f"there is {_ray().available_resources()}; lower workers.cpus or workers.gpus"
            )
        for ref, hand in self._busy.items():
            if now >= hand.since + self.batch_seconds:
                del self._busy[ref]
                self._kill(hand)
                late = f"gave no answer in {self.batch_seconds:g} s"
                return hand.batch, WorkerLost(f"worker {hand.pid} on {hand.host} {late}")
        return None

    def _started(self, ref: Any) -> None:
        hand = self._starting.pop(ref)
        try:
            hand.host, hand.pid = _ray().get(ref)
        except _ray().exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts > self.limits.retries:
                reason = " ".join(str(error).split())[-300:]
                raise UsageError(f"a Ray worker does not start: {reason}") from None
        else:
            self._failed_starts = 0
            self._idle.append(hand)

    def _start(self, count: int) -> None:
        if count < 1:
            return
        share = self._share()
        remote = _ray().remote(**share, max_restarts=0, max_task_retries=0)(Actor)
        for _ in range(count):
            actor = remote.options(runtime_env=_environment(HF_HUB_OFFLINE="1")).remote(
                os.getcwd(), self.limits.threads
            )
            self._starting[actor.name.remote()] = Hand(actor, time.monotonic())

    def _share(self) -> dict[str, float]:
        """What an actor gets of the machines; of GPUs at most one, unless it was asked for."""
        all_of = _ray().cluster_resources()
        cpus = all_of.get("CPU", 1) / self.num if self.cpus is None else self.cpus
        gpus = min(1.0, all_of.get("GPU", 0) / self.num) if self.gpus is None else self.gpus
        return {"num_cpus": int(cpus) if cpus > 1 else cpus, "num_gpus": gpus}

    def _connect(self) -> Any:
        ray = _ray()
        if not ray.is_initialized():
            alone = {} if self.address else {"include_dashboard": False}
            try:
                with kept():
                    ray.init(self.address, log_to_driver=False, logging_level="ERROR", **alone)
            except (ConnectionError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise UsageError(f"workers.address={self.address}: {reason}") from None
            self._started_ray = True
        return ray

    def _kill(self, hand: Hand) -> None:
        _ray().kill(hand.actor, no_restart=True)


def _environment(**more: str) -> dict[str, dict[str, str]]:
    """What a process of Ray's needs to find this code."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join(paths), **more}}


def _fetch(model: ModelSource) -> UsageError | None:
    """Has a model's weights on the machine that this runs on."""
    try:
        model.fetch()
    except UsageError as error:
        return UsageError(f"{socket.gethostname()}: {error}")
    return None


def _ray() -> Any:
    """Ray, which nobody needs who works alone.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise UsageError(
            "workers=ray needs Ray: pip install 'couple-to-control[ray]', or use workers=local"
        ) from None
    return ray
