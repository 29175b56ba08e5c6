import Dispatch
import SX
import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// While it lives, SIGINT and SIGTERM end the program as `exit` does. Confined to the interpreter's thread.
///
/// Made when the program has run for a time slice or begins to wait, because what ends sooner has nothing to gain from it.
final class ExitSignals {
  private final class State: Sendable {
    let signal = Atomic<Int32>(0)
  }

  private let state = State()
  private let signals: StopSignals

  init(_ cancellation: Cancellation, _ mailbox: Mailbox) {
    signals = StopSignals { [state] number in
      state.signal.store(number, ordering: .releasing)
      cancellation.exit(128 + number)
      // It may wait for events; an empty one lets it look up.
      mailbox.post { _ in }
      ExitSignals.endProcess(by: number, after: SystemHost.grace)
    }
  }

  /// In pulses, of which late ones come together: a machine that gives the process no time is not to take it from the program.
  private static func endProcess(by number: Int32, after seconds: Double) {
    let pulse = 0.05
    let pulses = Atomic<Int>(Int(seconds / pulse))
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "sx.exit"))
    timer.schedule(deadline: .now() + pulse, repeating: pulse)
    timer.setEventHandler {
      if pulses.subtract(1, ordering: .relaxed).newValue <= 0 { endProcess(by: number) }
    }
    timer.activate()
    // For the rest of the process.
    _ = Unmanaged.passRetained(timer as AnyObject)
  }

  /// Ends the process by the signal that came, if one did: whoever waits for it, as a shell does, sees what has ended it.
  func endProcess() {
    let number = state.signal.load(ordering: .acquiring)
    if number != 0 { Self.endProcess(by: number) }
  }

  private static func endProcess(by number: Int32) -> Never {
    signal(number, SIG_DFL)
    kill(getpid(), number)
    // The first process of a container ends by no signal that it does not handle. Another thread may be the one that gets it.
    usleep(100_000)
    SystemHost.endProcess(128 + number)
  }
}

extension SystemHost {
  /// Seconds that a program has for what it does on its way out after a signal.
  public static let grace = 3.0

  func watchExitSignals(_ interpreter: Interpreter) {
    guard configuration.exitsOnSignals, exitSignals == nil, servers.stopSignals == nil else { return }
    exitSignals = ExitSignals(interpreter.cancellation, mailbox)
  }
}
