"""Deploying a stack: preview, up, teardown, outputs, through Pulumi's Automation API.

The same program and stack files as `pulumi up` by hand; what is added is the emulator of a local stack, progress,
and errors in a form that says what to do next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pulumi import automation
from pulumi.automation._stack import StackInitMode  # not among the public names, unlike what takes it
from pulumi.automation.errors import CommandError, ConcurrentUpdateError, StackNotFoundError
from rich.console import Console
from rich.markup import escape

import toolchain
from cloudwatch.clients import ClientFactory, account_id, client_factory
from core.environments import Environment
from core.errors import UserError
from core.names import NAMESPACE
from core.project import Project
from core.secrets.placeholders import HIDDEN
from core.secrets.reference import SecretRef
from host.instances import instances
from signoz.content.resource_types import API_KEY_TYPE, TYPE_PREFIX
from signoz.docker_host import DockerHost
from stacks.settings.loading import load, stack_file
from stacks.settings.local import LAB_IMAGES_MARK
from stacks.settings.missing import refuse_missing
from stacks.settings.model import Settings
from turnscope.content.changes import ContentChanges
from turnscope.deployment.backend import engine_environment, saves_once
from turnscope.deployment.docker_stack import choose_images, ensure_lab_images, export_root_certificate
from turnscope.deployment.engine import Engine
from turnscope.deployment.existing import Existing
from turnscope.deployment.existing_signoz import checked_client, refuse_revoked_key
from turnscope.deployment.failure import engine_words, failure_text
from turnscope.deployment.host_guard import instance_of, on_the_machine, refuse_host_changes
from turnscope.deployment.local_aws import LocalAws
from turnscope.deployment.local_config import write_config
from turnscope.deployment.other_checkout import held_on_host, refuse_other_checkout
from turnscope.deployment.progress import EngineProgress
from turnscope.deployment.recovery import adopt, candidates
from turnscope.deployment.release_guard import check_release
from turnscope.deployment.runs import JOURNAL, RunJournal, is_held_by_the_dead
from turnscope.deployment.schema_guard import refuse_schema_changes
from turnscope.deployment.stack_state import EngineStack, revealed, saved_at, update_plan
from turnscope.docker_address import docker_host
from turnscope.lab_extra import require_lab
from turnscope.plan_table import content_counts
from turnscope.plans import StackPlan, plan_stack

Result = TypeVar("Result")
INTERRUPTED_EXIT_CODE = 130
AWS_PROVIDER = ("aws-provider",)


@dataclass(frozen=True)
class Resource:
    """A real resource in a stack's state."""

    type: str
    name: str
    id: str
    protected: bool
    kept: bool
    """Deleting the stack leaves it where it is."""


