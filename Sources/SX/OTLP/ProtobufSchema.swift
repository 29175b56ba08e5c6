/// What the messages of OTLP look like on the wire and in JSON, one row a field.
///
/// Taken from opentelemetry-proto 1.11 (`trace.proto`, `metrics.proto`, `common.proto`, `resource.proto` and the two collector services)
/// and `google/rpc/status.proto`. Fields that are not here are skipped when they come in.
struct ProtobufField: Sendable {
  /// How a value stands on the wire, and what it is in the JSON encoding of OTLP.
  enum Kind: Sendable {
    /// UTF-8; text.
    case string
    /// Bytes; text in hex, as ids are.
    case hex
    /// Bytes; text in base64.
    case base64
    case bool
    /// A varint of 32 bits, an enumeration for example; a number.
    case int32
    case uint32
    /// Zigzag; a number.
    case sint32
    /// Four bytes; a number.
    case fixed32
    /// A varint of 64 bits; decimal text.
    case int64
    case uint64
    /// Eight bytes; decimal text.
    case fixed64
    case sfixed64
    case double
    case message(ProtobufMessage)
  }

  let number: Int
  let name: StaticString
  let kind: Kind
  let isRepeated: Bool
  /// The default value is written as well: the field is a choice of a `oneof`, or optional.
  let hasPresence: Bool

  static func one(_ number: Int, _ name: StaticString, _ kind: Kind) -> ProtobufField {
    ProtobufField(number: number, name: name, kind: kind, isRepeated: false, hasPresence: false)
  }
  static func optional(_ number: Int, _ name: StaticString, _ kind: Kind) -> ProtobufField {
    ProtobufField(number: number, name: name, kind: kind, isRepeated: false, hasPresence: true)
  }
  static func many(_ number: Int, _ name: StaticString, _ kind: Kind) -> ProtobufField {
    ProtobufField(number: number, name: name, kind: kind, isRepeated: true, hasPresence: false)
  }
}

/// The messages, each with its fields.
enum ProtobufMessage: Int, CaseIterable, Sendable {
  case traceRequest, traceResponse, tracePartialSuccess, metricsRequest, metricsResponse, metricsPartialSuccess, rpcStatus
  case resource, entityRef, scope, keyValue, anyValue, arrayValue, keyValueList
  case resourceSpans, scopeSpans, span, event, link, spanStatus
  case resourceMetrics, scopeMetrics, metric, gauge, sum, histogram, exponentialHistogram, summary
  case numberPoint, histogramPoint, exponentialPoint, buckets, summaryPoint, quantile, exemplar

  /// Those that stand alone, by their name in the specification.
  static func named(_ name: String) -> ProtobufMessage? {
    switch name {
    case "ExportTraceServiceRequest": .traceRequest
    case "ExportTraceServiceResponse": .traceResponse
    case "ExportMetricsServiceRequest": .metricsRequest
    case "ExportMetricsServiceResponse": .metricsResponse
    case "google.rpc.Status": .rpcStatus
    default: nil
    }
  }

  /// At most one of the fields is set: the last one that came.
  var isChoice: Bool { self == .anyValue }

  /// Numbers of fields are smaller than this.
  static let fieldLimit = 17

  /// The field with a number; nil when there is none.
  @inline(__always) func field(_ number: Int) -> ProtobufField? {
    number < ProtobufMessage.fieldLimit ? ProtobufMessage.byNumber[rawValue &* ProtobufMessage.fieldLimit &+ number] : nil
  }

  var fields: [ProtobufField] { ProtobufMessage.all[rawValue] }

  private static let all: [[ProtobufField]] = allCases.map(\.declaration)
  private static let byNumber: [ProtobufField?] = all.flatMap { fields in
    (0..<fieldLimit).map { number in fields.first { $0.number == number } }
  }

