public import Tracing

/// What identifies a span wherever its trace leads: the part of a `ServiceContext` that spans of SX and of Swift have in common. Immutable.
public struct SpanContext: Sendable, Equatable {
  /// 32 lowercase hexadecimal digits.
  public let traceID: String
  /// 16 lowercase hexadecimal digits.
  public let spanID: String
  /// The flags of W3C trace context: bit 0 says sampled, bit 1 that the trace id is random.
  public let flags: UInt8
  /// The members of `tracestate`, as they came.
  public let traceState: String?
  /// Another process has made the span.
  public let isRemote: Bool

  /// A context of parts that are as the properties say; they are not checked.
  public init(traceID: String, spanID: String, flags: UInt8 = 1, traceState: String? = nil, isRemote: Bool = false) {
    self.traceID = traceID
    self.spanID = spanID
    self.flags = flags
    self.traceState = traceState
    self.isRemote = isRemote
  }

  /// Whether the span is recorded.
  public var isSampled: Bool { flags & 1 != 0 }
}

private enum SpanContextKey: ServiceContextKey {
  typealias Value = SpanContext
  static let nameOverride: String? = "sx-span-context"
}

private enum BaggageKey: ServiceContextKey {
  typealias Value = String
  static let nameOverride: String? = "sx-baggage"
}

extension ServiceContext {
  /// The span that is current here, of SX or of Swift.
  public var spanContext: SpanContext? {
    get { self[SpanContextKey.self] }
    set { self[SpanContextKey.self] = newValue }
  }

  /// The W3C baggage that travels along, as a header's value. In SX it is `(otel/baggage)`.
  public var w3cBaggage: String? {
    get { self[BaggageKey.self] }
    set { self[BaggageKey.self] = newValue }
  }
}
