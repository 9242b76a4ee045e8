"""Fetch the metric weights that configurations need, or say which of them are here.

    python scripts/fetch_weights.py open          # all that configs/metrics/open.yaml names
    python scripts/fetch_weights.py sscd_int8     # one variant, or open_clip:MODEL/TAG@COMMIT
    python scripts/fetch_weights.py --list        # every variant there is; fetches nothing

Exit status 1 if a weight that was asked for could not be fetched.
"""

import argparse
import json
import re
import sys

from omegaconf import OmegaConf

from experiments.compose import CONFIGS
from experiments.errors import command
from metrics.weights import VARIANTS, Variant, WeightsError, variant_of


@command()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="metrics configurations and variants; default all")
    parser.add_argument("--list", action="store_true", help="fetch nothing")
    arguments = parser.parse_args()
    try:
        wanted = variants(arguments.names or list(VARIANTS))
    except ValueError as error:
        parser.error(str(error))
    missing = [variant for variant in wanted if not settle(variant, fetch=not arguments.list)]
    return int(bool(missing) and not arguments.list)


def variants(names: list[str]) -> list[Variant]:
    """The variants that configurations and variants of these names need, each once."""
    found: dict[str, Variant] = {}
    for name in names:
        if one := variant_of(name):
            found[name] = one
        elif (path := CONFIGS / "metrics" / f"{name}.yaml").is_file():
            config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
            above = [one for one in config.get("defaults", ()) if one != "_self_"]
            found |= {one.name: one for one in variants(above)}
            words = re.findall(r'"([^"]+)"', json.dumps(config))
            found |= {word: one for word in words if (one := variant_of(word))}
        else:
            known = ", ".join([*sorted(p.stem for p in CONFIGS.glob("metrics/*.yaml")), *VARIANTS])
            raise ValueError(f"{name} is neither a configuration nor a variant; there are {known}")
    return list(found.values())


def settle(variant: Variant, *, fetch: bool) -> bool:
    """Print the state of a variant, after fetching it if asked; whether it is here."""
    try:
        path = variant.find() or (variant.fetch() if fetch else None)
    except WeightsError as error:
        print(f"not here  {error}")
        return False
    state = "present" if path else "missing"
    print(f"{state:<10}{variant} from {variant.origin}; {variant.licence}")
    return path is not None


if __name__ == "__main__":
    sys.exit(main())
