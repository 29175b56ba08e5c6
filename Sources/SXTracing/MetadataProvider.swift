public import Logging
import Tracing

extension Logger.MetadataProvider {
  /// Adds `trace_id` and `span_id` of the span that is current where something is logged, so that a line of the log is found from its trace and the trace from the
  /// line. Nothing outside of a span. Thread-safe.
  ///
  /// ```swift
  /// LoggingSystem.bootstrap(StreamLogHandler.standardError, metadataProvider: .sx)
  /// ```
  public static let sx = Logger.MetadataProvider {
    guard let span = ServiceContext.current?.spanContext else { return [:] }
    return ["trace_id": "\(span.traceID)", "span_id": "\(span.spanID)"]
  }
}
