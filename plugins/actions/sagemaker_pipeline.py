"""Starts an execution of a SageMaker pipeline, such as one that trains a model again.

Never starts two executions for one incident: SageMaker returns the same execution for the same
token.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from driftline import Action, Order, Rejected, Request, StartContext, hookimpl
from driftline.kit.clouds import aws

MAX_VALUE, MAX_DESCRIPTION = 1024, 3072


class SageMakerPipeline(Action):
    """Starts an execution of a SageMaker pipeline."""

    type: ClassVar[str] = "sagemaker_pipeline"
    extra: ClassVar[str] = "aws"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    pipeline: Annotated[str, Field(min_length=1, max_length=2048)]
    """The name or the ARN of the pipeline."""
    region: str
    """The region of the pipeline, such as `eu-central-1`."""
    parameters: Annotated[dict[str, str], Field(max_length=200)] = Field(default_factory=dict)
    """Parameters of the pipeline by name.

    In their values `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    endpoint_url: str | None = None
    """The address of the API. Change it for a private endpoint or a test."""

    _client: Any = PrivateAttr(default=None)

    def start(self, context: StartContext) -> None:
        """Make the client."""
        super().start(context)
        self._client = aws.make_client("sagemaker", self.region, self.endpoint_url)

    def request(self, order: Order) -> Request:
        """Return the operation StartPipelineExecution with the token."""
        values: dict[str, str] = order.fill(self.parameters)
        for name, value in values.items():
            if len(value) > MAX_VALUE:
                raise Rejected(
                    f"parameters.{name}: {len(value)} characters, where SageMaker takes {MAX_VALUE}"
                )
        description = f"driftline, {order.notification.incident}: {order.facts['title']}"
        parameters: dict[str, Any] = {
            "PipelineName": self.pipeline,
            "PipelineExecutionDisplayName": order.token,
            "PipelineExecutionDescription": description[:MAX_DESCRIPTION],
            "ClientRequestToken": order.token,
        }
        if values:
            parameters["PipelineParameters"] = [
                {"Name": name, "Value": value} for name, value in values.items()
            ]
        return aws.operation_request(
            "SageMaker.StartPipelineExecution",
            self.endpoint_url or aws.service_url("api.sagemaker", self.region),
            parameters,
        )

    def perform(self, request: Request) -> str:
        """Start the execution; return its ARN."""
        answer = aws.call_operation(
            self._client, "StartPipelineExecution", json.loads(request.body)
        )
        return str(answer["PipelineExecutionArn"])

    def permissions(self) -> tuple[str, ...]:
        """Return the right that it needs in AWS."""
        return (f"sagemaker:StartPipelineExecution on {self.pipeline}",)


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [SageMakerPipeline]
