import ArgumentParser
import SX
import SXHost

/// `sx check`
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Read and compile files without running them.",
    discussion: "Reports unbalanced brackets, undefined symbols, calls of known functions and constructors with a wrong number of arguments, and patterns of constructors that there are not.")

  @Argument(help: ArgumentHelp("Source files.", valueName: "file"))
  var files: [String]

  func run() {
    Program.run { [files] _, host in
      var found = 0
      for file in files {
        do {
          // One interpreter per file: what one file defines is not there in another.
          for diagnostic in Interpreter(host: host, capabilities: .all).check(try Files.contents(of: file), file: file) {
            Program.show(diagnostic, on: host)
            found += 1
          }
        } catch {
          Program.show(error, on: host)
          found += 1
        }
      }
      if found > 0 { throw HostError(found == 1 ? "1 problem" : "\(found) problems") }
    }
  }
}
