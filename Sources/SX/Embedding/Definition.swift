extension Interpreter {
  /// Defines a function in Swift. Arity and types of the arguments come from the closure's own parameters; a wrong call is an error in SX that
  /// names the function, the argument and both types. An error that the closure throws becomes an error value in SX.
  ///
  /// ```swift
  /// sx.define("repeat-text") { (s: String, n: Int) in String(repeating: s, count: n) }
  /// ```
  public func define<each P: SXConvertible, R: SXConvertible>(_ name: String, doc: String = "", _ body: @escaping (repeat each P) throws -> R) {
    var typeNames: [String] = []
    repeat typeNames.append((each P).sxTypeName)
    let names = typeNames
    let call: ([Value]) throws -> Value = { [unowned self] arguments in
      guard arguments.count == names.count else {
        throw self.machine.error("\(name): expected \(names.count) argument\(names.count == 1 ? "" : "s"), got \(arguments.count)", hint: "usage: (\(([name] + names.map { "<\($0)>" }).joined(separator: " ")))")
      }
      var next = 0
      func take<T: SXConvertible>(_ type: T.Type) throws -> T {
        defer { next += 1 }
        guard let value = T.from(Handle(self, arguments[next])) else { throw self.machine.wrongType(name, next + 1, T.sxTypeName, arguments[next]) }
        return value
      }
      do {
        let result = self.machine.value(try body(repeat try take((each P).self)).datum())
        // A function that has asked for the end of the script is the last thing that it calls.
        if let interruption = self.machine.cancellation.take() { throw interruption }
        return result
      } catch let raise as Raise {
        throw raise
      } catch let limit as Interruption {
        throw limit
      } catch {
        let object = ErrorObject(message: "\(error)")
        object.underlyingError = error
        throw Raise(condition: self.machine.heap.allocate(object: object))
      }
    }
    let function = machine.heap.allocate(object: HostFunction(name: name, doc: doc, parameters: names, call))
    // Only a primitive that is open-coded makes this throw, and its functions were compiled once already.
    try? machine.setGlobal(machine.globalIndex(machine.heap.symbol(name)), function)
  }
}

/// A function of the embedding program. Held by the machine it was made for and called on that one's thread only, which is why the
/// closure may be of any kind.
final class HostFunction: HeapObject {
  let name: String
  let doc: String
  /// Type names of the parameters.
  let parameters: [String]
  let call: ([Value]) throws -> Value

  init(name: String, doc: String, parameters: [String], _ call: @escaping ([Value]) throws -> Value) {
    self.name = name
    self.doc = doc
    self.parameters = parameters
    self.call = call
  }
  override var typeName: String { "native-fn" }
  override func describe(_ machine: Machine) -> String { "#<native \(name)>" }
}
