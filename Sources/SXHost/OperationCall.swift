import SX

/// A failure of an operation; raised as an error value in the fiber that performed it.
struct OperationFailure: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

/// One `(perform {:op … :args …})`, with its arguments taken apart.
struct OperationCall {
  let name: String
  let fiber: FiberID
  let interpreter: Interpreter
  private let arguments: [Handle]

  init(_ operation: Operation, _ interpreter: Interpreter) {
    name = operation.name
    fiber = operation.fiber
    arguments = operation.arguments
    self.interpreter = interpreter
  }

  /// Answers at once. For an answer that comes later from another thread, see `Reply`.
  func succeed(_ value: Datum = .null) {
    interpreter.resume(fiber, returning: value)
  }

  // MARK: Arguments, counted from 0

  func handle(_ index: Int) throws(OperationFailure) -> Handle {
    guard arguments.indices.contains(index) else { throw OperationFailure("\(name): argument \(index + 1) is missing") }
    return arguments[index]
  }

  /// Plain data; nil when the argument was left out.
  func datum(_ index: Int) throws(OperationFailure) -> Datum {
    guard arguments.indices.contains(index) else { return .null }
    do {
      return try arguments[index].datum()
    } catch {
      throw OperationFailure("\(name): argument \(index + 1) is not plain data: \(arguments[index])")
    }
  }

  func isNil(_ index: Int) -> Bool { !arguments.indices.contains(index) || arguments[index].isNil }

  func string(_ index: Int) throws(OperationFailure) -> String {
    guard arguments.indices.contains(index), let string = arguments[index].string else { throw mismatch(index, "string") }
    return string
  }

  func integer(_ index: Int) throws(OperationFailure) -> Int {
    guard arguments.indices.contains(index), let integer = arguments[index].integer else { throw mismatch(index, "integer") }
    return integer
  }

  func number(_ index: Int) throws(OperationFailure) -> Double {
    guard let number = try datum(index).number else { throw mismatch(index, "number") }
    return number
  }

  /// nil counts as the empty dictionary.
  func dictionary(_ index: Int) throws(OperationFailure) -> DatumDictionary {
    if isNil(index) { return [:] }
    let datum = try datum(index)
    guard let dictionary = datum.dict else { throw mismatch(index, "dict") }
    return dictionary
  }

  func mismatch(_ index: Int, _ expectation: String) -> OperationFailure {
    OperationFailure("\(name): argument \(index + 1): \(expectation == "number" ? "Expected" : "expected") \(expectation), got \(arguments.indices.contains(index) ? arguments[index].shownBriefly : "nothing")")
  }
}

extension SystemHost {
  typealias OperationHandler = @Sendable (SystemHost, OperationCall) throws(OperationFailure) -> Void

  /// Every operation of the host by name. Each handler leads to exactly one answer: it succeeds or throws at once, or leaves
  /// a `Reply` or a timer behind.
  static let operations: [String: OperationHandler] =
    timerOperations
    .merging(httpClientOperations) { _, new in new }
    .merging(httpServerOperations) { _, new in new }
    .merging(compressionOperations) { _, new in new }
    .merging(workerOperations) { _, new in new }
}
