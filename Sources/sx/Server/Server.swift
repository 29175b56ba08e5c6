import ArgumentParser
import SX
import SXHost

/// `sx server`
struct Server: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server",
    abstract: "Answer commands on standard input, one a line.",
    discussion: """
      (epoch N)             N stands in the answers that follow; has no answer itself
      (ping)                (ok N)
      (load "path")         evaluates a file: (ok N)
      (load-source "src")   evaluates a text: (ok N)
      (eval "src")          evaluates a text: (ok N VALUE), or (ok-len N LENGTH) and the value on the next line
      (reset)               forgets all definitions: (ok N)

      (ready) is printed at the start. What goes wrong is answered with (error N "message"), and the server goes on. \
      (ok-len …) is used for values longer than 1,000 bytes or with a line break in them; LENGTH counts the bytes of the value, \
      without the line break that follows. Several values are written (values …). A program that calls (exit) is answered with an error. What programs print goes to standard error. The end of the input ends the server.
      """)

  func run() {
    do {
      let status = try InterpreterThread.run { LineServer().run() }
      SystemHost.endProcess(status)
    } catch {
      Program.complain(Program.describe(error))
      SystemHost.endProcess(1)
    }
  }
}
