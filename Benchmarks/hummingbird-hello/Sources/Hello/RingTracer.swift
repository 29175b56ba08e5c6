import Synchronization
import Tracing

/// A tracer that does what SX does with a span, and no more: random ids, W3C context in and out, and the last spans in a ring.
struct RingTracer: Tracer {
  private let ring: Ring

  init(capacity: Int) {
    ring = Ring(capacity: capacity)
  }

  /// How many spans have ended so far.
  var finished: Int { ring.total }

  func startSpan<Instant: TracerInstant>(
    _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind,
    at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
  ) -> RingSpan {
    let parent = context()
    var own = parent
    own.traceIdentity = TraceIdentity(
      trace: parent.traceIdentity?.trace ?? hex(UInt64.random(in: 1...UInt64.max)) + hex(UInt64.random(in: 0...UInt64.max)),
      span: hex(UInt64.random(in: 1...UInt64.max))
    )
    return RingSpan(
      record: FinishedSpan(
        name: operationName, kind: kind, identity: own.traceIdentity!, parent: parent.traceIdentity?.span,
        start: instant().nanosecondsSinceEpoch
      ),
      context: own, ring: ring
    )
  }

  func extract<Carrier, Extract: Extractor>(_ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract)
  where Extract.Carrier == Carrier {
    guard let header = extractor.extract(key: "traceparent", from: carrier) else { return }
    let parts = header.split(separator: "-")
    guard parts.count == 4, parts[1].utf8.count == 32, parts[2].utf8.count == 16 else { return }
    context.traceIdentity = TraceIdentity(trace: String(parts[1]), span: String(parts[2]))
  }

  func inject<Carrier, Inject: Injector>(_ context: ServiceContext, into carrier: inout Carrier, using injector: Inject)
  where Inject.Carrier == Carrier {
    guard let identity = context.traceIdentity else { return }
    injector.inject("00-\(identity.trace)-\(identity.span)-01", forKey: "traceparent", into: &carrier)
  }

  func forceFlush() {}
}

/// Sixteen lower-case digits.
private func hex(_ number: UInt64) -> String {
  let digits: StaticString = "0123456789abcdef"
  return String(unsafeUninitializedCapacity: 16) { buffer in
    for place in 0..<16 {
      buffer[15 - place] = digits.utf8Start[Int(number >> UInt64(4 * place) & 15)]
    }
    return 16
  }
}

/// The ids of a trace and of one of its spans.
struct TraceIdentity: Sendable {
  let trace: String
  let span: String
}

private enum TraceIdentityKey: ServiceContextKey {
  typealias Value = TraceIdentity
}

extension ServiceContext {
  fileprivate(set) var traceIdentity: TraceIdentity? {
    get { self[TraceIdentityKey.self] }
    set { self[TraceIdentityKey.self] = newValue }
  }
}

/// What the ring keeps of a span.
struct FinishedSpan: Sendable {
  var name: String
  let kind: SpanKind
  let identity: TraceIdentity
  let parent: String?
  let start: UInt64
  var end: UInt64?
  var attributes: SpanAttributes = [:]
  var events: [SpanEvent] = []
  var links: [SpanLink] = []
  var status: SpanStatus?
}

/// An open span; it goes into the ring when it ends.
final class RingSpan: Span {
  let context: ServiceContext
  private let record: Mutex<FinishedSpan>
  private let ring: Ring

  init(record: FinishedSpan, context: ServiceContext, ring: Ring) {
    self.record = Mutex(record)
    self.context = context
    self.ring = ring
  }

  var isRecording: Bool { record.withLock { $0.end == nil } }

  var operationName: String {
    get { record.withLock { $0.name } }
    set { record.withLock { $0.name = newValue } }
  }

  var attributes: SpanAttributes {
    get { record.withLock { $0.attributes } }
    set { record.withLock { $0.attributes = newValue } }
  }

  func setStatus(_ status: SpanStatus) { record.withLock { $0.status = status } }
  func addEvent(_ event: SpanEvent) { record.withLock { $0.events.append(event) } }
  func addLink(_ link: SpanLink) { record.withLock { $0.links.append(link) } }

  func recordError<Instant: TracerInstant>(
    _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
  ) {
    addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
  }

  func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
    let now = instant().nanosecondsSinceEpoch
    let finished: FinishedSpan? = record.withLock { span in
      guard span.end == nil else { return nil }
      span.end = now
      return span
    }
    if let finished { ring.push(finished) }
  }
}

/// The last spans that ended, oldest overwritten first.
final class Ring: Sendable {
  private struct State {
    var spans: [FinishedSpan] = []
    var total = 0
  }

  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int) {
    self.capacity = capacity
  }

  var total: Int { state.withLock { $0.total } }

  func push(_ span: FinishedSpan) {
    state.withLock { state in
      if state.spans.count < capacity {
        state.spans.append(span)
      } else {
        state.spans[state.total % capacity] = span
      }
      state.total += 1
    }
  }
}
