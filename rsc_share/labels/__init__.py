"""Labels: schemes, their text form, their order, and what equals what."""

from rsc_share.labels.equivalence import map_label, readings
from rsc_share.labels.label import EVERYBODY, Label, LabelError
from rsc_share.labels.order import dominates, join, readers
from rsc_share.labels.scheme import Scheme, SchemeSet, day_of
from rsc_share.labels.scheme_file import load_scheme
from rsc_share.labels.shipped import shipped_schemes
from rsc_share.labels.text import banner, parse_label, portion, render_label
from rsc_share.labels.validity import validate

__all__ = [
    "EVERYBODY",
    "Label",
    "LabelError",
    "Scheme",
    "SchemeSet",
    "banner",
    "day_of",
    "dominates",
    "join",
    "load_scheme",
    "map_label",
    "parse_label",
    "portion",
    "readers",
    "readings",
    "render_label",
    "shipped_schemes",
    "validate",
]
