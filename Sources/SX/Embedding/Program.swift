/// A text that has been read and found to be well formed, for any number of interpreters. An immutable value that may cross threads.
///
/// ```swift
/// let program = try Program("(define (area r) (* 3.14159 r r)) (area 2)", file: "area.sx")
/// let sx = Interpreter()
/// try sx.evaluate(program)      // reads, compiles and runs it
/// try sx.evaluate(program)      // runs it
/// ```
///
/// What it shares: the bytes, known to be UTF-8 and to have matching brackets. Instructions and constants refer to values of one interpreter's heap, so
/// every interpreter compiles a program for itself, form by form, when it first runs it; each form after those before it have run, since
/// they may define macros for it. It keeps the result: further runs in that interpreter neither read nor compile, unless the
/// meaning of a macro has changed in between by something else than the program. What is kept takes about as much memory as the same definitions loaded
/// from a file, and is given up after the last copy of the `Program` is gone. A text that runs once is as well off with `evaluate(_:file:)`.
public struct Program: Sendable {
  /// Holds the text; its identity tells an interpreter that it knows the program.
  final class Contents: Sendable {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
  }

  let contents: Contents
  /// How messages name the text. Its folder is where relative paths of `load` start.
  public let file: String
  /// Number of forms at top level.
  public let formCount: Int

  /// Reads a text. Nothing is evaluated and no name looked up; for that, see `Interpreter.compile`. O(n), and about the time that it takes to make an interpreter.
  ///
  /// - Parameters:
  ///   - source: the text.
  ///   - file: how messages name it.
  /// - Throws: a `Diagnostic` when the text is not well formed; `isIncomplete` tells that it ended inside a form.
  public init(_ source: String, file: String = "<program>") throws {
    try self.init(bytes: Array(source.utf8), file: file)
  }

  /// The same for the bytes of a file.
  public init(bytes: [UInt8], file: String) throws {
    try self.init(bytes: bytes, file: file, readBy: Interpreter())
  }

  init(bytes: [UInt8], file: String, readBy interpreter: Interpreter) throws {
    let machine = interpreter.machine
    do {
      let text = try machine.register(file: file, bytes: bytes)
      formCount = try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(machine, text, bytes), count = 0
        while try reader.next() != nil { count += 1 }
        return count
      }
    } catch {
      throw interpreter.diagnostic(error)
    }
    self.file = file
    contents = Contents(bytes)
  }

  /// The text.
  public var source: String { String(decoding: contents.bytes, as: UTF8.self) }
}

extension Interpreter {
  /// Reads a text and looks for every mistake that can be known without running it: undefined names, wrong numbers of arguments, misused special forms.
  /// What this interpreter defines is known, functions of the host included. Macros and functions of the text are defined here, because later forms may
  /// need them, so this is best done by an interpreter that was made for it. O(n).
  ///
  /// - Throws: the first mistake as a `Diagnostic`; `check(_:file:)` answers all of them.
  public func compile(_ source: String, file: String = "<program>") throws -> Program {
    let program = try Program(bytes: Array(source.utf8), file: file, readBy: self)
    if let mistake = check(program.contents.bytes, file: file).first { throw mistake }
    return program
  }

  /// Runs a program to its end and answers the value of its last form, as `evaluate(_:file:)` does.
  ///
  /// - Throws: a `Diagnostic`.
  @discardableResult
  public func evaluate(_ program: Program) throws -> Handle {
    try run(baseDirectory: program.file) { try machine.loader(of: program) }
  }

  /// Starts a fiber that runs a program. It runs when `runReady` or an evaluation does.
  @discardableResult
  public func spawn(_ program: Program, completion: @escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID {
    spawn(baseDirectory: program.file, completion: completion) { try machine.loader(of: program) }
  }
}
