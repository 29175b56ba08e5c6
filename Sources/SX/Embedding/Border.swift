/// What a bridge to another system puts around calls that cross the border between SX and the embedding program, in either direction. Belongs to
/// the interpreter's thread.
package struct Border {
  /// Around each call of a function of the host. Must call what it is given, once.
  package var aroundHostCalls: ((Interpreter, _ call: () throws -> Void) throws -> Void)?
  /// Asked when Swift calls something of SX. What it answers is called instead: a function of what comes with it, the function that is meant, and the list of
  /// its arguments.
  package var entry: ((Interpreter) -> (function: Handle, data: [Handle])?)?

  init() {}
}

extension Interpreter {
  package var border: Border {
    get { machine.border }
    set { machine.border = newValue }
  }

  /// The value of a global, evaluating its definition in the prelude when that is the first use.
  ///
  /// - Throws: a `Diagnostic` when there is none.
  package func global(_ name: String) throws -> Handle {
    do { return Handle(self, try machine.boundGlobal(machine.globalIndex(machine.heap.symbol(name)))) } catch { throw diagnostic(error) }
  }

  /// What a parameter (`make-parameter`) is bound to in the fiber that runs; its initial value when none does. nil for other values.
  package func parameterValue(_ parameter: Handle) -> Handle? {
    parameter.value.object(as: Parameter.self).map { Handle(self, machine.isInsideCall ? machine.parameterValue($0, parameter.value) : $0.initial) }
  }
}

extension Machine {
  /// The call that is made when Swift makes this one.
  func entered(_ call: (function: Value, arguments: [Value])) -> (Value, [Value]) {
    guard let (function, data) = border.entry?(interpreter) else { return call }
    return (function.value, data.map(\.value) + [call.function, heap.list(call.arguments)])
  }
}
