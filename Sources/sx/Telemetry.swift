import SX
import SXHost

/// The exporter that the environment asks for. Where nothing is asked for, nothing of it is even compiled.
enum Telemetry {
  private static let endpointVariables = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]

  /// Exports spans from here on when the environment names a collector; what is queued when the program ends is sent first.
  static func startExporter(_ interpreter: Interpreter, _ host: SystemHost) throws {
    guard endpointVariables.contains(where: { host.environment($0)?.isEmpty == false }) else { return }
    try interpreter.evaluate("(otel/start-exporter-from-environment!) (at-exit otel/shutdown!)", file: "<telemetry>")
  }
}
