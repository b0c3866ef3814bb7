"""Recognises by its name what a column is: a role of a schema, or a fact about serving.

A name is split into words (`predictedLabel`, `predicted-label` and `predicted_label` are the same).
Names of nested values have the path before a dot: what stands under `inputs` is an input, what
stands under `outputs` is an output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TIMES = (
    "timestamp",
    "event_time",
    "event_timestamp",
    "time",
    "ts",
    "datetime",
    "request_time",
    "inference_time",
    "timestamp_ms",
    "logged_at",
    "logging_time",
    "created_at",
    "date",
)
"""Columns with the time of a row, the best first."""
IDS = ("event_id", "prediction_id", "request_id", "inference_id", "record_id", "id", "uuid")
"""Columns with the id of a row, the best first."""
VERSIONS = ("model_version", "version", "variant")
PREDICTIONS = (
    "prediction",
    "predicted_label",
    "predicted",
    "y_pred",
    "pred",
    "predicted_class",
    "predicted_value",
    "prediction_label",
    "prediction_class",
    "prediction_value",
    "pred_label",
    "pred_class",
    "yhat",
    "predictions",
    "model_prediction",
    "model_output",
    "forecast",
    "forecast_value",
)
SCORES = (
    "score",
    "probability",
    "prediction_score",
    "prediction_probability",
    "y_score",
    "proba",
    "prob",
    "y_proba",
    "y_prob",
    "predicted_probability",
    "predicted_proba",
    "predicted_score",
    "pred_proba",
    "pred_prob",
    "model_score",
    "confidence",
)
LABELS = (
    "label",
    "target",
    "ground_truth",
    "actual",
    "y_true",
    "true_label",
    "actual_label",
    "actual_value",
    "actual_class",
    "truth",
    "y",
    "outcome",
)
OUTCOMES = (
    "churn",
    "churned",
    "survived",
    "fraud",
    "is_fraud",
    "isfraud",
    "defaulted",
    "converted",
    "clicked",
    "purchased",
    "exited",
)
"""Names of labels that are yes or no."""
WEAK_LABELS = ("y", "outcome")
"""Names of labels that are those of inputs as well, where no column has a prediction."""
_ROW_IDS = frozenset(name.replace("_", "") for name in IDS)
_ROW_TIMES = frozenset(name.replace("_", "") for name in TIMES)
_PREDICTED = {"pred", "predicted", "prediction", "yhat", "hat"}
_PROBABILITY_WORDS = {"probability", "probabilities", "proba", "prob", "score", "confidence"}
_CLASS_WORDS = {"yes", "no", "true", "false", "positive", "negative", "pos", "neg", "class"}
_DECISIONS = {"decision", "verdict", "recommendation", "action", "flagged"}
_TRUE = {"actual", "true", "truth", "label", "target"}
_SCORES_BY_CLASS = {"scores", "probabilities", "probs", "proba"}
_UNNAMED_OUTPUT = re.compile(r"_o\d+")
"""What formats call an output without a name."""
_INPUTS = {"input", "inputs", "feature", "features", "instance", "instances", "request"}
_OUTPUTS = {"output", "outputs", "response", "prediction", "predictions", "result"}
_ID_WORDS = {"id", "ids", "uuid", "guid", "ulid"}
_ENTITIES = (
    "row|user|order|request|customer|client|session|event|record|message|trace|span|account"
    "|transaction|txn|member|patient|passenger|device|visitor|cookie|job|run|invoice|ticket|case"
    "|loan|policy|claim|correlation|label|inference|prediction|parent|operation|insert"
)
_ENTITY_ID = re.compile(rf"(?:\w*_)?(?:{_ENTITIES})_?(?:id|uuid|guid|key|no|nr|number|hash)")
_INDEX = re.compile(
    r"unnamed(_\d+)?|(_*index_)?level_\d+|row_?(number|num|nr|no|index|id)|line_?(number|no)|index"
    r"|seq|sequence|sequence_?(number|no)|(kafka_|partition_)?offset"
)
_PLACES = frozenset(
    ("endpoint", "deployment", "collection", "customattributes", "inferenceservice")
)
"""Names of columns that formats and layouts add to the records."""
_MODELS = frozenset(
    (
        "endpoint",
        "endpointname",
        "inferenceservice",
        "model",
        "modelname",
        "modelid",
        "servedmodelname",
        "servedentityname",
    )
)
"""Names of columns whose values are models."""
MAKERS = frozenset(("make", "maker", "brand", "manufacturer", "vendor", "vehicle", "car"))
"""Names of columns beside which `model` is that of a product."""
_SERVING = (_MODELS - {"model"}) | frozenset(
    (
        "deploymentname",
        "samplingfraction",
        "samplingrate",
        "modeluri",
        "servedmodel",
        "servedentity",
        "servedentityid",
        "deployedmodelid",
        "modeldisplayname",
        "hostname",
        "pod",
        "podname",
        "container",
        "containername",
        "nodename",
        "instanceid",
        "clustername",
        "clientip",
        "ipaddress",
        "ip",
        "remoteaddr",
        "remoteip",
        "useragent",
        "requester",
        "requestmethod",
        "httpmethod",
        "requesturi",
        "requesturl",
        "loglevel",
        "logname",
        "logger",
        "severity",
        "schemaversion",
        "sdkversion",
        "apiversion",
        "agentversion",
        "eventversion",
        "specversion",
        "datacontenttype",
        "mimetype",
        "workspaceid",
        "projectid",
    )
)
"""Names of facts about serving, without the characters between words."""
_STATUS = frozenset(
    (
        "statuscode",
        "httpstatus",
        "httpstatuscode",
        "responsecode",
        "responsestatus",
        "responsestatuscode",
        "httpcode",
        "httpresponsecode",
        "grpcstatus",
        "grpccode",
        "errorcode",
        "errormessage",
        "returncode",
        "exitcode",
        "statusmessage",
        "exception",
    )
)
_LATENCY_SUBJECTS = {
    "response",
    "execution",
    "processing",
    "inference",
    "prediction",
    "predict",
    "request",
    "serving",
    "scoring",
    "compute",
    "queue",
    "model",
    "server",
    "backend",
    "elapsed",
    "overhead",
    "roundtrip",
    "wall",
    "cpu",
    "gpu",
    "total",
}
_TIME_WORDS = {"time", "duration", "elapsed"}
_UNITS = {"ms", "us", "ns", "millis", "milliseconds", "micros", "seconds", "secs", "sec", "s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnName:
    """The words of a column's name, in lower case, without those of its path."""

    words: tuple[str, ...]
    is_input: bool
    """Whether the path says that it is an input of the model."""
    is_output: bool
    """Whether the path says that it is an output of the model."""
    is_class_score: bool
    """Whether it is the score of one of several classes."""
    is_unnamed_output: bool
    """Whether it is an output that has no name in the records."""

    @property
    def joined(self) -> str:
        """The words without anything between them."""
        return "".join(self.words)

    @property
    def is_row_id(self) -> bool:
        """Whether it identifies a row, a person or a request, whatever its values are."""
        return self.joined in _ROW_IDS or bool(_ENTITY_ID.fullmatch("_".join(self.words)))

    @property
    def is_id(self) -> bool:
        """Whether it is called an id: of a row, or of one of a few places or products."""
        return self.is_row_id or self.words[-1] in _ID_WORDS

    @property
    def is_index(self) -> bool:
        """Whether it is called like the number of a row; no name at all is one, too."""
        return not self.joined or bool(_INDEX.fullmatch("_".join(self.words)))

    @property
    def is_time(self) -> bool:
        """Whether it is called like the time of an event."""
        return self.joined in _ROW_TIMES or "timestamp" in self.words

    @property
    def is_place(self) -> bool:
        """Whether formats and layouts add such a column to the records."""
        return self.joined in _PLACES

    @property
    def is_model(self) -> bool:
        """Whether its values are names of models."""
        return self.joined in _MODELS

    @property
    def is_label(self) -> bool:
        """Whether it is called like a label by a pattern, such as `actual_price`."""
        return (
            len(self.words) > 1
            and not _PREDICTED.intersection(self.words)
            and (
                self.words[0] in {"actual", "true"}
                or self.words[-1] in {"actual", "label", "truth"}
            )
        )

    @property
    def is_prediction(self) -> bool:
        """Whether it is called like a prediction, such as `churn_prediction`."""
        named = self.words[0] in _PREDICTED or self.words[-1] in _PREDICTED
        other = self.is_probability or self.is_id or self.is_time or self.serving_fact
        return bool(named and self.words != ("hat",) and not other)

    @property
    def is_decision(self) -> bool:
        """Whether it is called like a decision that is taken by a score."""
        return self.words[-1] in _DECISIONS

    @property
    def is_probability(self) -> bool:
        """Whether it is called like the probability of a class, such as `predicted_prob_1`."""
        probability = _PROBABILITY_WORDS.intersection(self.words)
        predicted = (_PREDICTED | {"model"}).intersection(self.words)
        named = [word for word in self.words if not (word.isdigit() or word in _CLASS_WORDS)]
        return bool(probability and predicted) or bool(
            named and named[-1] in {"probability", "probabilities", "proba", "prob"}
        )

    @property
    def stem(self) -> tuple[str, ...]:
        """The words that say what is predicted: `churn` of `predicted_churn` and `churn_label`."""
        return tuple(
            word
            for word in self.words
            if word not in _PREDICTED | _PROBABILITY_WORDS | _TRUE | {"p", "y"}
        )

    @property
    def serving_fact(self) -> str:
        """What a column about serving has, in words; empty for another column."""
        if self.joined in _STATUS:
            return "status codes"
        if self.joined in _SERVING:
            return "where or how the model was served"
        words = set(self.words)
        if "latency" in words or "elapsed" in words or self.joined in ("took", "timetaken"):
            return "latencies"
        subject, unit = words & _LATENCY_SUBJECTS, self.words[-1] in _UNITS
        if (subject and (words & _TIME_WORDS or unit)) or (
            words <= {"duration", "took", "runtime"} | _UNITS and len(words) > 1 and unit
        ):
            return "latencies"
        return ""


def read_name(name: str) -> ColumnName:
    """Return the words of a name, which may have a path with dots."""
    *path, last = name.split(".")
    places = {word for part in path for word in _split(part)}
    words = _split(last)
    return ColumnName(
        words=words or ("",),
        is_input=bool(places & _INPUTS),
        is_output=bool(places & _OUTPUTS) and not places & _INPUTS,
        is_class_score=bool(places & _SCORES_BY_CLASS),
        is_unnamed_output=bool(_UNNAMED_OUTPUT.fullmatch(name)),
    )


def _split(text: str) -> tuple[str, ...]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return tuple(word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word)
