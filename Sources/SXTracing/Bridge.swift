import SX
import Tracing

/// Carries the current span over the border between an interpreter and Swift. Everything here belongs to the interpreter's thread.
///
/// Nothing is kept between two calls: a handle retains its interpreter, which retains what is put around its border.
enum Bridge {
  /// A function of the host runs with the span of the fiber that calls it as `ServiceContext.current`, and with whatever else was there when that fiber was begun:
  /// it may be the task of somebody else that runs it now.
  static func callHost(_ interpreter: Interpreter, _ call: () throws -> Void) throws {
    var context = surroundings(interpreter)
    if let span = currentSpan(interpreter) {
      context = context ?? .topLevel
      context?.spanContext = span
      context?.w3cBaggage = currentBaggage(interpreter)
    }
    try ServiceContext.$current.withValue(context) { try call() }
  }

  /// What Swift calls runs within the span of `ServiceContext.current`.
  static func entry(_ interpreter: Interpreter) -> (function: Handle, data: [Handle])? {
    guard let context = ServiceContext.current, let runWithin = try? interpreter.global("control/-run-within") else { return nil }
    var data: DatumDictionary = [:]
    if let span = context.spanContext {
      data = ["trace": .string(span.traceID), "span": .string(span.spanID), "flags": .string(TraceContextFormat.flags(span.flags))]
      data["trace-state"] = span.traceState.map { .string($0) } ?? .null
      if span.isRemote { data["remote"] = true }
      if let baggage = context.w3cBaggage { data["baggage"] = .string(baggage) }
    }
    return (runWithin, [interpreter.makeHandle(.dict(data)), Surroundings(context).handle(in: interpreter)])
  }

  private static func surroundings(_ interpreter: Interpreter) -> ServiceContext? {
    guard let parameter = try? interpreter.global("otel/-host-context"), let value = interpreter.parameterValue(parameter) else { return nil }
    return Surroundings.from(value)?.context
  }

  private static func currentSpan(_ interpreter: Interpreter) -> SpanContext? {
    guard let current = try? interpreter.global("otel/-current"), let span = interpreter.parameterValue(current), let trace = span["trace"]?.string, let id = span["span"]?.string else { return nil }
    let flags = span["flags"]?.string.flatMap { UInt8($0, radix: 16) } ?? 1
    return SpanContext(traceID: trace, spanID: id, flags: flags, traceState: span["trace-state"]?.string)
  }

  private static func currentBaggage(_ interpreter: Interpreter) -> String? {
    // Nearly always there is none.
    guard let baggage = try? interpreter.global("otel/-baggage"), let entries = interpreter.parameterValue(baggage)?.entries, entries.count > 0,
      let header = try? interpreter.global("otel/current-baggage-header")
    else { return nil }
    // In the bindings of the caller, whatever is current in Swift.
    return ServiceContext.$current.withValue(nil) { try? interpreter.call(header, [] as [Handle]).string }
  }
}

/// A `ServiceContext` as a value of SX.
private final class Surroundings: SXObject {
  static let sxTypeName = "service-context"
  let context: ServiceContext
  init(_ context: ServiceContext) { self.context = context }
}
