public import SX
import Synchronization
public import Tracing

/// A tracer whose spans land in the ring of an interpreter, beside those that its scripts make with `otel/with-span`: on the dashboard, in `otel/recent`, in what is
/// exported, in the totals of `/otel/metrics`.
///
/// ```swift
/// let tracer = SXTracer(recordingInto: sx)
/// InstrumentationSystem.bootstrap(tracer)        // for libraries that find their tracer there
/// try tracer.withSpan("request") { _ in try sx.evaluate("(handle)") }
/// ```
///
/// Spans nest in both directions. In a function of the host that a script calls inside a span, `ServiceContext.current` is that span; what Swift calls in SX, be it
/// with `evaluate`, `call`, `spawn` or a `Function`, continues the span of `ServiceContext.current`. A span of Swift is recorded when the span it
/// continues is; one without a parent always is, since the sampler of SX belongs to its interpreter. Scripts cannot add to a span of Swift.
///
/// Thread-safe. A finished span reaches the ring when the interpreter next runs, and wakes it for that when its host waits on its mailbox. Keep spans limited: the
/// limits of `otel/set-limits!` are for spans of SX.
public final class SXTracer: Tracer {
  public typealias Span = SXSpan

  private let outbox: Outbox

  /// Connects the tracer to an interpreter. To be called where the interpreter runs. Another tracer of the same interpreter is replaced.
  public init(recordingInto interpreter: Interpreter) {
    outbox = Outbox(interpreter.mailbox)
    interpreter.border.aroundHostCalls = Bridge.callHost
    interpreter.border.entry = Bridge.entry
  }

  /// Begins a span, which continues the `spanContext` of the context; without one it begins a trace. It has to be ended.
  public func startSpan<Instant: TracerInstant>(
    _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind, at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
  ) -> SXSpan {
    SXSpan(operationName, continuing: context(), kind: kind, start: instant().nanosecondsSinceEpoch) { [outbox] in outbox.add($0) }
  }

  /// Does nothing: a span is on its way as soon as it has ended.
  public func forceFlush() {}

  // MARK: Instrument

  /// Reads `traceparent`, `tracestate` and `baggage`, as the W3C has it. What is invalid is left out.
  public func extract<Carrier, Extract: Extractor>(_ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract) where Extract.Carrier == Carrier {
    if let parent = extractor.extract(key: "traceparent", from: carrier), let span = TraceContextFormat.parse(traceparent: parent, tracestate: extractor.extract(key: "tracestate", from: carrier)) {
      context.spanContext = span
    }
    if let baggage = extractor.extract(key: "baggage", from: carrier), !baggage.isEmpty { context.w3cBaggage = baggage }
  }

  /// Writes `traceparent`, `tracestate` and `baggage`.
  public func inject<Carrier, Inject: Injector>(_ context: ServiceContext, into carrier: inout Carrier, using injector: Inject) where Inject.Carrier == Carrier {
    if let span = context.spanContext {
      injector.inject(TraceContextFormat.traceparent(span), forKey: "traceparent", into: &carrier)
      if let state = span.traceState { injector.inject(state, forKey: "tracestate", into: &carrier) }
    }
    if let baggage = context.w3cBaggage { injector.inject(baggage, forKey: "baggage", into: &carrier) }
  }
}

/// Finished spans on their way into the ring of an interpreter. Thread-safe.
private final class Outbox: Sendable {
  private let mailbox: Mailbox
  private let spans: Spans

  private final class Spans: Sendable {
    let waiting = Mutex<[Datum]>([])
  }

  init(_ mailbox: Mailbox) {
    self.mailbox = mailbox
    spans = Spans()
  }

  /// One job takes all that have ended until it runs.
  func add(_ span: Datum) {
    let isFirst = spans.waiting.withLock { waiting in
      waiting.append(span)
      return waiting.count == 1
    }
    guard isFirst else { return }
    // The job keeps the spans, and not the mailbox that keeps the job.
    mailbox.post { [spans] interpreter in
      let finished = spans.waiting.withLock { waiting in
        defer { waiting = [] }
        return waiting
      }
      guard !finished.isEmpty, let take = try? interpreter.global("otel/-take-spans!") else { return }
      interpreter.spawn(take, [.list(finished)]) { _ in }
    }
  }
}
