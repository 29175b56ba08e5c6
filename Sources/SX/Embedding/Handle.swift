/// A value that Swift keeps alive: data, functions, anything. Belongs to its interpreter and to that one's thread.
public final class Handle: CustomStringConvertible {
  let interpreter: Interpreter
  private let slot: Int

  init(_ interpreter: Interpreter, _ value: Value) {
    self.interpreter = interpreter
    slot = interpreter.machine.handles.add(value)
  }
  deinit { interpreter.machine.handles.remove(slot) }

  var value: Value { interpreter.machine.handles[slot] }

  /// As `write` prints it. O(size).
  public var description: String { Printer.text(value, interpreter.machine) }
  /// As `display` prints it: strings bare.
  public var displayed: String { Printer.text(value, interpreter.machine, .display) }
  /// Whether it is nil.
  public var isNil: Bool { value.isNil }
  /// Everything but nil and false.
  public var isTrue: Bool { !value.isFalsy }
  /// Can it be called?
  public var isFunction: Bool { value.isCallable }
  /// What `type-of` says.
  public var typeName: String { interpreter.machine.typeName(value) }

  /// The type and, where it is short, the value: how messages name what they got.
  public var shownBriefly: String { interpreter.machine.shown(value) }

  /// A copy as plain data. Throws a `Diagnostic` for functions and other values that are no data, and for very deep nesting.
  public func datum() throws -> Datum {
    do { return try interpreter.machine.datum(value) } catch let raise as Raise { throw interpreter.machine.diagnostic(raise) }
  }
  /// The text of a string, without going through `Datum`; nil for other values.
  public var string: String? { value.isString ? value.text : nil }
  /// The integer, or nil.
  public var integer: Int? { Arithmetic.integer(value) }
  /// Calls `body` with the UTF-8 bytes of a string; nil for other values. The bytes are valid during the call.
  public func withUTF8<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R? { value.isString ? try body(value.utf8) : nil }
  /// The value under a key of a dict, or nil.
  public subscript(key: String) -> Handle? {
    guard value.isDict, let found = interpreter.machine.heap.get(value, interpreter.machine.heap.string(key)) else { return nil }
    return Handle(interpreter, found)
  }
  /// What `values` was given, when that was not exactly one value; nil for a single value.
  public var values: [Handle]? { value.object(as: MultipleValues.self)?.values.map { Handle(interpreter, $0) } }
  /// Handles of the elements of a list, all at once; nil for other values. `list` makes them one by one.
  public var elements: [Handle]? { list.map(Array.init) }
}

extension Value {
  /// Can it be called?
  var isCallable: Bool {
    if isKind(.closure) || isKind(.native) { return true }
    guard isKind(.object) else { return false }
    let object = self.object
    return object is Parameter || object is Continuation || object is DelimitedContinuation || object is HostFunction
  }
}
