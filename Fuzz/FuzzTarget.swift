import SX

/// One property of `Fuzz/Targets`, a function in SX of any bytes, which raises when it does not hold.
final class FuzzTarget {
  /// What an input may allocate.
  private static let heapLimit = 256 << 20
  /// How long an input may compute; what takes longer is cancelled, and is no finding by itself.
  private static let patience = Duration.milliseconds(500)
  /// Inputs that have one interpreter. It keeps every text that it has read, for its messages, and every symbol.
  private static let mostInputs = 20_000

  private let source: String
  private let name: String
  private var kept: (interpreter: Interpreter, function: Handle)?
  private var inputs = 0

  init(source: String, name: String) {
    self.source = source
    self.name = name
  }

  /// - Throws: what was raised.
  func check(_ input: [UInt8]) throws {
    let (interpreter, function) = try kept ?? prepared()
    kept = (interpreter, function)
    inputs += 1
    var failure: Diagnostic?
    var isOver = false
    interpreter.spawn(function, [.bytes(input)]) { result in
      if case .failure(let diagnostic) = result { failure = diagnostic }
      isOver = true
    }
    let clock = ContinuousClock()
    let end = clock.now + Self.patience
    _ = interpreter.runReady(while: { !isOver && clock.now < end })
    // Programs leave definitions behind; an input has to do the same when it comes again.
    if !isOver || name == "run" || inputs == Self.mostInputs { kept = nil }
    // A program may go beyond its limits, which no handler of its own catches.
    if let failure, name != "run" { throw failure }
  }

  private func prepared() throws -> (Interpreter, Handle) {
    // Pages show times.
    var capabilities = Capabilities.none
    (capabilities.clock, capabilities.random) = (true, true)
    let interpreter = Interpreter(capabilities: capabilities)
    interpreter.heapLimit = Self.heapLimit
    try interpreter.evaluate(source, file: "\(name).sx")
    inputs = 0
    return (interpreter, try interpreter.evaluate("fuzz"))
  }
}
