"""Models and schedulers in float64, where an untrained network cannot magnify any rounding."""

import torch


def in_float64(model):
    for module in vars(model).values():
        if isinstance(module, torch.nn.Module):
            module.double()
        elif isinstance(module, tuple):
            [part.double() for part in module if isinstance(part, torch.nn.Module)]
    return model


def scheduler_in_float64(kind, config):
    """A diffusers scheduler whose tables are widened: the same numbers as ours, in float64."""
    scheduler = kind.from_config(config)
    for name in ("alphas_cumprod", "final_alpha_cumprod", "initial_alpha_cumprod"):
        if hasattr(scheduler, name):
            setattr(scheduler, name, getattr(scheduler, name).double())
    return scheduler
