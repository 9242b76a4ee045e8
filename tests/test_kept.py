"""What a kept project states about itself agrees with what it is: its lock and its citation."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UNTESTED = {"ultralytics"}  # of the extra yolo, whose licence is not ours
LOCK = {
    canonicalize_name(name): version
    for name, version in (
        line.strip().split("==")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    )
}
"""The versions of constraints.txt."""


def test_the_lock_names_all_that_is_asked_for_at_a_version_that_is_allowed():
    extras = PROJECT["optional-dependencies"].values()
    asked = map(
        Requirement, [*PROJECT["dependencies"], *(line for each in extras for line in each)]
    )
    named = {canonicalize_name(each.name): each.specifier for each in asked}
    for name in named.keys() - UNTESTED - {PROJECT["name"]}:
        assert named[name].contains(LOCK[name]), name


def test_the_lock_has_the_versions_that_the_tests_run_with():
    here = {canonicalize_name(each.name): Version(each.version).public for each in distributions()}
    assert {name: here[name] for name in LOCK.keys() & here} == {
        name: LOCK[name] for name in LOCK.keys() & here
    }


def test_the_citation_is_of_format_1_2_0_and_of_this_version():
    """The schema's required keys, and its kinds of those that we use; cffconvert took the file."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    article = cited.pop("preferred-citation")
    assert cited.keys() == {
        "cff-version", "message", "title", "type", "version", "license", "authors"
    }  # fmt: skip
    assert (cited["cff-version"], cited["type"], article["type"]) == (
        "1.2.0",
        "software",
        "article",
    )
    assert str(cited["version"]) == PROJECT["version"] and cited["license"] == PROJECT["license"]
    assert {"type", "title", "authors"} <= article.keys() and isinstance(article["year"], int)
    for author in (*cited["authors"], *article["authors"]):
        assert author.keys() <= {"name", "family-names", "given-names", "orcid"} and author
    assert all(each["type"] in ("doi", "url", "swh", "other") for each in article["identifiers"])


def test_the_changes_name_every_version():
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (\S+)", changes, flags=re.MULTILINE)
    assert headings[0] == "Unreleased" and PROJECT["version"] in headings
