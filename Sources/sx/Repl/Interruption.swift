import Dispatch
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Ctrl-C: stops an evaluation, or is noticed by whoever reads the next line.
final class Interruption {
  private final class State: Sendable {
    let isRequested = Atomic(false)
    let isEvaluating = Atomic(false)
  }

  private let state = State()
  private let source: any DispatchSourceSignal

  /// - Parameter stop: called on a thread of its own when an evaluation is to end.
  init(_ stop: @escaping @Sendable () -> Void) {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: DispatchQueue(label: "sx.interrupt"))
    source.setEventHandler { [state] in
      state.isRequested.store(true, ordering: .releasing)
      if state.isEvaluating.load(ordering: .acquiring) { stop() }
    }
    source.resume()
  }

  /// Whether Ctrl-C came since the last `forget`.
  var wasRequested: Bool { state.isRequested.load(ordering: .acquiring) }

  func forget() { state.isRequested.store(false, ordering: .relaxed) }

  func whileEvaluating<Value>(_ body: () -> Value) -> Value {
    state.isEvaluating.store(true, ordering: .releasing)
    defer { state.isEvaluating.store(false, ordering: .releasing) }
    return body()
  }
}
