"""usage: peer.py SPANS: the cases of telemetry.sx with the OpenTelemetry SDK for Python.

The SDK keeps its last 1,000 spans in a ring, as SX does: its cheapest processor, so that nothing else is measured."""
import sys
import time
from collections import deque

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

spans = int(sys.argv[1])


class Ring(SpanProcessor):
    """Keeps the last spans that ended."""

    def __init__(self, size):
        self.spans = deque(maxlen=size)

    def on_end(self, span):
        self.spans.append(span)


ring = Ring(1000)
provider = TracerProvider()
provider.add_span_processor(ring)
tracer = provider.get_tracer("benchmark")


def report(name, turns, work):
    work(10)
    start = time.perf_counter_ns()
    value = work(turns)
    print(name, (time.perf_counter_ns() - start) / turns, value)


def loop(turns):
    for _ in range(turns):
        pass
    return turns


def three_attributes(turns):
    for i in range(turns):
        with tracer.start_as_current_span("db.query", attributes={"db.system.name": "sqlite", "db.rows": i, "cached": True}):
            pass
    return turns


def no_attributes(turns):
    for _ in range(turns):
        with tracer.start_as_current_span("db.query"):
            pass
    return turns


def inside_another(turns):
    with tracer.start_as_current_span("outer"):
        return three_attributes(turns)


def set_attributes(turns):
    for i in range(turns):
        with tracer.start_as_current_span("db.query", attributes={"db.system.name": "sqlite"}) as span:
            span.set_attribute("db.rows", i)
            span.set_attribute("cached", True)
    return turns


def event(turns):
    for _ in range(turns):
        with tracer.start_as_current_span("db.query") as span:
            span.add_event("cache miss", {"key": "k"})
    return turns


def push(turns):
    last = deque(maxlen=1000)
    for i in range(turns):
        last.append(i)
    return turns


report("loop", spans, loop)
report("span-3-attributes", spans, three_attributes)
report("span-no-attributes", spans, no_attributes)
report("span-inside-another", spans, inside_another)
report("span-and-set-attr", spans, set_attributes)
report("span-and-event", spans, event)
report("part-ring-push", spans, push)
ring.spans = deque(maxlen=5000)
three_attributes(5000)
recent = list(ring.spans)


def repeated(work):
    def turns_of(turns):
        for _ in range(turns):
            value = work()
        return value
    return turns_of


# The SDK has no JSON export of its own: encoding to protobuf is what every OTLP exporter of it does.
report("export", 3, repeated(lambda: len(encode_spans(recent).resource_spans)))
report("export-json", 3, repeated(lambda: len(encode_spans(recent).SerializeToString())))
