public import CoreMetrics
public import SX
import Synchronization

/// A backend of swift-metrics whose meters appear in the metrics of an interpreter: in `GET /otel/metrics`, as `:meters` in `(otel/metrics)`, and in what its
/// exporter of metrics sends to a collector.
///
/// ```swift
/// let metrics = SXMetricsFactory()
/// MetricsSystem.bootstrap(metrics)
/// metrics.publish(in: sx)
/// Counter(label: "orders", dimensions: [("country", "no")]).increment()      // orders_total{country="no"} 1
/// ```
///
/// Counters, meters and gauges are what they are called; recorders that aggregate and timers are histograms, timers in seconds. A counter ignores what is below zero.
/// Where Prometheus has no place for a character in a name it becomes `_`; a collector gets labels and dimensions as they are. Dimensions mean the same in any order,
/// and of two with one name the last counts. Thread-safe; recording takes a lock for about an addition.
public final class SXMetricsFactory: MetricsFactory {
  private let meters = Mutex<[MeterKey: Meter]>([:])

  /// A factory without meters.
  public init() {}

  /// Makes the meters visible in an interpreter; any number of them may show the same factory, and each of these that exports metrics exports them. To be called
  /// where the interpreter runs.
  public func publish(in interpreter: Interpreter) {
    interpreter.define("otel/-host-meters", doc: "The meters of the Swift program around this one, as Prometheus names them.") { [self] () -> Datum in families() }
    interpreter.define("otel/-host-metrics", doc: "The meters of the Swift program around this one, as OpenTelemetry names them.") { [self] () -> Datum in metrics() }
  }

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { meter(.counter, label, dimensions, isWhole: true) }
  public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler { meter(.counter, label, dimensions) }
  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { meter(.gauge, label, dimensions) }
  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler { meter(aggregate ? .histogram : .gauge, label, dimensions) }
  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { meter(.timer, label, dimensions) }

  public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
  public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
  public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
  public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
  public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }

  /// The same for the same label and dimensions, as the API asks for.
  private func meter(_ type: Meter.Kind, _ label: String, _ dimensions: [(String, String)], isWhole: Bool = false) -> Meter {
    let values = Dictionary(dimensions) { _, last in last }
    let key = MeterKey(type: type, label: label, dimensions: values.sorted { $0.key < $1.key }.map { Dimension(name: $0.key, value: $0.value) })
    return meters.withLock { meters in
      if let known = meters[key] { return known }
      let meter = Meter(key, isWhole: isWhole)
      meters[key] = meter
      return meter
    }
  }

  private func destroy(_ handler: Any) {
    guard let meter = handler as? Meter else { return }
    meters.withLock { $0[meter.key] = nil }
  }

  /// What the metrics page shows: families in alphabetic order, with the samples of all dimensions.
  private func families() -> Datum {
    let all = meters.withLock { Array($0.values) }
    let families = Dictionary(grouping: all) { MeterKey(type: $0.key.type, label: $0.name, dimensions: []) }
    return .list(
      families.sorted { ($0.key.label, $0.key.type.rawValue) < ($1.key.label, $1.key.type.rawValue) }.map { family, meters in
        [
          "name": .string(family.label), "type": .string(family.type.shown), "help": .string("\(meters[0].key.label), of the host."),
          "samples": .list(meters.sorted { $0.labelText < $1.labelText }.flatMap { $0.samples() }),
        ]
      })
  }

  /// What is exported: metrics in alphabetic order, each `{:name :type :unit :points}`.
  private func metrics() -> Datum {
    let all = meters.withLock { Array($0.values) }
    let metrics = Dictionary(grouping: all) { MeterKey(type: $0.key.type, label: $0.key.label, dimensions: []) }
    return .list(
      metrics.sorted { ($0.key.label, $0.key.type.rawValue) < ($1.key.label, $1.key.type.rawValue) }.map { metric, meters in
        [
          "name": .string(metric.label), "type": .string(metric.type.shown), "unit": metric.type == .timer ? "s" : .null,
          "points": .list(meters.sorted { $0.labelText < $1.labelText }.map { $0.point() }),
        ]
      })
  }
}

struct Dimension: Hashable, Sendable {
  let name: String
  let value: String
}

struct MeterKey: Hashable, Sendable {
  let type: Meter.Kind
  let label: String
  let dimensions: [Dimension]
}
