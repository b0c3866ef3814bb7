"""Usual names of the columns that have a role, the likeliest first."""

TIMES = (
    "timestamp",
    "event_time",
    "event_timestamp",
    "time",
    "ts",
    "datetime",
    "request_time",
    "inference_time",
    "created_at",
    "date",
)
IDS = ("event_id", "prediction_id", "request_id", "inference_id", "record_id", "id", "uuid")
VERSIONS = ("model_version", "version", "variant")
PLACES = ("endpoint", "deployment", "collection", "inference_service", "custom_attributes")
PREDICTIONS = ("prediction", "predicted_label", "predicted", "y_pred", "pred")
SCORES = ("score", "probability", "prediction_score", "prediction_probability", "y_score", "proba")
LABELS = ("label", "target", "ground_truth", "actual", "y_true", "y")
