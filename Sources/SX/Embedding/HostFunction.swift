/// A function of the embedding program. Held by the machine it was made for and called on that one's thread only, which is why its
/// closure may be of any kind.
final class HostFunction: HeapObject {
  struct Parameter {
    let typeName: String
    let presence: Presence
  }

  enum Body {
    /// Answers the value.
    case immediate(([Value]) throws -> Value)
    /// Starts something that will wake the fiber, which waits by then.
    case asynchronous(([Value], FiberID) throws -> Void)
  }

  let name: String
  let doc: String
  /// What a script must be granted to call it.
  let capability: Capability?
  let parameters: [Parameter]
  let body: Body
  let arity: Arity

  init(name: String, doc: String, capability: Capability? = nil, parameters: [Parameter], _ body: Body) {
    self.name = name
    self.doc = doc
    self.capability = capability
    self.parameters = parameters
    self.body = body
    arity = Arity(required: parameters.count { $0.presence == .required }, most: parameters.last?.presence == .rest ? .max : parameters.count)
  }
  override var typeName: String { "native-fn" }
  override func describe(_ machine: Machine) -> String { "#<native \(name)>" }

  /// `(name <type> [<type>] <type>…)`.
  var signature: String { "(" + ([name] + parameters.map { $0.presence.shown("<\($0.typeName)>") }).joined(separator: " ") + ")" }
}

extension Machine {
  /// Calls a function of the host with the arguments in `slot[1]…slot[n]`; its value arrives in `slot[0]`, at once or when the fiber is woken.
  func call(_ function: HostFunction, _ slot: Registers, _ n: Int) throws {
    guard function.arity.accepts(n) else { throw error(function.arity.message(function.name, n), hint: "usage: \(function.signature)") }
    if let capability = function.capability { try demand(capability, function.name) }
    let arguments = (0..<n).map { slot[1 + $0] }
    switch function.body {
    case .immediate(let body):
      // The body may run code of SX, and that may move the stack.
      let offset = slot - current.stack
      let value = try body(arguments)
      current.stack[offset] = value
    case .asynchronous(let body):
      guard suspendedRuns.isEmpty else { throw error("cannot wait here: `\(function.name)` inside a primitive, a macro or a function of the host") }
      let fiber = current
      _ = try callHost {
        try body(arguments, FiberID(number: fiber.number))
        return .nil
      }
      save(slot: slot)
      park(fiber)
      throw Suspension()
    }
  }

  /// Runs a part of the embedding program. What it throws becomes a condition, or stays what it was: a condition that left a nested call, or an
  /// end that no script can catch.
  func callHost(_ body: () throws -> Value) throws -> Value {
    let failures = nestedFailures.count
    defer { nestedFailures.removeLast(nestedFailures.count - failures) }
    let outcome = Result { try border.aroundHostCalls == nil ? body() : surrounded(body) }
    // A limit that ended a nested call ends its caller too, and a function that has asked for the end of the script is the last thing that it calls.
    if let interruption = nestedInterruption ?? takeCancellation() {
      nestedInterruption = nil
      throw interruption
    }
    do { return try outcome.get() } catch { throw raise(ofHost: error) }
  }

  /// Runs a part of the embedding program within what a bridge puts around it.
  private func surrounded(_ body: () throws -> Value) throws -> Value {
    var value = Value.nil
    try border.aroundHostCalls?(interpreter) { value = try body() }
    return value
  }

  /// What a function of the host has thrown, as a condition.
  func raise(ofHost error: any Error) -> Raise {
    switch error {
    case let raise as Raise: return raise
    case let diagnostic as Diagnostic:
      if let number = diagnostic.nestedFailure, let failure = nestedFailures.first(where: { $0.number == number }) { return failure.raise }
      return raise(diagnostic.message, error, hint: diagnostic.hint)
    case let error as HostError: return raise(error.message, error)
    default: return raise("\(error)", error)
    }
  }

  private func raise(_ message: String, _ error: any Error, hint: String? = nil) -> Raise {
    let object = ErrorObject(message: message, hint: hint)
    object.underlyingError = error
    return Raise(condition: heap.allocate(object: object))
  }

  /// A fiber of SX is in the midst of a call of the host.
  var isInsideCall: Bool { current.status == .running }

  /// Runs a function to its end inside of a call of the host. Throws a `Diagnostic` that `callHost` knows again.
  func callFromHost(_ function: Value, _ arguments: [Value]) throws -> Value {
    do {
      return try callNested(function, arguments)
    } catch let interruption as Interruption {
      nestedInterruption = interruption
      throw diagnostic(asRaise(interruption))
    } catch {
      let raise = asRaise(error)
      failuresSoFar += 1
      nestedFailures.append((failuresSoFar, raise))
      var result = diagnostic(raise)
      result.nestedFailure = failuresSoFar
      throw result
    }
  }
}
