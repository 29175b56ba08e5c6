import CoreMetrics
import SX
import Synchronization
import Tracing

/// One series of numbers, whatever kind swift-metrics has asked for. Thread-safe.
final class Meter: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
  enum Kind: String, Sendable {
    case counter, gauge, histogram
    /// A histogram of seconds.
    case timer

    var shown: String { self == .timer ? Kind.histogram.rawValue : rawValue }
  }

  private struct State {
    var value = 0.0
    var count = 0
    /// How many values fell at or below each bound and above the one before, and how many above the last.
    var buckets: [Int]
    /// Since when it counts, in nanoseconds since 1970.
    var start = DefaultTracerClock.now.nanosecondsSinceEpoch
    /// All that was added was whole.
    var isWhole: Bool
    /// A value below zero was recorded: the sum may have gone back.
    var hasNegative = false
  }

  /// As the semantic conventions advise for durations in seconds.
  private static let secondBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
  /// The default of the OpenTelemetry SDKs.
  private static let plainBounds = [0.0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000]

  let key: MeterKey
  /// The label as a name that Prometheus takes, with its unit.
  let name: String
  private let bounds: [Double]
  private let state: Mutex<State>

  /// - Parameter isWhole: whether its values are integers, as long as nobody adds another.
  init(_ key: MeterKey, isWhole: Bool) {
    self.key = key
    let plain = Meter.name(key.label)
    // The text formats give counters their ending.
    name = key.type == .timer && !plain.hasSuffix("_seconds") ? plain + "_seconds" : key.type == .counter && plain.hasSuffix("_total") ? String(plain.dropLast(6)) : plain
    bounds = key.type == .timer ? Meter.secondBounds : key.type == .histogram ? Meter.plainBounds : []
    state = Mutex(State(buckets: Array(repeating: 0, count: bounds.count + 1), isWhole: isWhole))
  }

  private static func name(_ label: String) -> String {
    let text = String(label.unicodeScalars.map { $0.isASCII && ($0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "_" || $0 == ":") ? Character($0) : "_" })
    return text.isEmpty || text.first?.isNumber ?? false ? "_" + text : text
  }

  // MARK: Recording

  func increment(by amount: Int64) { add(Double(amount), isWhole: true) }
  func increment(by amount: Double) { add(amount, isWhole: false) }
  func decrement(by amount: Double) { add(-amount, isWhole: false) }
  func reset() {
    state.withLock { state in
      state.value = 0
      state.start = DefaultTracerClock.now.nanosecondsSinceEpoch
    }
  }
  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { state.withLock { $0.value = value } }
  func record(_ value: Int64) { record(Double(value)) }
  func record(_ value: Double) {
    if bounds.isEmpty { return set(value) }
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.value += value
      state.count += 1
      state.buckets[bucket] += 1
      if value < 0 { state.hasNegative = true }
    }
  }
  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1_000_000_000) }

  /// A counter never goes back.
  private func add(_ amount: Double, isWhole: Bool) {
    if key.type == .counter && !(amount >= 0) { return }
    state.withLock { state in
      state.value += amount
      if !isWhole { state.isWhole = false }
    }
  }

  // MARK: As data

  var labelText: String { key.dimensions.map { "\($0.name)=\($0.value)" }.joined(separator: ",") }

  /// What the text formats write a line of each: `{:suffix :labels :value}`. Buckets count what is at or below their bound.
  func samples() -> [Datum] {
    let state = state.withLock { $0 }
    guard !bounds.isEmpty else { return [sample(key.type == .counter ? "_total" : "", number(state.value))] }
    var samples: [Datum] = [], below = 0
    for (i, count) in state.buckets.enumerated() {
      below += count
      samples.append(sample("_bucket", .integer(below), bound: i < bounds.count ? "\(bounds[i])" : "+Inf"))
    }
    return samples + [sample("_sum", number(state.value)), sample("_count", .integer(state.count))]
  }

  /// What OTLP writes a data point of: `{:attributes :start}` with `:value`, or with the `:count`, `:sum`, `:bounds` and `:counts` of a histogram, whose sum is left out
  /// where it may have gone back. Whether the value is an integer stays the same as long as it can, because collectors take the two for different types.
  func point() -> Datum {
    let state = state.withLock { $0 }
    var attributes = DatumDictionary()
    for dimension in key.dimensions { attributes[dimension.name] = .string(dimension.value) }
    var point: DatumDictionary = ["attributes": .dict(attributes), "start": .integer(Int(clamping: state.start))]
    if bounds.isEmpty {
      point["value"] = state.isWhole ? number(state.value) : .float(state.value)
    } else {
      point["count"] = .integer(state.count)
      if !state.hasNegative { point["sum"] = .float(state.value) }
      point["bounds"] = .list(bounds.map { .float($0) })
      point["counts"] = .list(state.buckets.map { .integer($0) })
    }
    return .dict(point)
  }

  private func sample(_ suffix: String, _ value: Datum, bound: String? = nil) -> Datum {
    var labels = DatumDictionary()
    for dimension in key.dimensions { labels[Meter.name(dimension.name)] = .string(dimension.value) }
    if let bound { labels["le"] = .string(bound) }
    return ["suffix": .string(suffix), "labels": .dict(labels), "value": value]
  }

  /// Whole numbers without a fraction.
  private func number(_ value: Double) -> Datum { Int(exactly: value).map { .integer($0) } ?? .float(value) }
}
