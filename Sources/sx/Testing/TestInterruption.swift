import Dispatch
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Ctrl-C while suites run: the terminal is left as it was found.
enum TestInterruption {
  /// Ends the process with `status` at SIGINT and SIGTERM. Call it once.
  static func handle(_ console: Console, status: Int32) {
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "sx.test.interrupt"))
      source.setEventHandler {
        console.show(status: "")
        if console.isTerminal { console.write("\n") }
        SystemHost.endProcess(number == SIGINT ? status : 128 + number)
      }
      source.resume()
      // For the rest of the process.
      _ = Unmanaged.passRetained(source as AnyObject)
    }
  }
}
