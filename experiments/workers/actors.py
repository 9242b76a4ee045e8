"""workers=ray: Ray actors on this machine or on a cluster, each with its own model (see `worker`).

Ray schedules, places and ends processes. That a dead or silent one is replaced is done here: only
the one who handed a batch out knows what is lost with it. Actors see no hub: the weights are on
their machine before they start.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.errors import UsageError
from experiments.workers.batch import Batch, Queue, Recipe
from experiments.workers.dispatch import Workers
from experiments.workers.preemption import kept
from experiments.workers.worker import Actor, Crash, OutOfMemory, P, Result, T, WorkerLost, fetch

ROOT = Path(__file__).parents[2]


@dataclass(eq=False)
class ActorSlot:
    """An actor, where it lives, and when it was last asked to start or to make a batch."""

    actor: Any
    asked: float
    host: str = ""
    pid: int = 0

    def lost(self, why: str) -> WorkerLost:
        """What becomes of its batch."""
        return WorkerLost(f"worker {self.pid} on {self.host} {why}")


@dataclass(kw_only=True, eq=False)
class RayWorkers(Workers):
    """Up to `num` actors, started as there are batches for them.

    Attributes:
        num: how many.
        address: of a running cluster, "auto" for the one on this machine; None starts Ray here.
        cpus, gpus: of each actor; None shares what there is among all.
        start_seconds: how long the first actor may take to appear, machines started included.
        batch_seconds: how long a batch may take, the loading of the model included, before its
            actor is given up.
    """

    num: int
    address: str | None
    cpus: float | None
    gpus: float | None
    start_seconds: float
    batch_seconds: float

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num", "batch_seconds"):
            if getattr(self, name) <= 0:
                raise UsageError(f"workers.{name} = {getattr(self, name)} must be positive")
        self._idle: list[ActorSlot] = []
        # by what will be ready when they answer
        self._busy: dict[Any, tuple[ActorSlot, Batch]] = {}
        self._starting: dict[Any, ActorSlot] = {}
        self._failed_starts = 0  # in a row
        self._started_ray = False

    def at_once(self, recipe: Recipe) -> int:
        return self.num

    def told(self, recipe: Recipe) -> str:
        on = f"on {self.gpus:g} GPU each" if self.gpus else f"on {recipe.model.device.type}"
        return f"by {self.num} Ray actors {on}"

    def prepare(self, recipe: Recipe) -> None:
        """Downloads the weights if needed, once on every machine that there is now."""
        _ray()
        recipe.model.fetch()
        ray = self._connect()
        here = ray.get_runtime_context().get_node_id()
        others = {node["NodeID"] for node in ray.nodes() if node["Alive"]} - {here}
        there = ray.remote(num_cpus=0, max_retries=0, runtime_env=_environment())(fetch)
        on = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        places = [on(node, soft=False) for node in others]
        answers = [there.options(scheduling_strategy=at).remote(recipe.model) for at in places]
        for error in filter(None, ray.get(answers)):
            raise error

    def ask(self, work: Callable[P, T], *words: P.args, **named: P.kwargs) -> T:
        """Of an idle actor; one is started if there is none."""
        ray = self._connect()
        while not self._idle:
            self._start(1 - len(self._starting))
            self._answer()
        asked = self._idle[0].actor.attempt.remote(work, *words, **named)
        if isinstance(answer := ray.get(asked, timeout=self.batch_seconds), Exception):
            raise answer
        return answer

    def results(self, recipe: Recipe, queue: Queue) -> Iterator[tuple[Batch, Result]]:
        order = self._connect().put(recipe)
        try:
            while queue or self._busy:
                while self._idle and (batch := queue.take()):
                    slot = self._idle.pop()
                    slot.asked = time.monotonic()
                    self._busy[slot.actor.make.remote(order, batch)] = slot, batch
                useful = min(self.num - len(self._busy), len(queue))
                self._start(useful - len(self._starting))
                if answer := self._answer():
                    yield answer
        finally:
            self._kill_busy()  # nobody waits for these any more

    def close(self) -> None:
        self._kill_busy()
        for slot in [*self._idle, *self._starting.values()]:
            _ray().kill(slot.actor)
        self._idle, self._starting = [], {}
        if self._started_ray:
            _ray().shutdown()
            self._started_ray = False

    def _answer(self) -> tuple[Batch, Result] | None:
        """Waits for an actor to answer, or for its time to run out; what became of its batch."""
        ray = _ray()
        slots = [slot for slot, _ in self._busy.values()] or self._starting.values()
        limit = self.batch_seconds if self._busy else self.start_seconds
        patience = max(0.0, min(slot.asked for slot in slots) + limit - time.monotonic())
        ready, _ = ray.wait([*self._busy, *self._starting], num_returns=1, timeout=patience)
        if not ready:
            return self._out_of_time()
        (ref,) = ready
        if ref in self._starting:
            self._started(ref)
            return None
        slot, batch = self._busy.pop(ref)
        try:
            result = ray.get(ref)
        except ray.exceptions.OutOfMemoryError:  # the machine's: Ray has ended the actor
            return batch, OutOfMemory("out of the machine's memory")
        except ray.exceptions.RayActorError:
            return batch, slot.lost("died")
        except ray.exceptions.RayError as error:
            result = Crash(_tail(error))
        self._idle.append(slot)
        return batch, result

    def _out_of_time(self) -> tuple[Batch, Result] | None:
        now = time.monotonic()
        if not self._busy:
            raise UsageError(
                f"Ray gave no worker in {self.start_seconds:g} s: each wants {self._share()}, and "
                f"there is {_ray().available_resources()}; lower workers.cpus or workers.gpus"
            )
        for ref, (slot, batch) in self._busy.items():
            if now >= slot.asked + self.batch_seconds:
                del self._busy[ref]
                _ray().kill(slot.actor)
                return batch, slot.lost(f"gave no answer in {self.batch_seconds:g} s")
        return None

    def _started(self, ref: Any) -> None:
        slot = self._starting.pop(ref)
        try:
            slot.host, slot.pid = _ray().get(ref)
        except _ray().exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts > self.retries:
                raise UsageError(f"a Ray worker does not start: {_tail(error)}") from None
        else:
            self._failed_starts = 0
            self._idle.append(slot)

    def _start(self, count: int) -> None:
        if count < 1:
            return
        share = self._share()
        remote = _ray().remote(**share, max_restarts=0, max_task_retries=0)(Actor)
        for _ in range(count):
            actor = remote.options(runtime_env=_environment(HF_HUB_OFFLINE="1")).remote(
                os.getcwd(), self.threads
            )
            self._starting[actor.name.remote()] = ActorSlot(actor, time.monotonic())

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

    def _kill_busy(self) -> None:
        for slot, _ in self._busy.values():
            _ray().kill(slot.actor)
        self._busy = {}


def _tail(error: Exception) -> str:
    """The end of what an error says, in one line."""
    return " ".join(str(error).split())[-300:]


def _environment(**more: str) -> dict[str, dict[str, str]]:
    """The environment in which a process of Ray's finds this code."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join(paths), **more}}


def _ray() -> Any:
    """Ray, an optional dependency.

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
