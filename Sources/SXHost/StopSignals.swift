import Dispatch

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// While it lives, the first SIGINT or SIGTERM asks for a graceful stop, of which the function is told the number, and a second one ends the
/// process at once.
final class StopSignals {
  private static let signals = [SIGINT, SIGTERM]
  private let sources: [any DispatchSourceSignal]

  init(_ stop: @escaping @Sendable (Int32) -> Void) {
    let queue = DispatchQueue(label: "sx.signals"), registered = DispatchSemaphore(value: 0)
    sources = Self.signals.map { number in
      #if canImport(Darwin)
        // There the default action comes before the source sees the signal.
        signal(number, SIG_IGN)
      #endif
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        // A second signal has the default effect again.
        for other in Self.signals { signal(other, SIG_DFL) }
        stop(number)
      }
      source.setRegistrationHandler { registered.signal() }
      source.resume()
      return source
    }
    // What is printed from here on may be what somebody has waited for who then sends a signal.
    for _ in sources { registered.wait() }
  }

  deinit {
    for source in sources { source.cancel() }
    for number in Self.signals { signal(number, SIG_DFL) }
  }
}
