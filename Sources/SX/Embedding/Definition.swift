extension Interpreter {
  /// Defines a function in Swift. Arity and types of the arguments come from the closure's own parameters, and with them the signature that `doc`, the session's
  /// `,doc` and errors show; a wrong call is an error in SX that names the function, the argument and both types.
  ///
  /// ```swift
  /// sx.define("repeat-text", doc: "The text so many times, twice by default.") { (s: String, n: Int?) in String(repeating: s, count: n ?? 2) }
  /// ```
  ///
  /// Optional parameters at the end may be left out. A last parameter of type `Rest` takes all arguments that are left. A parameter of type `Function` takes
  /// what a script can call. An error that the closure throws becomes an error value in SX that a script can handle; when none does, it is the
  /// `underlyingError` of the `Diagnostic`. The closure runs on the interpreter's thread and is kept until the interpreter ends or the value is collected; it may
  /// evaluate and call in the same interpreter, inside of the run that called it. Captured strongly, the interpreter would keep itself alive: `[unowned sx]`.
  ///
  /// - Parameters:
  ///   - name: what scripts call it; a global of that name is replaced.
  ///   - doc: prose; its first line is a summary.
  ///   - capability: what the script must be granted to call it, as `now-ns` needs the clock: otherwise the call is an error that names the capability, and the
  ///     closure does not run; the environment is no exception here. Every call asks anew, so `capabilities` may change.
  ///   - body: what the function does.
  public func define<each P: SXConvertible, R: SXConvertible>(_ name: String, doc: String = "", needs capability: Capability? = nil, _ body: @escaping (repeat each P) throws -> R) {
    let parameters = ParameterList<repeat each P>(name)
    install(name, doc, capability, parameters.shown, .immediate { [unowned self] arguments in
      try machine.callHost { try body(repeat each parameters.values(arguments, self)).handle(in: self).value }
    })
  }

  /// The same for a closure without a result: the value is nil.
  public func define<each P: SXConvertible>(_ name: String, doc: String = "", needs capability: Capability? = nil, _ body: @escaping (repeat each P) throws -> Void) {
    let parameters = ParameterList<repeat each P>(name)
    install(name, doc, capability, parameters.shown, .immediate { [unowned self] arguments in
      try machine.callHost {
        try body(repeat each parameters.values(arguments, self))
        return .nil
      }
    })
  }

  /// Defines an asynchronous function. A fiber that calls it waits for its result while other fibers go on; the closure runs as a task of its own, wherever
  /// Swift runs tasks, and gets and gives values that may cross threads. The result comes back through the interpreter's `mailbox`, so it is converted on the
  /// interpreter's own thread, and `Limits.time` ends the waiting. When the fiber is cancelled, so is the task.
  ///
  /// ```swift
  /// sx.define("stock") { (article: String) async throws in try await warehouse.count(of: article) }
  /// let count = try await sx.run("(stock \"cup\")")
  /// ```
  ///
  /// `run` suspends its task in the meantime; `evaluate` blocks its thread, which is for threads of their own (`InterpreterThread` of SXHost), since a blocked thread of
  /// Swift's pool may be the one that the closure needs.
  ///
  /// Cannot be called where a fiber cannot wait, as inside a macro or in a function that Swift calls inside a call of its own; that is an error in SX.
  public func define<each P: SXConvertible & Sendable, R: SXConvertible & Sendable>(_ name: String, doc: String = "", needs capability: Capability? = nil, _ body: @escaping @Sendable (repeat each P) async throws -> R) {
    let parameters = ParameterList<repeat each P>(name)
    install(name, doc, capability, parameters.shown, .asynchronous { [unowned self] arguments, fiber in
      let values = try parameters.values(arguments, self)
      start(fiber) { try await body(repeat each values) } deliver: { $0.handle(in: $1).value }
    })
  }

  /// The same for a closure without a result: the value is nil.
  public func define<each P: SXConvertible & Sendable>(_ name: String, doc: String = "", needs capability: Capability? = nil, _ body: @escaping @Sendable (repeat each P) async throws -> Void) {
    let parameters = ParameterList<repeat each P>(name)
    install(name, doc, capability, parameters.shown, .asynchronous { [unowned self] arguments, fiber in
      let values = try parameters.values(arguments, self)
      start(fiber) { try await body(repeat each values) } deliver: { _, _ in .nil }
    })
  }

  private func install(_ name: String, _ doc: String, _ capability: Capability?, _ parameters: [HostFunction.Parameter], _ body: HostFunction.Body) {
    let function = machine.heap.allocate(object: HostFunction(name: name, doc: doc, capability: capability, parameters: parameters, body))
    // Only a primitive that is open-coded makes this throw, and its functions were compiled once already.
    try? machine.define(machine.heap.symbol(name), function)
  }

  /// Runs `work` as a task, whose outcome wakes the fiber.
  private func start<R: Sendable>(_ fiber: FiberID, _ work: @escaping @Sendable () async throws -> R, deliver: @escaping @Sendable (R, Interpreter) -> Value) {
    let mailbox = mailbox
    mailbox.expect()
    machine.tasks[fiber.number] = Task {
      let outcome: Result<R, any Error>
      do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
      mailbox.fulfil { interpreter in
        switch outcome {
        case .success(let value): interpreter.machine.wake(fiber.number, .success(deliver(value, interpreter)))
        case .failure(let error): interpreter.resume(fiber, throwing: error)
        }
      }
    }
  }
}

/// The parameters of a function of the host, and how arguments become their values.
private struct ParameterList<each P: SXConvertible> {
  let name: String
  let shown: [HostFunction.Parameter]

  init(_ name: String) {
    self.name = name
    var types: [any SXConvertible.Type] = []
    repeat types.append((each P).self)
    // What may be left out stands at the end.
    let optionalFrom = (types.lastIndex { !($0 is any OptionalParameter.Type) && !($0 is any RestParameter.Type) } ?? -1) + 1
    shown = types.enumerated().map { i, type in
      let isRest = type is any RestParameter.Type
      precondition(!isRest || i == types.count - 1, "\(name): a parameter of type Rest must be the last one")
      return HostFunction.Parameter(typeName: type.sxTypeName, presence: isRest ? .rest : i >= optionalFrom ? .optional : .required)
    }
  }

  /// Throws a wrong type as an error of SX. The number of arguments has been looked at.
  func values(_ arguments: [Value], _ interpreter: Interpreter) throws -> (repeat each P) {
    var next = 0
    func take<T: SXConvertible>(_ type: T.Type) throws -> T {
      defer { next += 1 }
      if let rest = type as? any RestParameter.Type {
        let handles = arguments.dropFirst(next).map { Handle(interpreter, $0) }
        let (value, wrong) = rest.makeRest(handles)
        if let value = value as? T { return value }
        throw wrongType(T.self, next + wrong, arguments[next + wrong], interpreter)
      }
      let argument = next < arguments.count ? arguments[next] : .nil
      guard let value = T.from(Handle(interpreter, argument)) else { throw wrongType(T.self, next, argument, interpreter) }
      return value
    }
    return (repeat try take((each P).self))
  }

  /// A number is asked for in the words of the primitives.
  private func wrongType<T: SXConvertible>(_ type: T.Type, _ i: Int, _ argument: Value, _ interpreter: Interpreter) -> Raise {
    let machine = interpreter.machine
    return type.sxTypeName == Double.sxTypeName ? machine.wrongType(name, i + 1, .number, argument) : machine.wrongType(name, i + 1, type.sxTypeName, argument)
  }
}
