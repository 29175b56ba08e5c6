import SX
import SXHost

/// The exporter that the environment asks for, around a program. Where nothing is asked for, nothing of it is even compiled.
enum Telemetry {
  private static let endpointVariables = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]

  /// Exports the spans of `body` when the environment names a collector; what is queued at the end is sent before this returns, or
  /// before `exit` ends the program.
  static func exporting(_ interpreter: Interpreter, _ host: SystemHost, _ body: () throws -> Void) throws {
    guard endpointVariables.contains(where: { host.environment($0)?.isEmpty == false }) else { return try body() }
    try interpreter.evaluate("(otel/start-exporter-from-environment!) (at-exit otel/shutdown!)", file: "<telemetry>")
    let outcome = Result { try body() }
    try interpreter.evaluate("(otel/shutdown!)", file: "<telemetry>")
    try outcome.get()
  }
}