class Deployment:
    """One stack, and the engine to work on it.

    Every method raises `UserError`: exit code 2 for what was refused before anything was touched, 1 for a run that
    failed, 130 for one that was interrupted.
    """

    def __init__(
        self,
        project: Project,
        stack: str,
        settings: Settings,
        console: Console,
        *,
        assume_yes: bool = False,
        recover: bool = False,
        overrides: Mapping[str, Any] | None = None,
        commands: toolchain.Commands | None = None,
    ) -> None:
        """`recover`: the user says that the last run was killed, perhaps on another machine: its lock is released, and
        what it made is looked for. `overrides`: for a local stack, keys of the stack's file (`turnscope:...`) that have
        other values in the engine's runs; `settings` have them already. `commands`: as in `toolchain.ensure`."""
        self.project, self.stack, self.settings, self.console = project, stack, settings, console
        self.assume_yes = assume_yes
        self.recover = recover
        self._overrides = overrides or {}
        self.commands = commands
        self._images_chosen = False
        self._plan: StackPlan | None = None
        self._selected: EngineStack | None = None

    @property
    def is_local(self) -> bool:
        return self.settings.environment == Environment.LOCAL

    @property
    def directory(self) -> Path:
        """This machine's files of the stack."""
        return self.project.stack_directory(self.stack)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the toolchain that deploying it takes."""
        parts = toolchain.AWS_PARTS
        if self.settings.cloudwatch is None and toolchain.to_build(AWS_PROVIDER):
            # Not built for nothing; where it is there, it can delete what the stack had before.
            parts = tuple(part for part in parts if part not in AWS_PROVIDER)
        if self.settings.signoz:
            parts += ("docker-provider",)
            # The lab's machines are containers of this machine's engine.
            own = self.settings.signoz.docker_host.startswith("unix:")
            if self.is_local if self.settings.host else own:
                parts += ("docker-engine",)
        return parts

    @cached_property
    def tools(self) -> toolchain.Toolchain:
        # On the error stream: what `turnscope shell` and `outputs --json` print is for other programs.
        progress = Console(stderr=True, highlight=False, soft_wrap=True)
        return toolchain.ensure(self.parts, assume_yes=self.assume_yes, console=progress, commands=self.commands)

    @cached_property
    def engine(self) -> Engine:
        tracked = stack_file(self.stack, self.project.root) if self.is_local else None
        return Engine(
            self.tools.pulumi,
            self.tools.version,
            on_interrupt=lambda: self.console.print(
                "Stopping after the operations in progress (press Ctrl-C again to stop immediately)."
            ),
            unchanged=tracked,
        )

    @cached_property
    def environment(self) -> dict[str, str]:
        return engine_environment(self.project, self.settings.environment, self.tools.env)

    @property
    def plan(self) -> StackPlan:
        """What the settings say, planned once. Raises `UserError` for content or a lock file that is wrong."""
        if self._plan is None:
            self._plan = plan_stack(self.stack, self.settings, self.project.root)
        return self._plan

    @property
    def docker_host(self) -> DockerHost:
        """The Docker that SigNoz runs on, for Docker's command line. Raises `UserError` in a stack without SigNoz."""
        if self.settings.signoz is None:
            raise UserError(f"Stack {self.stack} has no SigNoz (section signoz).")
        return docker_host(self.plan, self.settings.signoz, self.project.root)

    @property
    def _lab_images_mark(self) -> Path:
        return self.directory / LAB_IMAGES_MARK

    @cached_property
    def clients(self) -> ClientFactory:
        """boto3 clients in the stack's account."""
        return client_factory(self.settings, self.secret)

    def secret(self, reference: SecretRef) -> str:
        """The value of a setting. Raises `UserError` (exit code 1) where it cannot be decrypted."""
        try:
            return self._select(create=True).get_config(f"{NAMESPACE}:{reference.path}", path=True).value
        except CommandError as error:
            raise UserError(f"Secret {reference.path} cannot be read.\n{engine_words(error)}", exit_code=1) from None

    @cached_property
    def _journal(self) -> RunJournal:
        return RunJournal(self.directory / JOURNAL)

    @property
    def _local_aws(self) -> LocalAws:
        return LocalAws(self.project.root, self.directory, self.stack)

    def _prepare(self) -> None:
        """Tools first, then images: what may take minutes, before anything is touched."""
        if self.is_local:
            require_lab()
        _ = self.tools
        if not self.settings.signoz:
            return
        if self.is_local and self.settings.host is None:
            self._refuse_other_checkout()
        self.choose_images()
        if self.plan.signoz:
            ensure_lab_images(self.plan.signoz, self.console, assume_yes=self.assume_yes)

    def choose_images(self) -> None:
        """Published images or lab images, for the rest of this run."""
        signoz = self.settings.signoz
        if not self.is_local or not signoz or self._images_chosen:
            return
        # A marked stack's settings say lab: asked again in each run, because a registry may answer by now.
        if signoz.images.source == "registry" or self._lab_images_mark.exists():
            choose_images(signoz, self.directory, self.console)
            self.settings, self._plan = load(self.stack, self.project.root), None
        self._images_chosen = True

    def _refuse_other_checkout(self) -> None:
        """Raises `UserError` where another checkout has a stack of this name on the Docker host."""
        host = self.docker_host
        held = held_on_host(host, self.stack)
        project = self.project.root.resolve()
        refuse_other_checkout(held, self.stack, project, host.address, lambda: {each.id for each in self.resources()})

    def preview(self, *, show_diff: bool, refresh: bool = False) -> EngineProgress:
        """What `up` would change; the engine's own diff is printed with `show_diff`. With `refresh`, what is there is
        looked at first, and what was edited by hand in SigNoz is printed."""
        refuse_missing(self.stack, self.settings)
        self._prepare()
        self._check_existing_signoz()
        changes = ContentChanges()
        with self._aws():
            stack = self._select(create=True)
            if self._journal.left_by_a_killed_run():
                self._print("The last run was killed. What it created and did not record is previewed as created.")
            self._check_against_state()
            if refresh and self._machine_is_gone():
                raise UserError(
                    f"The machine of stack {self.stack} is gone, so what was on it cannot be compared. "
                    f"`turnscope up {self.stack} --refresh` makes a machine again, with the same data volume.",
                    exit_code=1,
                )
            with EngineProgress(self.console, "previewing") as progress:
                self._run(
                    stack,
                    progress,
                    lambda: stack.preview(
                        diff=show_diff,
                        color="always" if self.console.is_terminal else "never",
                        on_output=self._print if show_diff else None,
                        on_event=_all(progress.on_event, changes.on_event),
                        refresh=refresh,
                        config_file=self._config_file(),
                    ),
                )
        for line in changes.lines(self.stack, converging=False):
            self._print(line)
        return progress

    def up(self, *, refresh: bool = False) -> tuple[EngineProgress, dict[str, Any]]:
        """Make the stack what its settings say; progress (with counts) and outputs, secrets left out. With `refresh`,
        what was changed by hand since the last time is found and put back."""
        refuse_missing(self.stack, self.settings)
        self._prepare()
        self._check_existing_signoz()
        changes = ContentChanges()
        with self._aws():
            stack = self._select(create=True)
            self._recover_killed_run(stack)
            self._check_against_state()
            if refresh and self._machine_is_gone():
                # Its data volume has what was on it, so the next machine has it again.
                self._refresh(stack, "the machine is gone: comparing the rest of the state with what exists")
                refresh = False
            with EngineProgress(self.console, "deploying") as progress:
                result = self._run_journaled(
                    stack,
                    progress,
                    lambda: stack.up(
                        on_event=_all(progress.on_event, changes.on_event, self._journal.on_event),
                        suppress_outputs=True,
                        refresh=refresh,
                        config_file=self._config_file(),
                    ),
                )
        for line in changes.lines(self.stack, converging=True):
            self._print(line)
        return progress, _public(result.outputs) | self._signoz_outputs()

    def _check_existing_signoz(self) -> None:
        """Raises `UserError` where it does not take the key."""
        if existing := self.settings.existing_signoz:
            checked_client(self.stack, existing, self.secret(existing.api_key))

    def refuse_revoked_key(self) -> None:
        """Raises `UserError` where a deletion could not sign in to an existing SigNoz."""
        refuse_revoked_key(self.stack, self._state())

    def _check_against_state(self) -> None:
        """Raises `UserError` for a change that what is deployed cannot take."""
        state = self._state()
        if self.plan.analytics:
            refuse_schema_changes(self.plan.analytics, state)
        if self.plan.host:
            refuse_host_changes(self.plan.host, state)
        if self.plan.signoz:
            for line in check_release(self.plan.signoz, state):
                self._print(line)

    def _machine_is_gone(self) -> bool:
        """Whether the state has a machine that AWS no longer has: what was on it cannot be looked at."""
        host = self.plan.host
        if host is None or instance_of(self._state()) is None:
            return False
        return not instances(host, self.clients)

    def _signoz_outputs(self) -> dict[str, Any]:
        """What is no output of the engine: it depends on this machine, or is for reading alone."""
        settings, plan = self.settings.signoz, self.plan.signoz
        found: dict[str, Any] = {}
        if self.plan.content.objects:
            found["content"] = content_counts(self.plan.content)
        if not settings or not plan:
            return found
        certificate = export_root_certificate(settings, plan, self.docker_host, self.directory)
        if certificate:
            found["root_certificate"] = str(certificate)
        return found

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        stack = self._select(create=False)
        found = stack.outputs()
        return {name: output.value for name, output in found.items()} if show_secrets else _public(found)

    def config_value(self, key: str) -> str:
        """A value of the stack's configuration, decrypted; `key` may be a path. Raises `CommandError` for none."""
        return self._select(create=False).get_config(key, path=True).value

    def resources(self) -> list[Resource]:
        """The real resources in the stack's state; empty where the stack was never deployed."""
        return [
            Resource(
                type=each["type"],
                name=each["urn"].rsplit("::", 1)[-1],
                id=each.get("id", ""),
                protected=bool(each.get("protect")),
                kept=bool(each.get("retainOnDelete")),
            )
            for each in self._state()
            if each.get("custom") and not each.get("external") and not each["type"].startswith("pulumi:")
        ]

    def machine_address(self) -> str | None:
        """The address at which SigNoz' API answers on a machine that the stack makes; None without such a machine."""
        host = self.plan.host
        if host is None:
            return None
        return self.outputs()["host"]["address"] if host.public else host.domain

    def api_key(self) -> str | None:
        """The key that content is deployed with, in clear; None where there is none yet."""
        for each in self._state():
            if each["type"] == f"{TYPE_PREFIX}{API_KEY_TYPE}" and not each.get("delete"):
                return revealed(each.get("outputs", {}).get("key"))
        return None

    def _state(self) -> list[dict[str, Any]]:
        try:
            return self._select(create=False).resources()
        except UserError:
            return []

    def destroy(self) -> EngineProgress:
        """Delete every resource, then the stack itself; the stack's file stays."""
        with self._aws():
            stack = self._select(create=False)
            with EngineProgress(self.console, "deleting") as progress:
                self._run_journaled(
                    stack,
                    progress,
                    lambda: stack.destroy(
                        on_event=_all(progress.on_event, self._journal.on_event),
                        suppress_outputs=True,
                        config_file=self._config_file(),
                    ),
                )
            stack.workspace.remove_stack(self.stack, preserve_config=True)
            self._selected = None
        self._lab_images_mark.unlink(missing_ok=True)
        return progress

    def stop_emulator(self) -> bool:
        """Returns whether there was one to stop."""
        return self.is_local and self._local_aws.stop()

    # The engine

    def _select(self, *, create: bool) -> EngineStack:
        if self._selected:
            return self._selected
        workspace = automation.LocalWorkspace(
            work_dir=str(self.project.root), env_vars=self.environment, pulumi_command=self.engine
        )
        mode = StackInitMode.CREATE_OR_SELECT if create else StackInitMode.SELECT
        try:
            self._selected = EngineStack(self.stack, workspace, mode)
            return self._selected
        except StackNotFoundError:
            raise UserError(f"Stack {self.stack} is not deployed: run `turnscope up {self.stack}` first.") from None
        except CommandError as error:
            raise UserError(engine_words(error), exit_code=1) from None

    def _config_file(self) -> str | None:
        """A local stack's configuration with its salt, apart from the file in version control."""
        if not self.is_local:
            return None
        return str(write_config(stack_file(self.stack, self.project.root), self.directory, self._overrides))

    def _run_journaled(
        self, stack: automation.Stack, progress: EngineProgress, operation: Callable[[], Result]
    ) -> Result:
        """Run what changes resources: with the state saved at its end, and a journal until then."""
        since = datetime.now(UTC)
        self.engine.journaled = saves_once(self.project, self.environment)
        try:
            with self._journal.held():
                try:
                    result = self._run(stack, progress, operation)
                except BaseException:
                    self.engine.journaled = {}
                    # Also a run that failed or was interrupted saves the state, unless the engine itself was killed.
                    self._journal.recorded = not self._journal.changed or saved_at(stack) >= since
                    if not self._journal.recorded:
                        self._print(
                            "The engine was killed before it saved the state: the next run finds what it created."
                        )
                    raise
                self._journal.recorded = True
                return result
        finally:
            self.engine.journaled = {}

    def _run(self, stack: automation.Stack, progress: EngineProgress, operation: Callable[[], Result]) -> Result:
        self.engine.interrupted = False
        try:
            try:
                result = operation()
            except ConcurrentUpdateError as error:
                if not (self.recover or is_held_by_the_dead(str(error))):
                    raise
                stack.cancel()
                result = operation()
            if self.engine.interrupted:
                # `pulumi destroy` ends with 0 where it was asked to stop.
                raise self._interrupted(progress)
            return result
        except ConcurrentUpdateError:
            raise UserError(
                f"Another update of stack {self.stack} is in progress. Wait until it ends; if its process was killed, "
                f"add --recover, which releases its lock and looks for what it made.",
                exit_code=1,
            ) from None
        except CommandError as error:
            if self.engine.interrupted:
                raise self._interrupted(progress) from None
            sources = self._sources() if progress.failures else {}
            raise UserError(failure_text(self.stack, progress, error, sources), exit_code=1) from None

    def _interrupted(self, progress: EngineProgress) -> UserError:
        return UserError(
            f"Interrupted: {progress.summary()}. Completed operations are recorded: `turnscope up {self.stack}` and "
            f"`turnscope teardown {self.stack}` continue from here.",
            exit_code=INTERRUPTED_EXIT_CODE,
        )

    def _sources(self) -> dict[str, str]:
        """Where each object of SigNoz' content is written."""
        return {each.name: each.source for each in self.plan.content.objects}

    def _print(self, line: str) -> None:
        self.console.print(escape(line), highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def _aws(self) -> Iterator[None]:
        """AWS is there for a stack that has anything in it, in an account that the settings allow; a local stack's
        emulator runs, and the state holds nothing that it does not. The engine finds what it takes to reach a machine
        that the stack makes."""
        if not self._is_in_aws:
            yield
            return
        if self.plan.host and self.settings.signoz:
            _ = self.docker_host
        if self.settings.aws.account_ids:
            account_id(self.settings, self.clients)
        if self.is_local:
            instance = self._local_aws.start(self.settings, self.console)
            if self._local_aws.is_another(instance):
                self._forget_what_is_gone()
            self._local_aws.remember(instance)
        yield

    @property
    def _is_in_aws(self) -> bool:
        """Whether the stack has, or had when it was last deployed, anything in AWS."""
        return self.settings.cloudwatch is not None or any(each["type"].startswith("aws:") for each in self._state())

    def _forget_what_is_gone(self) -> None:
        try:
            stack = self._select(create=False)
        except UserError:
            return
        self._refresh(stack, "the emulator is new: removing the old emulator's resources from the state")

    def _refresh(self, stack: automation.Stack, doing: str, *, only: Sequence[str] | None = None) -> None:
        """Compare the state with what is there, of CloudWatch and Docker: SigNoz may be down until a run starts it."""
        state = self._state()
        unseen = [each["urn"] for each in state if each["type"].startswith(TYPE_PREFIX)]
        if self._machine_is_gone():
            unseen = on_the_machine(state)
        with EngineProgress(self.console, doing) as progress:
            self._run(
                stack,
                progress,
                lambda: stack.refresh(
                    target=list(only) if only else None,
                    exclude=None if only else unseen or None,
                    on_event=progress.on_event,
                    clear_pending_creates=True,
                    suppress_outputs=True,
                    config_file=self._config_file(),
                ),
            )

    def recover_killed_run(self) -> None:
        """Take what a killed run made into the state, if the last one was killed."""
        if self.recover or self._journal.left_by_a_killed_run():
            self._prepare()
            with self._aws():
                self._recover_killed_run(self._select(create=True))

    def _recover_killed_run(self, stack: automation.Stack) -> None:
        if not (self.recover or self._journal.left_by_a_killed_run()):
            return
        self._print("The last run was killed. Looking for resources that it created and did not record.")
        if self._state():
            self._refresh(stack, "comparing the state with what exists")
        planned = update_plan(stack, self._config_file())
        exported = stack.export_stack()
        state = dict(exported.deployment or {})
        host = self.docker_host if self.settings.signoz else None
        existing = Existing(self.stack, self.clients, host)
        state["resources"], found = adopt(
            state.get("resources", []), candidates(self._journal.creates(), planned), existing.find
        )
        if found:
            with EngineProgress(self.console, "recording what was found") as progress:
                self._run(stack, progress, lambda: stack.import_stack(automation.Deployment(exported.version, state)))
            self._refresh(stack, "reading what was found", only=found)
        self._print(f"Found and recorded: {len(found)} resources.")
        self._journal.forget()
        self.recover = False


def _all(*followers: Callable[[automation.EngineEvent], None]) -> Callable[[automation.EngineEvent], None]:
    def on_event(event: automation.EngineEvent) -> None:
        for follow in followers:
            follow(event)

    return on_event


def _public(outputs: automation.OutputMap) -> dict[str, Any]:
    return {name: HIDDEN if output.secret else output.value for name, output in outputs.items()}
