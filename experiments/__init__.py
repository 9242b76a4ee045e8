"""The experiments: what flows from a configuration to a table, a room a step.

config -> task (gallery jobs) -> base noises -> coupling -> optimiser -> model, steered -> gallery
(committed to disk) -> scores -> tables, figures, page. Each arrow is a call with plain arguments.

A file directly in this folder is a command, beside `compose`, which reads configurations, and
`errors`. Everything else lies in the room of its step, and a room imports only rooms above it:

    inputs      what people hand in: text, pictures, folders, settings
    bedrooms    the bundled model's scenes: drawn, described, asked for
    tasks       what to generate: jobs, prompts, pictures of objects and their masks
    models      diffusion models behind one protocol; where they come from, how they are run
    galleries   a gallery, the folder that it is committed to, other people's folders
    methods     from noise to gallery: coupled noises, fixed objects
    workers     who makes the galleries: this process or many; batches, memory, pre-emption
    learning    a coupling that is learned with a model and a reward
    cells       one method over all prompts: built from a configuration, planned, made, scored
    tables      score rows -> statistics -> a table, as text; the paper's numbers
    figures     what a table, or a learning, looks like
    report      the page that a run ends in, and the book of all tables
    people      galleries put before people, and what they answered
    tracking    what a run tells Weights & Biases
    calls       what Python calls: a model in memory evaluated, pictures at hand scored
    theory      the paper's statements, measured
    bench       speed against diffusers' own loop

Couplings, optimisers and all other mathematics of noise are the package `coupling`; scores are the
package `metrics`. Neither knows of this one.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """`evaluate`, when it is asked for: it loads torch, which no command needs for --help."""
    if name == "evaluate":
        from experiments.calls import evaluate

        return evaluate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