  private var declaration: [ProtobufField] {
    switch self {
    case .traceRequest: [.many(1, "resourceSpans", .message(.resourceSpans))]
    case .traceResponse: [.one(1, "partialSuccess", .message(.tracePartialSuccess))]
    case .tracePartialSuccess: [.one(1, "rejectedSpans", .int64), .one(2, "errorMessage", .string)]
    case .metricsRequest: [.many(1, "resourceMetrics", .message(.resourceMetrics))]
    case .metricsResponse: [.one(1, "partialSuccess", .message(.metricsPartialSuccess))]
    case .metricsPartialSuccess: [.one(1, "rejectedDataPoints", .int64), .one(2, "errorMessage", .string)]
    case .rpcStatus: [.one(1, "code", .int32), .one(2, "message", .string)]

    case .resource:
      [
        .many(1, "attributes", .message(.keyValue)), .one(2, "droppedAttributesCount", .uint32), .many(3, "entityRefs", .message(.entityRef)),
      ]
    case .entityRef:
      [.one(1, "schemaUrl", .string), .one(2, "type", .string), .many(3, "idKeys", .string), .many(4, "descriptionKeys", .string)]
    case .scope:
      [
        .one(1, "name", .string), .one(2, "version", .string), .many(3, "attributes", .message(.keyValue)),
        .one(4, "droppedAttributesCount", .uint32),
      ]
    case .keyValue: [.one(1, "key", .string), .one(2, "value", .message(.anyValue))]
    case .anyValue:
      [
        .optional(1, "stringValue", .string), .optional(2, "boolValue", .bool), .optional(3, "intValue", .int64),
        .optional(4, "doubleValue", .double), .optional(5, "arrayValue", .message(.arrayValue)),
        .optional(6, "kvlistValue", .message(.keyValueList)), .optional(7, "bytesValue", .base64),
      ]
    case .arrayValue: [.many(1, "values", .message(.anyValue))]
    case .keyValueList: [.many(1, "values", .message(.keyValue))]

    case .resourceSpans:
      [.one(1, "resource", .message(.resource)), .many(2, "scopeSpans", .message(.scopeSpans)), .one(3, "schemaUrl", .string)]
    case .scopeSpans: [.one(1, "scope", .message(.scope)), .many(2, "spans", .message(.span)), .one(3, "schemaUrl", .string)]
    case .span:
      [
        .one(1, "traceId", .hex), .one(2, "spanId", .hex), .one(3, "traceState", .string), .one(4, "parentSpanId", .hex),
        .one(5, "name", .string), .one(6, "kind", .int32), .one(7, "startTimeUnixNano", .fixed64),
        .one(8, "endTimeUnixNano", .fixed64), .many(9, "attributes", .message(.keyValue)),
        .one(10, "droppedAttributesCount", .uint32), .many(11, "events", .message(.event)),
        .one(12, "droppedEventsCount", .uint32), .many(13, "links", .message(.link)), .one(14, "droppedLinksCount", .uint32),
        .one(15, "status", .message(.spanStatus)), .one(16, "flags", .fixed32),
      ]
    case .event:
      [
        .one(1, "timeUnixNano", .fixed64), .one(2, "name", .string), .many(3, "attributes", .message(.keyValue)),
        .one(4, "droppedAttributesCount", .uint32),
      ]
    case .link:
      [
        .one(1, "traceId", .hex), .one(2, "spanId", .hex), .one(3, "traceState", .string),
        .many(4, "attributes", .message(.keyValue)), .one(5, "droppedAttributesCount", .uint32), .one(6, "flags", .fixed32),
      ]
    case .spanStatus: [.one(2, "message", .string), .one(3, "code", .int32)]

    case .resourceMetrics:
      [.one(1, "resource", .message(.resource)), .many(2, "scopeMetrics", .message(.scopeMetrics)), .one(3, "schemaUrl", .string)]
    case .scopeMetrics:
      [.one(1, "scope", .message(.scope)), .many(2, "metrics", .message(.metric)), .one(3, "schemaUrl", .string)]
    case .metric:
      [
        .one(1, "name", .string), .one(2, "description", .string), .one(3, "unit", .string),
        .optional(5, "gauge", .message(.gauge)), .optional(7, "sum", .message(.sum)),
        .optional(9, "histogram", .message(.histogram)),
        .optional(10, "exponentialHistogram", .message(.exponentialHistogram)),
        .optional(11, "summary", .message(.summary)), .many(12, "metadata", .message(.keyValue)),
      ]
    case .gauge: [.many(1, "dataPoints", .message(.numberPoint))]
    case .sum:
      [.many(1, "dataPoints", .message(.numberPoint)), .one(2, "aggregationTemporality", .int32), .one(3, "isMonotonic", .bool)]
    case .histogram: [.many(1, "dataPoints", .message(.histogramPoint)), .one(2, "aggregationTemporality", .int32)]
    case .exponentialHistogram: [.many(1, "dataPoints", .message(.exponentialPoint)), .one(2, "aggregationTemporality", .int32)]
    case .summary: [.many(1, "dataPoints", .message(.summaryPoint))]
    case .numberPoint:
      [
        .one(2, "startTimeUnixNano", .fixed64), .one(3, "timeUnixNano", .fixed64), .optional(4, "asDouble", .double),
        .many(5, "exemplars", .message(.exemplar)), .optional(6, "asInt", .sfixed64),
        .many(7, "attributes", .message(.keyValue)), .one(8, "flags", .uint32),
      ]
    case .histogramPoint:
      [
        .one(2, "startTimeUnixNano", .fixed64), .one(3, "timeUnixNano", .fixed64), .one(4, "count", .fixed64),
        .optional(5, "sum", .double), .many(6, "bucketCounts", .fixed64), .many(7, "explicitBounds", .double),
        .many(8, "exemplars", .message(.exemplar)), .many(9, "attributes", .message(.keyValue)), .one(10, "flags", .uint32),
        .optional(11, "min", .double), .optional(12, "max", .double),
      ]
    case .exponentialPoint:
      [
        .many(1, "attributes", .message(.keyValue)), .one(2, "startTimeUnixNano", .fixed64), .one(3, "timeUnixNano", .fixed64),
        .one(4, "count", .fixed64), .optional(5, "sum", .double), .one(6, "scale", .sint32), .one(7, "zeroCount", .fixed64),
        .one(8, "positive", .message(.buckets)), .one(9, "negative", .message(.buckets)), .one(10, "flags", .uint32),
        .many(11, "exemplars", .message(.exemplar)), .optional(12, "min", .double), .optional(13, "max", .double),
        .one(14, "zeroThreshold", .double),
      ]
    case .buckets: [.one(1, "offset", .sint32), .many(2, "bucketCounts", .uint64)]
    case .summaryPoint:
      [
        .one(2, "startTimeUnixNano", .fixed64), .one(3, "timeUnixNano", .fixed64), .one(4, "count", .fixed64),
        .one(5, "sum", .double), .many(6, "quantileValues", .message(.quantile)), .many(7, "attributes", .message(.keyValue)),
        .one(8, "flags", .uint32),
      ]
    case .quantile: [.one(1, "quantile", .double), .one(2, "value", .double)]
    case .exemplar:
      [
        .one(2, "timeUnixNano", .fixed64), .optional(3, "asDouble", .double), .one(4, "spanId", .hex), .one(5, "traceId", .hex),
        .optional(6, "asInt", .sfixed64), .many(7, "filteredAttributes", .message(.keyValue)),
      ]
    }
  }
}

extension ProtobufField.Kind {
  /// How a single value is framed.
  var wireType: WireType {
    switch self {
    case .string, .hex, .base64, .message: .bytes
    case .bool, .int32, .uint32, .sint32, .int64, .uint64: .varint
    case .fixed32: .fixed32
    case .fixed64, .sfixed64, .double: .fixed64
    }
  }
}

/// The lower three bits of a tag.
enum WireType: UInt8 {
  case varint = 0
  case fixed64 = 1
  case bytes = 2
  case startGroup = 3
  case endGroup = 4
  case fixed32 = 5
}
