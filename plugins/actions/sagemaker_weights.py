"""SageMaker endpoints: how the traffic is shared among production variants, such as all of it back
to the old model.

Refuses to take more from a variant than the settings allow, whatever the other variants weigh at
that time.
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
    """Sets the weights of an endpoint's variants. What they were before stands in the answer, for
    the way back.
    """

    type: ClassVar[str] = "sagemaker_weights"
    extra: ClassVar[str] = "aws"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    endpoint: Annotated[str, Field(min_length=1, max_length=63)]
    """The endpoint's name."""
    region: str
    """Its region, such as `eu-central-1`."""
    weights: Annotated[
        dict[str, Weight], Field(min_length=1, examples=[{"current": 1, "candidate": 0}])
    ]
    """The weight that each named variant is to have; others keep theirs."""
    least_share: dict[str, Share] = Field(default_factory=dict)
    """The share of all traffic that a variant must keep, by its name: nothing is changed where it
    would get less.
    """
    endpoint_url: str | None = None
    """Another address of the same API, for private endpoints and tests."""

    _client: Any = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _some_traffic(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError("one of the weights must be above 0")
        return self

    def start(self, context: StartContext) -> None:
        """Make the client."""
        super().start(context)
        self._client = aws.make_client("sagemaker", self.region, self.endpoint_url)

    def request(self, order: Order) -> Request:
        """UpdateEndpointWeightsAndCapacities: the wanted weights, so that a repeat changes
        nothing.
        """
        wanted = [
            {"VariantName": name, "DesiredWeight": weight} for name, weight in self.weights.items()
        ]
        parameters = {"EndpointName": self.endpoint, "DesiredWeightsAndCapacities": wanted}
        return aws.operation_request(
            "SageMaker.UpdateEndpointWeightsAndCapacities",
            self.endpoint_url or aws.service_url("api.sagemaker", self.region),
            parameters,
        )

    def perform(self, request: Request) -> str:
        """Look, and set what differs; gives the weights before."""
        parameters = json.loads(request.body)
        found = aws.call_operation(
            self._client, "DescribeEndpoint", {"EndpointName": parameters["EndpointName"]}
        )
        before = {
            variant["VariantName"]: float(variant["CurrentWeight"])
            for variant in found["ProductionVariants"]
        }
        wanted = {
            each["VariantName"]: float(each["DesiredWeight"])
            for each in parameters["DesiredWeightsAndCapacities"]
        }
        after = before | wanted
        if missing := sorted(after.keys() - before.keys()):
            raise Rejected(f"{self.endpoint} has no variant {', '.join(missing)}")
        for name, least in self.least_share.items():
            share = after.get(name, 0.0) / sum(after.values())
            if share < least:
                raise Rejected(
                    f"{name} would get {share:.0%} of the traffic, and must keep {least:.0%} (least_share)"
                )
        was = ", ".join(f"{name} {weight:g}" for name, weight in before.items())
        if after == before:
            return f"the weights are so already: {was}"
        if found["EndpointStatus"] != "InService":
            raise Retryable(f"{self.endpoint} is {found['EndpointStatus']}, not InService")
        aws.call_operation(self._client, "UpdateEndpointWeightsAndCapacities", parameters)
        return f"weights before: {was}"

    def permissions(self) -> tuple[str, ...]:
        """What it needs in AWS."""
        names = ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")
        return tuple(f"sagemaker:{name} on {self.endpoint}" for name in names)


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [SageMakerWeights]
