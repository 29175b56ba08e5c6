import ArgumentParser

/// Which of the interpreters of a running server is asked.
struct WorkerChoice: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("With --connect: which of the interpreters of `sx serve --workers` to ask; 0 by default.", valueName: "n"))
  var worker: Int?

  var number: Int { worker ?? 0 }

  func check(connect: String?) throws {
    guard let worker else { return }
    guard connect != nil else { throw ValidationError("--worker names an interpreter of a running server, so it needs --connect.") }
    guard worker >= 0 else { throw ValidationError("The worker must be 0 or more.") }
  }
}
