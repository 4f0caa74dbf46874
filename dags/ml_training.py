"""The work of ml_training.yaml: logistic regression by gradient descent, in Python's standard library."""

import csv
import json
import math
import os
import tempfile
from pathlib import Path

from millrace import Skip

DATA = Path(__file__).parent / "vega-datasets/data/seattle-weather.csv"
FEATURES = ["rain", "wind", "warmest", "coldest", "season_sin", "season_cos"]


def preprocess():
    """Each day becomes numbers; the answer is whether the next day was wet. The last year is kept for the test."""
    with DATA.open() as file:
        days = list(csv.DictReader(file))
    samples = [(day["date"], features(day), float(after["precipitation"]) > 0) for day, after in zip(days, days[1:])]
    train = [sample for sample in samples if sample[0] < "2015"]
    test = [sample for sample in samples if sample[0] >= "2015"]

    # Scaled by what the training days say: the test days must not leak into the model.
    columns = list(zip(*(x for _, x, _ in train)))
    means = [sum(column) / len(column) for column in columns]
    spreads = [math.sqrt(sum((v - m) ** 2 for v in column) / len(column)) for column, m in zip(columns, means)]
    scale = {"means": means, "spreads": spreads}
    print(f"{len(train)} days to learn from, {len(test)} to test on")
    return {"scale": scale, "train": pack(train, scale), "test": pack(test, scale)}


def features(day):
    month = int(day["date"][5:7])
    angle = 2 * math.pi * month / 12
    rain, wind = math.log1p(float(day["precipitation"])), float(day["wind"])
    return [rain, wind, float(day["temp_max"]), float(day["temp_min"]), math.sin(angle), math.cos(angle)]


def pack(samples, scale):
    scaled = [[round((v - m) / s, 4) for v, m, s in zip(x, scale["means"], scale["spreads"])] for _, x, _ in samples]
    return {"x": scaled, "wet": [int(wet) for _, _, wet in samples]}


def train(data, params):
    """Full-batch gradient descent on the log loss."""
    rows, wet = data["train"]["x"], data["train"]["wet"]
    weights, bias = [0.0] * len(FEATURES), 0.0
    for epoch in range(1, params["epochs"] + 1):
        errors = [probability(weights, bias, x) - y for x, y in zip(rows, wet)]
        for i in range(len(weights)):
            weights[i] -= params["learningRate"] * sum(e * x[i] for e, x in zip(errors, rows)) / len(rows)
        bias -= params["learningRate"] * sum(errors) / len(rows)
        if epoch == 1 or epoch % 50 == 0:
            print(f"epoch {epoch}: loss {loss(weights, bias, rows, wet):.4f}", flush=True)
    return {"weights": weights, "bias": bias, "scale": data["scale"], "features": FEATURES}


def probability(weights, bias, x):
    return 1 / (1 + math.exp(-(bias + sum(w * v for w, v in zip(weights, x)))))


def loss(weights, bias, rows, wet):
    chances = [probability(weights, bias, x) for x in rows]
    return -sum(math.log(p if y else 1 - p) for p, y in zip(chances, wet)) / len(rows)


def evaluate(data, model):
    """On days that the model has never seen, against always saying what is more common."""
    rows, wet = data["test"]["x"], data["test"]["wet"]
    said = [probability(model["weights"], model["bias"], x) >= 0.5 for x in rows]
    accuracy = sum(s == bool(y) for s, y in zip(said, wet)) / len(wet)
    baseline = max(sum(wet), len(wet) - sum(wet)) / len(wet)
    scores = {"accuracy": round(accuracy, 4), "baseline": round(baseline, 4), "days": len(wet)}
    print(scores)
    return scores


def approve(scores, params):
    if scores["accuracy"] < params["minAccuracy"] or scores["accuracy"] <= scores["baseline"]:
        raise Skip(f"accuracy {scores['accuracy']} is not good enough")
    return True


def deploy(model, scores, params, run_id):
    """Written beside and renamed, so that whoever reads the model never sees half of it."""
    folder = Path(params["folder"] or Path(tempfile.gettempdir(), f"millrace-models-{os.getuid()}"))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        json.dump({**model, "scores": scores, "run": run_id}, file)
    target = folder / "rain_tomorrow.json"
    os.replace(file.name, target)
    print(f"deployed {target}")
    return {"path": str(target), "accuracy": scores["accuracy"]}
