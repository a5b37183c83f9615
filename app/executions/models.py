from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Now

from app.executions.states import FINAL, HELD, CancelRequest, State
from app.modules.models import Build, BuildState
from app.schemas.models import LONG


class Lease(models.Model):
    """Who works a queue: one row for each queue, held by one controller at a time."""

    queue = models.CharField(max_length=63, primary_key=True)
    holder = models.CharField(max_length=255, blank=True, help_text="host, process id and a random word")
    epoch = models.BigIntegerField(default=0, help_text="grows with each takeover; the `claim` on executions")
    expires_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.queue} ({self.epoch})"


class Kind(models.TextChoices):
    """What an execution does."""

    PREDICTION = "prediction"
    BUILD = "build"
    SCHEMA = "schema"


UNBUILT = Q(kind=Kind.PREDICTION) & (
    Q(version__environment=None) | Q(fetch_version__isnull=False, fetch_version__environment=None)
)


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """The queries on executions."""

    def live(self) -> ExecutionQuerySet:
        """The executions that have not ended."""
        return self.exclude(state__in=FINAL)

    def tasks(self) -> ExecutionQuerySet:
        """The executions that AMDA's contract knows as tasks: predictions, oldest first."""
        return self.filter(kind=Kind.PREDICTION).select_related("version__module").order_by("id")

    def shown(self) -> ExecutionQuerySet:
        """Executions with what is shown of each, and without the long texts that are not."""
        return self.select_related("version__module", "version__environment", "schema_version__schema").defer(
            "version__metadata",
            "version__arguments_schema",
            "version__environment__lock",
            *(f"schema_version__{name}" for name in LONG),
        )

    def listed(self) -> ExecutionQuerySet:
        """Executions with what a list shows of each, newest first."""
        return self.shown().order_by("-id")

    def held(self, *, queue: str) -> ExecutionQuerySet:
        """The executions of a queue that the engine has, or is about to get."""
        return self.filter(queue=queue, state__in=HELD)

    def ready(self, queue: str) -> ExecutionQuerySet:
        """The queue entries that may be submitted now, in their order."""
        return (
            self.filter(queue=queue, state=State.QUEUED)
            .filter(Q(not_before=None) | Q(not_before__lte=Now()))
            .exclude(UNBUILT)
            .order_by("-priority", "id")
        )

    def to_submit(self) -> ExecutionQuerySet:
        """With all that a Workflow is made of, and without the long texts beside it."""
        return self.select_related(
            "schema_version", "version__module", "version__environment", "fetch_version__environment", "build__version"
        ).defer(
            *(f"schema_version__{name}" for name in LONG),
            "version__arguments_schema",
            "version__environment__lock",
            "fetch_version__arguments_schema",
            "fetch_version__environment__lock",
        )

    def stranded(self, queue: str) -> ExecutionQuerySet:
        """The queue entries that wait for an environment that no build is making."""
        pending = Build.objects.filter(state=BuildState.PENDING)
        return (
            self.filter(UNBUILT, queue=queue, state=State.QUEUED)
            .annotate(
                unbuilt=Case(When(version__environment=None, then="version"), default="fetch_version"),
            )
            .exclude(Exists(pending.filter(version=OuterRef("unbuilt"))))
        )


