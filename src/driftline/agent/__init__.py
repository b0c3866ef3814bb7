"""The running agent.

`composition_root` makes an `Agent` from a configuration. The agent has a `ModelWatch` for each
model and a worker for each sink and action (`delivery_workers`). One tick of a model lists and
reads its sources (`feed`, `reading`, `late_labels`), judges the windows that are due (`closing`),
turns findings into incidents (`model_alerts`) and removes what is old (`retention`).
"""
