"""Reads objects on the workers of a Dask cluster that exists.

A task fetches and decodes objects and returns the profiles of their windows, some kilobytes; rows
do not travel. The agent stays the only writer of the state.
Source: https://distributed.dask.org/en/stable/client.html
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from pydantic import Field

from driftline import ExecutorFactory, SourceError, hookimpl

if TYPE_CHECKING:
    from distributed import Client

P = ParamSpec("P")
T = TypeVar("T")
PACKAGES = ("driftline", "numpy", "pyarrow")
"""Packages that a worker needs in the same version: profiles are pickled."""


class Dask(ExecutorFactory):
    """The workers of a Dask cluster, with the agent's versions of driftline, numpy and pyarrow."""

    type: ClassVar[str] = "dask"

    scheduler: str = Field(examples=["tls://scheduler:8786"])
    """The address of the scheduler."""
    tls_ca_file: Path | None = None
    """The certificates of the authorities to trust, for addresses with `tls://`."""
    tls_cert: Path | None = None
    """The certificate of the agent."""
    tls_key: Path | None = None
    """The key of the certificate."""
    timeout: float = Field(default=10.0, gt=0)
    """Seconds to wait for the scheduler."""

    def create(self) -> Executor:
        """A connection to the cluster. Raises SourceError when there is none."""
        try:
            from distributed import Client
        except ImportError as error:
            raise SourceError(
                f"the executor dask needs the package distributed: pip install 'driftline[dask]' "
                f"({error})"
            ) from None
        try:
            client = Client(  # type: ignore[no-untyped-call]
                self.scheduler,
                timeout=self.timeout,
                security=self._security(),
                set_as_default=False,
            )
        except (OSError, ValueError) as error:
            raise SourceError(
                f"no Dask scheduler answers at {self.scheduler}: {error}; "
                "check agent.executor.options.scheduler"
            ) from None
        return DaskExecutor(client)

    def count_workers(self, executor: Executor) -> int | None:
        """The threads of all workers that are there now."""
        return executor.count_threads() if isinstance(executor, DaskExecutor) else None

    def _security(self) -> Any:
        if self.tls_ca_file is None and self.tls_cert is None:
            return None
        from distributed.security import Security

        files = {
            "tls_ca_file": self.tls_ca_file,
            "tls_client_cert": self.tls_cert,
            "tls_client_key": self.tls_key,
        }
        arguments = {name: str(path) for name, path in files.items() if path is not None}
        return Security(require_encryption=True, **arguments)  # type: ignore[no-untyped-call]


class DaskExecutor(Executor):
    """Submits tasks to a cluster.

    A task that ends its worker three times breaks off with BrokenExecutor, and a worker with other
    versions with SourceError.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._versions = versions()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` on a worker. Keyword arguments stay those of `fn`."""
        future: Future[T] = Future()
        # Without `pure=False` an object that is read again would get the result of the first time.
        task = self._client.submit(run_task, self._versions, fn, args, kwargs, pure=False)
        future.set_running_or_notify_cancel()
        task.add_done_callback(  # type: ignore[no-untyped-call]
            lambda done: _copy_result(done, future)
        )
        return future

    def count_threads(self) -> int:
        """The threads of all workers that are there now."""
        return sum(self._client.nthreads().values())  # type: ignore[no-untyped-call]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the connection; the cluster stays. Tasks that run end by themselves, unheard."""
        self._client.close(timeout=5 if wait else 1)  # type: ignore[no-untyped-call]


def run_task(
    expected: dict[str, str], fn: Callable[..., T], args: Any, kwargs: dict[str, Any]
) -> T:
    """Run `fn` on a worker whose versions are those of the agent. Raises SourceError."""
    present = versions()
    differences = [
        f"{name} {present[name]} in place of {expected_version}"
        for name, expected_version in expected.items()
        if present[name] != expected_version
    ]
    if differences:
        raise SourceError(
            f"a worker on {platform.node()} has {', '.join(differences)}: "
            "install the versions of the agent there"
        )
    return fn(*args, **kwargs)


def versions() -> dict[str, str]:
    """The versions of this process that must be those of the agent."""
    installed_versions = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in PACKAGES:
        try:
            installed_versions[name] = version(name)
        except PackageNotFoundError:
            installed_versions[name] = "none"
    return installed_versions


def _copy_result(task: Any, future: Future[Any]) -> None:
    """Pass the end of a Dask task on to the future that stands for it."""
    if task.status == "cancelled":
        future.set_exception(SourceError("the Dask cluster dropped a task"))
        return
    error = task.exception()
    if error is None:
        future.set_result(task.result())
    elif type(error).__name__ == "KilledWorker":
        future.set_exception(BrokenExecutor(str(error)))
    else:
        future.set_exception(error)


@hookimpl
def register_executors() -> list[type[ExecutorFactory]]:
    """The plugin of this module."""
    return [Dask]
