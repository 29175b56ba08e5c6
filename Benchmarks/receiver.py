#!/usr/bin/env python3
"""How many spans a second `sx serve` takes in over one connection, as OTLP in protobuf and in JSON, plain and packed with gzip.

usage: receiver.py [--spans N] [--batch N] [-n RUNS] [--port PORT]

Run with the Python that has the peers of requirements.txt: the bodies are made with the protobuf classes of OpenTelemetry."""
import argparse
import gzip
import http.client
import json
import os
import statistics
import time

import measure
from server import Running

ENCODINGS = {"JSON": ("application/json", None), "JSON, gzip": ("application/json", "gzip"),
          "protobuf": ("application/x-protobuf", None), "protobuf, gzip": ("application/x-protobuf", "gzip")}


def batch(size):
    """Spans of three attributes in traces of ten, with ids of their own, as the mapping that OTLP/JSON writes."""
    spans, now = [], time.time_ns()
    for index in range(size):
        if index % 10 == 0:
            trace, root = os.urandom(16).hex(), os.urandom(8).hex()
        span = {"traceId": trace, "spanId": root if index % 10 == 0 else os.urandom(8).hex(), "name": f"GET /orders/{index % 7}", "kind": 2,
                "startTimeUnixNano": str(now + index * 1000), "endTimeUnixNano": str(now + index * 1000 + 500_000),
                "attributes": [{"key": "http.request.method", "value": {"stringValue": "GET"}},
                               {"key": "http.response.status_code", "value": {"intValue": "200"}},
                               {"key": "http.route", "value": {"stringValue": "/orders/:id"}}]}
        if index % 10:
            span["parentSpanId"] = root
        spans.append(span)
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "bench"}, "spans": spans}]}]}


def protobuf(data):
    """The same as protobuf."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    request = ExportTraceServiceRequest()
    for group in data["resourceSpans"]:
        to_group = request.resource_spans.add()
        fill(to_group.resource.attributes, group["resource"]["attributes"])
        for scope in group["scopeSpans"]:
            to_scope = to_group.scope_spans.add()
            to_scope.scope.name = scope["scope"]["name"]
            for span in scope["spans"]:
                made = to_scope.spans.add(
                    trace_id=bytes.fromhex(span["traceId"]), span_id=bytes.fromhex(span["spanId"]),
                    parent_span_id=bytes.fromhex(span.get("parentSpanId", "")), name=span["name"], kind=span["kind"],
                    start_time_unix_nano=int(span["startTimeUnixNano"]), end_time_unix_nano=int(span["endTimeUnixNano"]))
                fill(made.attributes, span["attributes"])
    return request.SerializeToString()


def fill(to, attributes):
    for attribute in attributes:
        entry = to.add(key=attribute["key"])
        value = attribute["value"]
        if "intValue" in value:
            entry.value.int_value = int(value["intValue"])
        else:
            entry.value.string_value = value["stringValue"]


def send(port, bodies, encoding, count):
    """Sends the bodies again and again until so many were sent. Gives the seconds."""
    kind, packed = ENCODINGS[encoding]
    headers = {"Content-Type": kind} | ({"Content-Encoding": packed} if packed else {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    start = time.perf_counter()
    for index in range(count):
        connection.request("POST", "/v1/traces", bodies[index % len(bodies)], headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 or b"partial" in body:
            raise measure.Failed(f"{encoding}: {answer.status} {body[:200]}")
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("-n", type=int, default=5)
    parser.add_argument("--port", type=int, default=18460)
    options = parser.parse_args()
    data = [batch(options.batch) for _ in range(10)]
    text, binary = [json.dumps(one).encode() for one in data], [protobuf(one) for one in data]
    bodies = {"JSON": text, "JSON, gzip": [gzip.compress(one) for one in text],
              "protobuf": binary, "protobuf, gzip": [gzip.compress(one) for one in binary]}
    count = max(1, options.spans // options.batch)
    rates = {encoding: [] for encoding in bodies}
    folder = os.path.join(measure.HERE, "server")
    with Running([measure.SX, "serve", os.path.join(folder, "hello.sx"), "--port", "PORT"], {}, options.port) as server:
        for _ in range(options.n):
            for encoding, made in bodies.items():
                rates[encoding].append(count * options.batch / send(options.port, made, encoding, count))
        memory = server.memory()
    rows = []
    for encoding, found in rates.items():
        size = sum(map(len, bodies[encoding])) / len(bodies[encoding]) / options.batch
        rows.append([encoding, f"{size:.0f}", f"{statistics.median(found):,.0f}", f"{min(found):,.0f}", f"{max(found):,.0f}"])
    measure.write("receiver", "Receiver",
                  f"`POST /v1/traces` over one connection, {options.batch:,} spans of three attributes a request, "
                  f"{count * options.batch:,} spans a run; medians of {options.n} runs in turn. The server weighed {memory:.0f} MB at most.",
                  measure.table(["encoding", "bytes a span", "spans/s", "slowest", "fastest"], rows))


if __name__ == "__main__":
    main()