class Execution(models.Model):
    """One run of a schema. The row is also its entry in the queue."""

    kind = models.CharField(max_length=10, choices=Kind.choices)
    schema_version = models.ForeignKey("schemas.SchemaVersion", on_delete=models.PROTECT, related_name="+")
    templates = models.ManyToManyField(
        "schemas.SchemaVersion", related_name="+", help_text="of WorkflowTemplates, as they were when it was asked for"
    )
    version = models.ForeignKey("modules.Version", null=True, on_delete=models.PROTECT, related_name="executions")
    fetch_version = models.ForeignKey(
        "modules.Version",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="of `fetch`, if it has inputs",
    )
    build = models.OneToOneField("modules.Build", null=True, on_delete=models.PROTECT, related_name="execution")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    start = models.DateTimeField(null=True, help_text="of the data, inclusive")
    stop = models.DateTimeField(null=True, help_text="of the data, exclusive")
    arguments: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="checked, defaults filled in")
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001  (NULL is outside of the constraint)
    request_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of what was asked")

    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=63, blank=True, help_text="one word for programs, as OutputMissing")
    message = models.TextField(blank=True, help_text="for people: why it waits, or why it ended so")
    attempt = models.PositiveIntegerField(default=1)
    cancel_request = models.CharField(max_length=9, choices=CancelRequest.choices, default=CancelRequest.NONE)

    queue = models.CharField(max_length=63, default="default")
    priority = models.IntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    claim = models.BigIntegerField(default=0, help_text="epoch of the lease that works on it")

    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["idempotency_key"], condition=Q(owner=None), name="execution_key"),
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="execution_owner_key"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["queue", "-priority", "id"], condition=Q(state=State.QUEUED), name="execution_queue"),
            models.Index(fields=["state"], name="execution_state"),
            models.Index(fields=["kind", "id"], name="execution_kind"),
        ]

    def __str__(self) -> str:
        return f"execution {self.pk}"

    @property
    def final(self) -> bool:
        """Whether it has ended; only a retry leads out of that."""
        return self.state in FINAL


class Attempt(models.Model):
    """One Workflow of an execution; earlier attempts stay readable."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    workflow_name = models.CharField(max_length=63, unique=True)
    workflow_uid = models.CharField(max_length=63, blank=True)
    workflow: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="the object as submitted")
    status: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="as last observed, Argo's shape")
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=63, blank=True)
    message = models.TextField(blank=True)
    failure: models.JSONField[Any, Any] = models.JSONField(
        null=True, help_text="{node, exit_code, signal, limit, message, last_lines}"
    )
    pruned = models.BooleanField(default=False, help_text="the engine has forgotten the Workflow, the logs are kept")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["execution_id", "number"]
        indexes: ClassVar = [
            models.Index(fields=["finished_at"], condition=Q(pruned=False), name="attempt_unpruned"),
        ]
        constraints: ClassVar = [models.UniqueConstraint(fields=["execution", "number"], name="attempt_number")]

    def __str__(self) -> str:
        return self.workflow_name


class ResumptionQuerySet(models.QuerySet["Resumption"]):
    """The queries on resumptions."""

    def to_pass_on(self, *, queue: str, claim: int) -> ResumptionQuerySet:
        """What the engine has not been told, of attempts that are held under a claim, in the order of asking."""
        held = self.filter(execution__queue=queue, execution__state__in=HELD, execution__claim=claim)
        return held.filter(passed_on_at=None, attempt=F("execution__attempt")).order_by("id")


class Resumption(models.Model):
    """Somebody let a waiting node of an attempt go on."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="resumptions")
    attempt = models.PositiveIntegerField()
    node_id = models.CharField(max_length=255, blank=True, help_text="empty: the Workflow, which began suspended")
    parameters: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="supplied outputs, as text")
    created_at = models.DateTimeField(auto_now_add=True)
    passed_on_at = models.DateTimeField(null=True, help_text="to the engine")

    objects = ResumptionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["execution", "attempt", "node_id"], name="resumption_node"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["execution"], condition=Q(passed_on_at=None), name="resumption_to_pass_on"),
        ]

    def __str__(self) -> str:
        return f"resumption of {self.node_id or 'the Workflow'}"


class Role(models.TextChoices):
    """What a file is to the execution."""

    OUTPUT = "output"
    ANNEX = "annex"
    OTHER = "other"


class ExecutionArtifact(models.Model):
    """A file that one attempt of an execution gave out."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="artifacts")
    attempt = models.PositiveIntegerField()
    artifact = models.OneToOneField("artifacts.Artifact", on_delete=models.PROTECT, related_name="of_execution")
    name = models.CharField(max_length=1024, help_text="path below the output folder")
    role = models.CharField(max_length=6, choices=Role.choices)
    type = models.CharField(max_length=10, blank=True, help_text="TT, CAT, TS or IMAGE where declared")

    class Meta:
        ordering: ClassVar = ["execution_id", "attempt", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["execution", "attempt", "name"], name="execution_artifact_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Change(models.Model):
    """One entry of the log of changes that streams and webhooks read."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="changes")
    attempt = models.PositiveIntegerField()
    state = models.CharField(max_length=9, choices=State.choices)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"execution {self.execution_id} is {self.state}"
