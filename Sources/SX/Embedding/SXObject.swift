/// A class whose instances scripts may hold and hand back: they have an identity (`eq?`), a type of their own in `type-of`, in print and in errors, and no
/// inside. Each is retained for as long as a script can reach it, and released after the collection that finds that none can.
///
/// ```swift
/// final class Account: SXObject {
///   static let sxTypeName = "account"
///   var balance = 0
/// }
/// sx.define("open-account") { Account() }
/// sx.define("deposit!") { (account: Account, amount: Int) in account.balance += amount }
/// ```
///
/// The same object is the same SX value each time, in any one interpreter. Objects that interpreters on several threads hold must be `Sendable`.
public protocol SXObject: AnyObject, SXConvertible {
  /// What the printer shows between `#<` and `>`; by default the name of the type.
  var sxDescription: String { get }
}

extension SXObject {
  public var sxDescription: String { Self.sxTypeName }
  public static func from(_ handle: Handle) -> Self? { handle.value.object(as: ForeignObject.self)?.object as? Self }
  public func handle(in interpreter: Interpreter) -> Handle { Handle(interpreter, interpreter.machine.value(of: self)) }
}

/// An object of the embedding program on the heap.
final class ForeignObject: HeapObject {
  let object: any SXObject
  init(_ object: any SXObject) { self.object = object }
  override var typeName: String { type(of: object).sxTypeName }
  override func describe(_ machine: Machine) -> String { "#<\(object.sxDescription)>" }
}

extension Machine {
  /// The one value that stands for an object.
  func value(of object: any SXObject) -> Value {
    let key = ObjectIdentifier(object)
    if let known = foreignObjects[key] { return known }
    let value = heap.allocate(object: ForeignObject(object))
    foreignObjects[key] = value
    return value
  }

  /// After marking: values that are garbage must not be found again.
  func forgetDeadForeignObjects() {
    guard !foreignObjects.isEmpty else { return }
    foreignObjects = foreignObjects.filter { $0.value.header & 1 != 0 }
  }
}

extension Interpreter {
  /// Finds out now what scripts can no longer reach, and releases it: memory, and objects of the host. O(size of the heap). Not needed otherwise, since
  /// collections happen as memory is used. Not to be called inside of a function that a script calls.
  public func collectGarbage() {
    precondition(!machine.isInsideCall, "collectGarbage: a script is running; it can call (collect-garbage)")
    machine.collect()
    // The beginning of a collection releases what the one before has found.
    machine.collect()
  }
}
