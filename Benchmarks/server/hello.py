"""The route of hello.sx in Starlette, with the OpenTelemetry instrumentation of Starlette unless OTEL_SDK_DISABLED is set."""
import os
from collections import deque

from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.starlette import StarletteInstrumentor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


class Ring(SpanProcessor):
    """Keeps the last spans that ended, as SX does: the SDK's cheapest processor."""

    def __init__(self, size):
        self.spans = deque(maxlen=size)
        self.total = 0

    def on_end(self, span):
        self.spans.append(span)
        self.total += 1


ring = Ring(1000)


async def hello(request):
    return JSONResponse({"ok": True, "data": f"Hello, {request.path_params['name']}!"})


async def spans(request):
    return PlainTextResponse(str(ring.total))


app = Starlette(routes=[Route("/hello/{name}", hello), Route("/spans", spans)])
if os.environ.get("OTEL_SDK_DISABLED") != "true":
    provider = TracerProvider()
    provider.add_span_processor(ring)
    trace.set_tracer_provider(provider)
    if os.environ.get("HELLO_ONE_SPAN") == "true":      # without a span for each ASGI message that is sent
        app = OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])
    else:
        StarletteInstrumentor.instrument_app(app)
