"""The rules of the table that the benchmark of validation judges, as a schema file would have them."""

from __future__ import annotations

from gatewright.rules.schema import Column, Drift, Rule, Schema

SCHOOLS = tuple(f"school {number:02}" for number in range(16))
WORDS = {
    "region": ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"),
    "marital": ("never", "married", "widowed", "divorced", "separated"),
    "school": SCHOOLS,
    "country": tuple(f"country {number:02}" for number in range(20)),
}
RANGES = {
    "age": (0, 110),
    "hours": (0, 99),
    "weeks": (0, 52),
    "visits": (0, 1000),
    "income": (0, 1e9),
    "score": (0, 1),
    "weight": (0, 1e6),
    "height": (0.3, 2.6),
}
CODES = {"sex": (1, 2), "race": tuple(range(1, 10)), "label": (0, 1)}
NULLABLE = ("hours", "score")
POSTCODE = r"\d{5}"
SCHEMA = Schema(
    columns={
        "id": Column(type="int64", unique=True),
        **{
            name: Column(type=kind, range=RANGES[name], nullable=name in NULLABLE)  # type: ignore[arg-type]
            for name, kind in {
                "age": "int16",
                "hours": "int8",
                "weeks": "int8",
                "visits": "int32",
                "income": "float64",
                "score": "float32",
                "weight": "float64",
                "height": "float64",
            }.items()
        },
        **{name: Column(type="int8", enum=codes, sensitive=name == "sex") for name, codes in CODES.items()},
        **{name: Column(type="string", enum=known) for name, known in WORDS.items()},
        "postcode": Column(type="string", regex=POSTCODE),
        "member": Column(type="bool"),
        "joined": Column(type="date"),
        "left_on": Column(type="date"),
    },
    rules=(Rule(name="leaves after joining", expr="left_on >= joined"),),
    drift=Drift(reference="made-up"),
)
