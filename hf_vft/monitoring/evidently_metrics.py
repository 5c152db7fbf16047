"""Our findings as metrics of Evidently. Importing this imports Evidently, which takes seconds.

Evidently's own tests for drift, groups and embeddings are not used: several give wrong answers
(``tests/monitoring/test_evidently_faults.py`` watches each). It renders, stores, tests and keeps
the dashboard. The metrics carry what was found; no rows of data go in.
"""

# Evidently resolves the annotations of its models when the classes are made.

from typing import Any, Optional

from evidently.core.metric_types import SingleValueCalculation, SingleValueMetric
from evidently.legacy.renderers.html_widgets import (
    CounterData,
    WidgetSize,
    counter,
    table_data,
    text_widget,
)


class Verdict(SingleValueMetric):
    """0 in order, 1 no verdict yet, 2 label, 3 retrain; what stands first on the page."""

    code: int
    headline: str
    reasons: list[str]
    todo: list[str]


class VerdictCalculation(SingleValueCalculation[Verdict]):
    """Renders the headline, why, and what to do."""

    def display_name(self) -> str:
        """For lists of metrics and tests."""
        return "Verdict (0 in order, 1 wait, 2 label, 3 retrain)"

    def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
        """The value, with its widgets."""
        result = self.result(self.metric.code)
        why = "\n".join(f"- {reason}" for reason in self.metric.reasons)
        todo = "\n".join(f"- {step}" for step in self.metric.todo)
        result.widget = [
            counter(counters=[CounterData("", self.metric.headline)], size=WidgetSize.FULL),
            text_widget(title="Why", text=why),
            text_widget(title="What to do", text=todo),
        ]
        return result


class Figure(SingleValueMetric):
    """One number for the dashboard, such as ``performance.estimated_accuracy``."""

    key: str
    title: str
    value: float
    shown: str
    visible: bool = True


class FigureCalculation(SingleValueCalculation[Figure]):
    """Renders the number as a counter."""

    def display_name(self) -> str:
        """For lists of metrics and tests."""
        return self.metric.title

    def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
        """The value, with its widget."""
        result = self.result(self.metric.value)
        tile = counter(
            counters=[CounterData(self.metric.title, self.metric.shown)], size=WidgetSize.HALF
        )
        result.widget = [tile] if self.metric.visible else []
        return result


class SectionAlerts(SingleValueMetric):
    """How many findings of one section alert, above the table of all of them."""

    section: str
    title: str
    alerts: int
    table: list[dict[str, str]]
    note: Optional[str] = None  # noqa: UP045 – pydantic 1 reads it


class SectionAlertsCalculation(SingleValueCalculation[SectionAlerts]):
    """Renders the table of a section's findings."""

    def display_name(self) -> str:
        """For lists of metrics and tests."""
        return f"Alerts: {self.metric.title}"

    def calculate(self, context: Any, current_data: Any, reference_data: Any) -> Any:
        """The count, with the table."""
        result = self.result(self.metric.alerts)
        widgets = []
        if self.metric.note:
            widgets.append(text_widget(title=self.metric.title, text=self.metric.note))
        if self.metric.table:
            names = [name.replace("_", " ") for name in self.metric.table[0]]
            rows = [list(row.values()) for row in self.metric.table]
            title = "" if self.metric.note else self.metric.title
            widgets.append(table_data(title=title, column_names=names, data=rows))
        result.widget = widgets
        return result
