/// Calls of what reads or changes a field of a record, as the global is while the function is compiled. They have instructions, which look whether it still is
/// and whether the record is of the type; otherwise an ordinary call comes behind them, which they skip.
extension Compiler {
  func accessesField(_ index: Int, _ arguments: [Node]) -> Bool {
    let index = linked(index)
    return index <= Int(UInt16.max) && (1...2).contains(arguments.count) && machine.globals[index].isFieldAccess(arity: UInt8(arguments.count))
  }

  mutating func readField(_ index: Int, _ record: Node, _ destination: Int) throws {
    let record = try operand(record)
    let access = emit(.field, a: destination, b: record, c: linked(index))
    call(index, [record], destination)
    skip(access)
  }

  /// `destination` nil: nobody wants the value.
  mutating func changeField(_ index: Int, _ record: Node, _ value: Node, _ destination: Int?) throws {
    let record = try operand(record), register = try operand(value)
    let access = emit(.setField, a: record, b: register, c: linked(index))
    let result = temporary()
    call(index, [record, register], result)
    guard let destination else { return skip(access) }
    emit(.move, a: destination, b: result)
    let end = emit(.jump)
    skip(access)
    emit(.move, a: destination, b: register)
    try patch(end)
  }

  private mutating func call(_ index: Int, _ arguments: [Int], _ destination: Int) {
    let window = temporary()
    for argument in arguments { emit(.move, a: temporary(), b: argument) }
    emit(.callGlobal, n: arguments.count, a: window, global: index)
    emit(.move, a: destination, b: window)
  }
  private mutating func skip(_ access: Int) {
    instructions[access].n = UInt8(instructions.count - access - 1)
    label = instructions.count
  }
}
