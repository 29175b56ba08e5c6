import ArgumentParser
import SX
import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// `sx repl`, and `sx` alone.
struct Repl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repl",
    abstract: "Evaluate forms as they are typed.",
    discussion: """
      *1 *2 *3 are the last values, *e is the last error; ,help shows the commands. Ctrl-C drops the current input or stops the \
      current evaluation, Ctrl-D ends the session.
      Without a terminal, forms are read from standard input; the exit status is 1 when one of them failed.
      """)

  @Option(help: ArgumentHelp("Hold the session inside the running `sx serve` that has this probe socket.", valueName: "path"))
  var connect: String?

  @OptionGroup var workerChoice: WorkerChoice

  func validate() throws { try workerChoice.check(connect: connect) }

  func run() {
    Program.run(arguments: ["sx"], stopsServersOnSignals: false) { [connect, worker = workerChoice.number] interpreter, host in
      let evaluator: any Evaluator = try connect.map { try RemoteEvaluator(path: $0, worker: worker) } ?? LocalEvaluator(interpreter, host)
      let isInteractive = isatty(STDIN_FILENO) == 1
      let input: any LineSource = isInteractive ? TerminalLines(interpreter, host, evaluator) : PlainLines()
      let failures = Conversation(interpreter, host, evaluator, input, isInteractive: isInteractive).run()
      if !isInteractive && failures > 0 {
        host.close()
        SystemHost.endProcess(1)
      }
    }
  }
}
