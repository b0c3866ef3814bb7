"""Sets the traffic weights of the variants of a SageMaker endpoint, such as back to the old model.

Never leaves a variant less than its `least_share`, whatever the weights of the others are.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from driftline import Action, Order, Rejected, Request, Retryable, StartContext, hookimpl
from driftline.kit.clouds import aws

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class SageMakerWeights(Action):
    """Sets the weights of the variants of an endpoint.

    The answer has the weights before, so that you can set them again.
    """

    type: ClassVar[str] = "sagemaker_weights"
    extra: ClassVar[str] = "aws"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    endpoint: Annotated[str, Field(min_length=1, max_length=63)]
    """The name of the endpoint."""
    region: str
    """The region of the endpoint, such as `eu-central-1`."""
    weights: Annotated[
        dict[str, Weight], Field(min_length=1, examples=[{"current": 1, "candidate": 0}])
    ]
    """The new weight of each variant by name; other variants keep their weight."""
    least_share: dict[str, Share] = Field(default_factory=dict)
    """The least share of all traffic of a variant, from 0 to 1, by name.

    Nothing is changed where a variant would get less.
    """
    endpoint_url: str | None = None
    """The address of the API. Change it for a private endpoint or a test."""

    _client: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _has_traffic(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError("one of the weights must be above 0")
        return self

    def start(self, context: StartContext) -> None:
        """Make the client."""
        super().start(context)
        self._client = aws.make_client("sagemaker", self.region, self.endpoint_url)

    def request(self, order: Order) -> Request:
        """Return the operation UpdateEndpointWeightsAndCapacities; repeating it changes nothing."""
        weights = [
            {"VariantName": name, "DesiredWeight": weight} for name, weight in self.weights.items()
        ]
        parameters = {"EndpointName": self.endpoint, "DesiredWeightsAndCapacities": weights}
        return aws.operation_request(
            "SageMaker.UpdateEndpointWeightsAndCapacities",
            self.endpoint_url or aws.service_url("api.sagemaker", self.region),
            parameters,
        )

    def perform(self, request: Request) -> str:
        """Set the weights where they differ; return the weights before."""
        parameters = json.loads(request.body)
        description = aws.call_operation(
            self._client, "DescribeEndpoint", {"EndpointName": parameters["EndpointName"]}
        )
        before = {
            variant["VariantName"]: float(variant["CurrentWeight"])
            for variant in description["ProductionVariants"]
        }
        target = {
            weight["VariantName"]: float(weight["DesiredWeight"])
            for weight in parameters["DesiredWeightsAndCapacities"]
        }
        after = before | target
        if missing := sorted(after.keys() - before.keys()):
            raise Rejected(f"{self.endpoint} has no variant {', '.join(missing)}")
        for name, least in self.least_share.items():
            share = after.get(name, 0.0) / sum(after.values())
            if share < least:
                raise Rejected(
                    f"{name} would get {share:.0%} of the traffic, "
                    f"and must keep {least:.0%} (least_share)"
                )
        weights_before = ", ".join(f"{name} {weight:g}" for name, weight in before.items())
        if after == before:
            return f"the weights are so already: {weights_before}"
        if description["EndpointStatus"] != "InService":
            raise Retryable(f"{self.endpoint} is {description['EndpointStatus']}, not InService")
        aws.call_operation(self._client, "UpdateEndpointWeightsAndCapacities", parameters)
        return f"weights before: {weights_before}"

    def permissions(self) -> tuple[str, ...]:
        """Return the rights that it needs in AWS."""
        names = ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")
        return tuple(f"sagemaker:{name} on {self.endpoint}" for name in names)


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [SageMakerWeights]
