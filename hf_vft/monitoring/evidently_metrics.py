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
    plotly_figure,
    table_data,
    text_widget,
)

_CLEAR = "rgba(0, 0, 0, 0)"  # the page is light or dark as the reader likes


class Verdict(SingleValueMetric):
    """0 in order, 1 no verdict yet, 2 label, 3 retrain, 4 mend; what stands first on the page."""

    code: int
    headline: str
    reasons: list[str]
    todo: list[str]


class VerdictCalculation(SingleValueCalculation[Verdict]):
    """Renders the headline, why, and what to do."""

    def display_name(self) -> str:
        """Name in lists of metrics and tests."""
        return "Verdict (0 in order, 1 wait, 2 label, 3 retrain, 4 mend)"

    def calculate(self, context: object, current_data: object, reference_data: object) -> Any:
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
    """One number for the dashboard, such as ``performance.estimated_accuracy``.

    The dashboard joins into one line what has equal parameters, so the value is none of them: it
    is the column ``key`` of the data that the report is run on.
    """

    key: str


class FigureCalculation(SingleValueCalculation[Figure]):
    """Takes the number from the data; shows nothing on the page."""

    def display_name(self) -> str:
        """Name in lists of metrics and tests."""
        return self.metric.key

    def calculate(self, context: object, current_data: Any, reference_data: object) -> Any:
        """The value."""
        result = self.result(float(current_data.as_dataframe()[self.metric.key].iloc[0]))
        result.widget = []
        return result


class Tile(SingleValueMetric):
    """One number for the page, as people read it."""

    title: str
    value: float
    shown: str


class TileCalculation(SingleValueCalculation[Tile]):
    """Renders the number as a counter."""

    def display_name(self) -> str:
        """Name in lists of metrics and tests."""
        return self.metric.title

    def calculate(self, context: object, current_data: object, reference_data: object) -> Any:
        """The value, with its widget."""
        result = self.result(self.metric.value)
        tile = CounterData(self.metric.title, self.metric.shown)
        result.widget = [counter(counters=[tile], size=WidgetSize.HALF)]
        return result


class SectionAlerts(SingleValueMetric):
    """Number of alerts in one section, above the table of all findings."""

    section: str
    title: str
    alerts: int
    table: list[dict[str, str]]
    note: Optional[str] = None  # noqa: UP045 – pydantic 1 reads it


class SectionAlertsCalculation(SingleValueCalculation[SectionAlerts]):
    """Renders the table of a section's findings."""

    def display_name(self) -> str:
        """Name in lists of metrics and tests."""
        return f"Alerts: {self.metric.title}"

    def calculate(self, context: object, current_data: object, reference_data: object) -> Any:
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


class OverTime(SingleValueMetric):
    """Accuracy measured on labels, stretch by stretch; the value is that of the newest."""

    title: str
    times: list[str]
    accuracy: list[float]
    low: list[float]
    high: list[float]
    reference: Optional[float] = None  # noqa: UP045 – pydantic 1 reads it


class OverTimeCalculation(SingleValueCalculation[OverTime]):
    """Renders the curve with Wilson's intervals, and the level at training."""

    def display_name(self) -> str:
        """Name in lists of metrics and tests."""
        return f"{self.metric.title} over time, measured on labels"

    def calculate(self, context: object, current_data: object, reference_data: object) -> Any:
        """The newest value, with the curve."""
        import plotly.graph_objects as go

        metric = self.metric
        result = self.result(metric.accuracy[-1])
        pairs = list(zip(metric.accuracy, metric.low, metric.high, strict=True))
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, _, high in pairs],
            "arrayminus": [value - low for value, low, _ in pairs],
            "thickness": 1,
        }
        figure = go.Figure(
            go.Scatter(
                x=metric.times,
                y=metric.accuracy,
                error_y=bars,
                mode="lines+markers",
                name=f"{metric.title}, 95 % interval",
                line={"color": "#2a7de1"},
            )
        )
        if metric.reference is not None:
            figure.add_hline(y=metric.reference, line_dash="dash", annotation_text="at training")
        figure.update_yaxes(title=metric.title, range=[0, 1.02])
        figure.update_layout(plot_bgcolor=_CLEAR, paper_bgcolor=_CLEAR)
        result.widget = [plotly_figure(title=self.display_name(), figure=figure)]
        return result


class SideBySide(SingleValueMetric):
    """Rows of images, each with its title; the value is how many there are."""

    rows: dict[str, list[str]]


class SideBySideCalculation(SingleValueCalculation[SideBySide]):
    """Renders the images as a figure, since text on an Evidently page may hold none."""

    def display_name(self) -> str:
        """Name in lists of metrics and tests."""
        return "What it looks like"

    def calculate(self, context: object, current_data: object, reference_data: object) -> Any:
        """The count, with the images."""
        import plotly.graph_objects as go

        rows = self.metric.rows
        result = self.result(sum(map(len, rows.values())))
        widest = max(map(len, rows.values()))
        figure = go.Figure()
        for y, (title, images) in enumerate(rows.items()):
            note = title if images else f"{title}: no image is at hand"
            figure.add_annotation(
                x=0, y=-y, text=note, showarrow=False, xanchor="left", yanchor="bottom"
            )
            for x, image in enumerate(images):
                figure.add_layout_image(
                    source=image, x=x, y=-y - 0.02, sizex=0.95, sizey=0.8, xref="x", yref="y"
                )
        figure.update_xaxes(visible=False, range=[-0.05, widest])
        figure.update_yaxes(visible=False, range=[-len(rows) + 0.1, 0.15])
        figure.update_layout(
            height=150 * len(rows),
            margin={"l": 0, "r": 0, "t": 10, "b": 0},
            plot_bgcolor=_CLEAR,
            paper_bgcolor=_CLEAR,
        )
        result.widget = [plotly_figure(title=self.display_name(), figure=figure)]
        return result
