"""The package holds configs/ as experiments/configs; pyproject.toml says everything else."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["coupling*", "experiments*", "metrics*"]),
        "experiments.configs",
    ],
    package_dir={"experiments.configs": "configs"},
)
