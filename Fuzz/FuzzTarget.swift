import SX

/// One property of `Fuzz/Targets`, a function in SX of any bytes, which raises when it does not hold.
struct FuzzTarget {
  let source: String
  let name: String
  /// What an input may allocate.
  static let heapLimit = 256 << 20
  /// How long an input may compute; what takes longer is cancelled, and is no finding by itself.
  static let patience = Duration.milliseconds(500)

  func makeInterpreter() throws -> Interpreter {
    // Pages show times.
    var capabilities = Capabilities.none
    (capabilities.clock, capabilities.random) = (true, true)
    let interpreter = Interpreter(capabilities: capabilities)
    interpreter.heapLimit = Self.heapLimit
    try interpreter.evaluate(source, file: "\(name).sx")
    return interpreter
  }

  /// - Returns: what was raised, and whether the interpreter has nothing left to do.
  func run(_ input: [UInt8], in interpreter: Interpreter) throws -> (failure: Diagnostic?, isAtRest: Bool) {
    var failure: Diagnostic?
    var isOver = false
    let function = try interpreter.evaluate("fuzz")
    interpreter.spawn(function, [.bytes(input)]) { result in
      if case .failure(let diagnostic) = result { failure = diagnostic }
      isOver = true
    }
    let clock = ContinuousClock()
    let end = clock.now + Self.patience
    _ = interpreter.runReady(while: { !isOver && clock.now < end })
    return (failure, isOver)
  }
}
