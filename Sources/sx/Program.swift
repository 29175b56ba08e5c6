import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What all subcommands share: an interpreter on a thread with a big stack, and one way to end.
enum Program {
  /// The exit status of a program that took longer than it may, as that of timeout(1).
  private static let timedOut: Int32 = 124
  /// Seconds after which a program that was told to stop is ended from outside: a primitive that takes long hears nothing.
  private static let grace = 3.0

  /// Runs `body` with a fresh interpreter, does what it has given to `at-exit`, and ends the process: with 0, or with 1 after showing the error that it threw.
  ///
  /// - Parameters:
  ///   - heapLimit: bytes that values may take; half of the machine's memory by default.
  ///   - timeout: seconds that `body` may take.
  ///   - capabilities: what scripts may use.
  static func run(
    arguments: [String] = [], stopsServersOnSignals: Bool = false, exitsOnSignals: Bool = false, heapLimit: Int = HeapLimit.standard, timeout: Double? = nil, capabilities: Capabilities = .all,
    _ body: @escaping @Sendable (Interpreter, SystemHost) throws -> Void
  ) -> Never {
    let configuration = SystemHost.Configuration(arguments: arguments, stopsServersOnSignals: stopsServersOnSignals, exitsOnSignals: exitsOnSignals, capabilities: capabilities)
    @Sendable func late() -> String { "took longer than \(Milliseconds.text((timeout ?? 0) * 1000))" }
    var status: Int32 = 1
    do {
      status = try InterpreterThread.run(configuration) { interpreter, host in
        interpreter.heapLimit = heapLimit
        let deadline = Deadline(seconds: timeout) { [cancellation = interpreter.cancellation, mailbox = host.mailbox] in
          cancellation.cancel()
          // It may wait for events; an empty one lets it look up.
          mailbox.post { _ in }
        }
        let end = Deadline(seconds: timeout.map { $0 + grace }) {
          complain("sx: \(late()), and is inside of a primitive that cannot be interrupted")
          SystemHost.endProcess(timedOut)
        }
        defer {
          deadline.stop()
          end.stop()
        }
        do {
          try body(interpreter, host)
          try interpreter.runAtExit()
          host.flush()
          guard let failure = host.outputFailure else { return 0 }
          complain("sx: cannot write the output: \(failure)")
          return 1
        } catch {
          guard deadline.hasPassed else {
            show(error, on: host)
            try? interpreter.runAtExit()
            return 1
          }
          var diagnostic = error as? Diagnostic ?? Diagnostic(message: late())
          diagnostic.message = late()
          show(diagnostic, on: host)
          return timedOut
        }
      }
    } catch {
      complain(describe(error))
    }
    SystemHost.endProcess(status)
  }

  /// Shows an error as the user should see it.
  static func show(_ error: any Error, on host: SystemHost) {
    host.write(describe(error) + "\n", to: .standardError)
  }

  static func describe(_ error: any Error) -> String {
    switch error {
    case let diagnostic as Diagnostic: diagnostic.rendered(color: colorsErrors)
    case let failure as HostError: "sx: \(failure.message)"
    case let rendered as RenderedDiagnostic: rendered.text
    default: "sx: \(error)"
    }
  }

  /// Writes a line to standard error, where there is no interpreter whose output would have to come first.
  static func complain(_ message: String) { write(message, to: STDERR_FILENO) }

  /// The same for standard output.
  static func say(_ message: String) { write(message, to: STDOUT_FILENO) }

  private static func write(_ message: String, to descriptor: Int32) {
    let line = Array((message + "\n").utf8)
    _ = line.withUnsafeBytes { Descriptor.writeFully($0, to: descriptor) }
  }

  static let colorsErrors = colors(STDERR_FILENO)
  static let colorsOutput = colors(STDOUT_FILENO)

  /// Whether what goes to a descriptor is coloured: on a terminal only. See https://no-color.org.
  private static func colors(_ descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1 else { return false }
    if let wish = getenv("NO_COLOR"), wish.pointee != 0 { return false }
    return getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? false
  }
}
