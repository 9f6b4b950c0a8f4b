"""`tvsc explain flow`: where one flow goes on every node, and after each node's loss.

flow_text.parse_flow(text)      -> Flow, or messages with carets into the text
flow.Explainer(site, sources)   -> .explain(flow): FlowExplanation (types.py)
flow_print.text / flow_print.as_json
"""

from tvsc.explain.flow import Explainer
from tvsc.explain.flow_text import Flow, parse_flow
from tvsc.explain.types import Arrival, FlowExplanation, Kind, NodePart

__all__ = [
    "Arrival",
    "Explainer",
    "Flow",
    "FlowExplanation",
    "Kind",
    "NodePart",
    "parse_flow",
]
