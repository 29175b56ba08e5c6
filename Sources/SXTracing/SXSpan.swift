import SX
import Synchronization
public import Tracing

/// A span of a `SXTracer`. Thread-safe. Once it has ended, and when its trace is not sampled, what is written to it is dropped.
public final class SXSpan: Tracing.Span {
  private struct State {
    var name: String
    var attributes: SpanAttributes = [:]
    var events: [Datum] = []
    var links: [Datum] = []
    var status: SpanStatus?
    var isRecording: Bool
  }

  public let context: ServiceContext
  /// What identifies it; its part of `context`.
  public let spanContext: SpanContext
  private let parent: SpanContext?
  private let kind: SpanKind
  private let start: UInt64
  private let state: Mutex<State>
  private let onEnd: @Sendable (Datum) -> Void

  init(_ name: String, continuing context: ServiceContext, kind: SpanKind, start: UInt64, onEnd: @escaping @Sendable (Datum) -> Void) {
    parent = context.spanContext
    spanContext = SpanContext(
      traceID: parent?.traceID ?? TraceContextFormat.makeID(bytes: 16), spanID: TraceContextFormat.makeID(bytes: 8), flags: parent?.flags ?? 1, traceState: parent?.traceState)
    var own = context
    own.spanContext = spanContext
    self.context = own
    self.kind = kind
    self.start = start
    self.onEnd = onEnd
    state = Mutex(State(name: name, isRecording: spanContext.isSampled))
  }

  public var operationName: String {
    get { state.withLock { $0.name } }
    set { change { $0.name = newValue } }
  }
  public var attributes: SpanAttributes {
    get { state.withLock { $0.attributes } }
    set { change { $0.attributes = newValue } }
  }
  public var isRecording: Bool { state.withLock { $0.isRecording } }

  public func setStatus(_ status: SpanStatus) { change { $0.status = status } }

  public func addEvent(_ event: SpanEvent) {
    let datum = SXSpan.datum(event)
    change { $0.events.append(datum) }
  }

  /// Adds an event `exception` with the error's type and text, as the semantic conventions have it.
  public func recordError<Instant: TracerInstant>(_ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant) {
    var all = attributes
    all["exception.type"] = SpanAttribute.string("\(type(of: error))")
    all["exception.message"] = SpanAttribute.string("\(error)")
    addEvent(SpanEvent(name: "exception", at: instant(), attributes: all))
  }

  public func addLink(_ link: SpanLink) {
    guard let target = link.context.spanContext else { return }
    let datum: Datum = [
      "trace": .string(target.traceID), "span": .string(target.spanID), "flags": .string(TraceContextFormat.flags(target.flags)),
      "trace-state": target.traceState.map { .string($0) } ?? .null, "attrs": SXSpan.datum(link.attributes),
    ]
    change { $0.links.append(datum) }
  }

  /// Ends the span, once.
  public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
    let ended = state.withLock { state -> State? in
      guard state.isRecording else { return nil }
      state.isRecording = false
      return state
    }
    guard let ended else { return }
    var span: DatumDictionary = [
      "trace": .string(spanContext.traceID), "span": .string(spanContext.spanID), "parent": parent.map { .string($0.spanID) } ?? .null, "name": .string(ended.name), "kind": .string("\(kind)"),
      "t0": .integer(Int(clamping: start)), "t1": .integer(Int(clamping: instant().nanosecondsSinceEpoch)), "status": .string(ended.status.map { $0.code == .error ? "error" : "ok" } ?? "unset"),
      "attrs": SXSpan.datum(ended.attributes), "events": .list(ended.events), "links": .list(ended.links), "flags": .string(TraceContextFormat.flags(spanContext.flags)),
      "trace-state": spanContext.traceState.map { .string($0) } ?? .null,
    ]
    if let status = ended.status, status.code == .error, let message = status.message { span["status-message"] = .string(message) }
    if parent?.isRemote ?? false { span["remote-parent"] = true }
    onEnd(.dict(span))
  }

  private func change(_ body: (inout sending State) -> Void) {
    state.withLock { if $0.isRecording { body(&$0) } }
  }

  // MARK: As data

  private static func datum(_ event: SpanEvent) -> Datum {
    ["name": .string(event.name), "t": .integer(Int(clamping: event.nanosecondsSinceEpoch)), "attrs": datum(event.attributes)]
  }

  private static func datum(_ attributes: SpanAttributes) -> Datum {
    var dict = DatumDictionary()
    attributes.forEach { name, attribute in dict[name] = datum(attribute) }
    return .dict(dict)
  }

  private static func datum(_ attribute: SpanAttribute) -> Datum {
    switch attribute {
    case .int32(let value): .integer(Int(value))
    case .int64(let value): .integer(Int(value))
    case .int32Array(let values): .list(values.map { .integer(Int($0)) })
    case .int64Array(let values): .list(values.map { .integer(Int($0)) })
    case .double(let value): .float(value)
    case .doubleArray(let values): .list(values.map { .float($0) })
    case .bool(let value): .bool(value)
    case .boolArray(let values): .list(values.map { .bool($0) })
    case .string(let value): .string(value)
    case .stringArray(let values): .list(values.map { .string($0) })
    case .stringConvertible(let value): .string("\(value)")
    case .stringConvertibleArray(let values): .list(values.map { .string("\($0)") })
    default: .null
    }
  }
}
