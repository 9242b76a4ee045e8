"""What acts during sampling: one file a steering."""

from coupling.steering.base import Course, InTurn, Steered, Steering
from coupling.steering.cads import CADS
from coupling.steering.condition_noise import ConditionNoise
from coupling.steering.dave import DAVE
from coupling.steering.early_spread import early_spread
from coupling.steering.guidance import Guidance
from coupling.steering.particle import Particle
from coupling.steering.spell import Spell

__all__ = [
    "CADS",
    "DAVE",
    "ConditionNoise",
    "Course",
    "Guidance",
    "InTurn",
    "Particle",
    "Spell",
    "Steered",
    "Steering",
    "early_spread",
]
