@testable import SX

/// A variable. Closures share it, so an assignment is seen by all.
final class ReferenceCell {
  var value: Value
  init(_ value: Value) { self.value = value }
}

/// The variables of a scope, and the scope around it. The outermost one has no variables: its names are global.
final class ReferenceEnvironment {
  private var names: [Value] = []
  private var cells: [ReferenceCell] = []
  let parent: ReferenceEnvironment?
  /// Code of the prelude means the primitives whatever a program makes of their names.
  let isPrelude: Bool

  init(isPrelude: Bool) {
    parent = nil
    self.isPrelude = isPrelude
  }
  init(inside parent: ReferenceEnvironment) {
    self.parent = parent
    isPrelude = parent.isPrelude
  }
  var isTopLevel: Bool { parent == nil }

  func bind(_ name: Value, _ value: Value) {
    names.append(name)
    cells.append(ReferenceCell(value))
  }
  func own(_ name: Value) -> ReferenceCell? { names.lastIndex(of: name).map { cells[$0] } }
  func find(_ name: Value) -> ReferenceCell? {
    var scope: ReferenceEnvironment? = self
    while let here = scope {
      if let cell = here.own(name) { return cell }
      scope = here.parent
    }
    return nil
  }
}

/// What `fn` gives.
final class ReferenceClosure: HeapObject {
  var name: String
  let parameters: [Value]
  let rest: Value?
  let body: [Value]
  let environment: ReferenceEnvironment

  init(name: String, parameters: [Value], rest: Value?, body: [Value], environment: ReferenceEnvironment) {
    self.name = name
    self.parameters = parameters
    self.rest = rest
    self.body = body
    self.environment = environment
  }
  var displayName: String { name.isEmpty ? "anonymous" : name }
  override var typeName: String { "lambda" }
  override func describe(_ machine: Machine) -> String { "#<lambda \(displayName)>" }
}

/// A function that the evaluator brings along, because it calls functions.
final class ReferenceFunction: HeapObject {
  typealias Body = (ReferenceEvaluator, [Value]) throws -> ReferenceStep
  let name: String
  /// Missing arguments are nil; further ones are an error unless `hasRest`.
  let required: Int
  let hasRest: Bool
  /// The primitive that it stands for, which knows how many arguments it takes; nil where it stands for a function of the prelude.
  let native: Native?
  let body: Body

  init(_ name: String, _ required: Int, hasRest: Bool, native: Native?, body: @escaping Body) {
    self.name = name
    self.required = required
    self.hasRest = hasRest
    self.native = native
    self.body = body
  }
  override var typeName: String { native == nil ? "lambda" : "native-fn" }
  override func describe(_ machine: Machine) -> String { native == nil ? "#<lambda \(name)>" : "#<native \(name)>" }
}

final class ReferenceMacro: HeapObject {
  let closure: Value
  init(_ closure: Value) { self.closure = closure }
  override var typeName: String { "macro" }
}

/// A way out of `call/cc`; the way back in is beyond a tree walk.
final class ReferenceContinuation: HeapObject {
  var isInside = true
  override var typeName: String { "continuation" }
}

/// Something that was defined in a way that the evaluator does not know.
final class ReferenceUnknown: HeapObject {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// What is left to do for the value of an expression; the last step of a function is its caller's, so that tail calls take no stack.
enum ReferenceStep {
  case value(Value)
  case evaluate(Value, ReferenceEnvironment)
  case sequence(ArraySlice<Value>, ReferenceEnvironment)
  case call(Value, [Value])
}

/// The handlers in place, innermost first.
final class ReferenceHandler {
  /// Predicates and handlers; nil for a guard.
  let clauses: [(predicate: Value, handler: Value)]?
  let next: ReferenceHandler?
  init(clauses: [(predicate: Value, handler: Value)]?, next: ReferenceHandler?) {
    self.clauses = clauses
    self.next = next
  }
}

/// The program needs something that the evaluator does not have. No program can catch it.
struct Unsupported: Error { let what: String }
/// Control goes to a guard.
struct ReferenceTransfer: Error {
  let target: ObjectIdentifier
  let condition: Value
  let isContinuable: Bool
}
/// Control goes to the end of a `call/cc`.
struct ReferenceEscape: Error {
  let target: ObjectIdentifier
  let value: Value
}
/// Nobody has handled a condition.
struct ReferenceUncaught: Error { let condition: Value }
