/// The remaining arguments of a call, for the last parameter of a function that Swift defines.
///
/// ```swift
/// sx.define("total") { (first: Int, more: Rest<Int>) in more.reduce(first, +) }      // (total 1 2 3)
/// ```
public struct Rest<Element: SXConvertible>: SXConvertible, RandomAccessCollection {
  /// The arguments in their order.
  public let elements: [Element]
  /// A list of arguments.
  public init(_ elements: [Element]) { self.elements = elements }

  public var startIndex: Int { elements.startIndex }
  public var endIndex: Int { elements.endIndex }
  public subscript(position: Int) -> Element { elements[position] }

  public static var sxTypeName: String { Element.sxTypeName }
  /// A list of them; as a parameter it is not one argument, but all that are left.
  public static func from(_ handle: Handle) -> Rest<Element>? { if let all = [Element].from(handle) { Rest(all) } else { nil } }
  public func handle(in interpreter: Interpreter) -> Handle { elements.handle(in: interpreter) }
}
extension Rest: Sendable where Element: Sendable {}

/// Something of SX that can be called: what a script hands over as an argument, or what Swift keeps. Belongs to its interpreter and to that one's thread.
///
/// ```swift
/// sx.define("twice") { (f: Function) throws in
///   let once: Int = try f(1)
///   return try f(once, as: Int.self)
/// }
/// ```
///
/// Called by a function of the host, it runs inside of that call, with the script's handlers and parameters, and cannot wait for the host; what it raises
/// is, when the Swift function lets it pass, for the script the very same condition. Called by Swift otherwise, it is a run of its own, as `Interpreter.call` is.
public struct Function: SXConvertible {
  /// The function as a value.
  public let handle: Handle

  /// Nil when the value cannot be called.
  public init?(_ handle: Handle) {
    guard handle.isFunction else { return nil }
    self.handle = handle
  }

  /// Calls it and converts its value.
  ///
  /// - Throws: a `Diagnostic` for what it raises, and when the value is of another type.
  public func callAsFunction<each Argument: SXConvertible, Result: SXConvertible>(_ arguments: repeat each Argument, as type: Result.Type = Result.self) throws -> Result {
    let interpreter = handle.interpreter
    var handles: [Handle] = []
    repeat handles.append((each arguments).handle(in: interpreter))
    let value = try interpreter.call(handle, handles)
    if let result = Result.from(value) { return result }
    throw Diagnostic(message: "expected \(Result.sxTypeName) as the value of a call, got \(interpreter.machine.shown(value.value))")
  }

  public static var sxTypeName: String { "function" }
  public static func from(_ handle: Handle) -> Function? { Function(handle) }
  public func handle(in interpreter: Interpreter) -> Handle { handle.handle(in: interpreter) }
}

/// What the type of a parameter says about how it is to be given.
protocol OptionalParameter {}
extension Optional: OptionalParameter {}

protocol RestParameter {
  /// One more argument of a rest parameter, or nil when it is of another type.
  static func makeRest(_ handles: [Handle]) -> (value: Self?, wrong: Int)
}
extension Rest: RestParameter {
  static func makeRest(_ handles: [Handle]) -> (value: Rest<Element>?, wrong: Int) {
    var elements: [Element] = []
    for (i, handle) in handles.enumerated() {
      guard let element = Element.from(handle) else { return (nil, i) }
      elements.append(element)
    }
    return (Rest(elements), 0)
  }
}
