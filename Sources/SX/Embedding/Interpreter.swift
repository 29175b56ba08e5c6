/// An SX interpreter: the language with its prelude, and nothing of the world but what its host offers.
///
/// Not `Sendable`: an interpreter, its handles and its callbacks belong to one thread, task or actor at a time, and an interpreter that nobody has handles of may be
/// handed on (`sending`). Many interpreters may run in parallel; they share nothing. `Datum`, `Diagnostic`, `Limits`, `Program`, `cancellation` and `mailbox`
/// may cross threads.
///
/// `evaluate` and `call` block the thread until the script has ended; `run` is for tasks and actors, and suspends them instead while every fiber waits.
public final class Interpreter {
  let machine: Machine
  /// The outside world of this interpreter.
  public let host: any Host

  /// Makes an interpreter. Costs well below a millisecond; definitions of the prelude are evaluated when they are first used.
  ///
  /// - Parameters:
  ///   - host: the outside world; by default one without files, operations and output.
  ///   - capabilities: what scripts may use of what the host offers; nothing by default.
  public init(host: any Host = SilentHost(), capabilities: Capabilities = .none) {
    self.host = host
    machine = Machine(host: host)
    machine.capabilities = capabilities
    machine.interpreter = self
  }

  // MARK: Evaluating

  /// Evaluates all forms of a text and answers the value of the last one. While its fiber waits for the host, other fibers run and the host is
  /// asked to wait for events. Throws a `Diagnostic`.
  ///
  /// - Parameters:
  ///   - source: the text.
  ///   - file: how messages name it.
  ///   - baseDirectory: where relative paths of `load` start, with a slash at the end; the working directory by default.
  @discardableResult
  public func evaluate(_ source: String, file: String = "<eval>", baseDirectory: String? = nil) throws -> Handle {
    try evaluate(bytes: Array(source.utf8), file: file, baseDirectory: baseDirectory)
  }

  /// The same for the bytes of a file, whose folder is where relative paths of `load` start.
  @discardableResult
  public func evaluate(bytes: [UInt8], file: String) throws -> Handle {
    try evaluate(bytes: bytes, file: file, baseDirectory: file)
  }

  private func evaluate(bytes: [UInt8], file: String, baseDirectory: String?) throws -> Handle {
    try run(baseDirectory: baseDirectory) { Loader(try machine.register(file: file, bytes: bytes)) }
  }

  /// Calls a function with copies of data, and runs it to its end. Throws a `Diagnostic`.
  @discardableResult
  public func call(_ function: Handle, _ arguments: [Datum] = []) throws -> Handle { try run(function.value, arguments.map(machine.value)) }

  /// The same with values of this interpreter.
  @discardableResult
  public func call(_ function: Handle, _ arguments: [Handle]) throws -> Handle { try run(function.value, arguments.map(\.value)) }

  /// Does what `at-exit` was given, the latest first, as `exit` does: for a host whose program has come to its end, or failed. Does nothing when that was
  /// nothing, or has been done. What a thunk raises is dropped; when it exits, the host is told so.
  ///
  /// - Throws: a `Diagnostic`, when a limit or a cancellation has ended it.
  public func runAtExit() throws {
    guard machine.globals[machine.preludeGlobal(named: "control/-at-exit")] != .unbound else { return }
    try finish { spawn(try machine.preludeValue("control/-run-at-exit"), [], $0) }
  }

  /// Runs all forms of a loader.
  func run(baseDirectory: String?, _ makeLoader: () throws -> Loader) throws -> Handle {
    guard machine.isInsideCall else { return try finish { spawn(baseDirectory: baseDirectory, completion: $0, makeLoader) } }
    let function: Value, arguments: [Value]
    do { (function, arguments) = machine.entered(try programCall(baseDirectory, makeLoader)) } catch { throw diagnostic(error) }
    return Handle(self, try machine.callFromHost(function, arguments))
  }

  /// Calls a function: inside of the call of SX that has called the host, or as a run.
  private func run(_ function: Value, _ arguments: [Value]) throws -> Handle {
    if machine.isInsideCall {
      let (function, arguments) = machine.entered((function, arguments))
      return Handle(self, try machine.callFromHost(function, arguments))
    }
    return try finish { spawn(function, arguments, $0) }
  }

  /// Runs fibers until the one that `start` makes has ended. Blocks while every fiber waits.
  @discardableResult
  func finish(_ start: (@escaping (Result<Handle, Diagnostic>) -> Void) throws -> FiberID) throws -> Handle {
    // Not a `Result`: to make the type of one that is nil, the runtime would look through all conformances for that of its error, at each start.
    var value: Handle?, failure: Diagnostic?
    let run = machine.beginRun()
    defer { machine.endRun(run) }
    takeMail()
    let fiber = try start { outcome in
      do throws(Diagnostic) { value = try outcome.get() } catch { failure = error }
    }
    machine.awaited.append(fiber.number)
    defer { machine.awaited.removeLast() }
    while true {
      machine.runReady { value != nil || failure != nil }
      if let value { return value }
      if let failure { throw failure }
      if try endsForTime(fiber, run) { continue }
      if !takeMail(), !host.waitForEvents(self, until: run.deadline) {
        // The host has nothing to wait for; but somebody may have announced a job.
        let (isPosted, mayReceive) = lookAtMail()
        guard isPosted || mayReceive else { throw Interpreter.deadlock }
        if !isPosted { machine.mailbox.wait(untilInstant: run.deadline) }
      }
      obeyWhileWaiting(fiber)
    }
  }

  /// The asynchronous form of `evaluate`: suspends the task while every fiber waits, and then goes on where it was, on the same actor. Blocks the thread
  /// only with a host that has no `inbox` and waits for events of its own. When the task is cancelled, so is the script.
  ///
  /// While it is suspended, other tasks of the actor may begin runs. Each runs whatever is ready, in the name of the run that it was begun in: runs that overlap
  /// have their limits each for itself.
  ///
  /// - Throws: a `Diagnostic`.
  @discardableResult
  public func run(_ source: String, file: String = "<eval>", isolation: isolated (any Actor)? = #isolation) async throws -> Handle {
    try await finish(isolation: isolation) { spawn(source: source, file: file, completion: $0) }
  }

  /// The asynchronous form of `evaluate` for a program.
  @discardableResult
  public func run(_ program: Program, isolation: isolated (any Actor)? = #isolation) async throws -> Handle {
    try await finish(isolation: isolation) { spawn(program, completion: $0) }
  }

  /// The asynchronous form of `call`.
  @discardableResult
  public func run(_ function: Handle, _ arguments: [Datum] = [], isolation: isolated (any Actor)? = #isolation) async throws -> Handle {
    try await finish(isolation: isolation) { spawn(function, arguments, completion: $0) }
  }

  /// The same with values of this interpreter.
  @discardableResult
  public func run(_ function: Handle, _ arguments: [Handle], isolation: isolated (any Actor)? = #isolation) async throws -> Handle {
    try await finish(isolation: isolation) { spawn(function.value, arguments.map(\.value), $0) }
  }

  private func finish(isolation: isolated (any Actor)?, _ start: (@escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID) async throws -> Handle {
    precondition(!machine.isInsideCall, "run: a function that a script calls cannot wait; see `evaluate` and `call`")
    var outcome: Result<Handle, Diagnostic>?
    let run = machine.beginRun()
    defer { machine.endRun(run) }
    takeMail()
    let mailbox = machine.mailbox
    let fiber = start {
      outcome = $0
      // Another run may have got here, while this one waits.
      mailbox.wakeSleepers()
    }
    let cancellation = cancellation
    return try await withTaskCancellationHandler {
      // A closure is isolated like its surroundings only when it holds what they are isolated to.
      _ = isolation
      while true {
        machine.runReady { outcome != nil }
        if let outcome { return try outcome.get() }
        if try endsForTime(fiber, run) { continue }
        host.pollEvents(self)
        if takeMail() || !machine.ready.isEmpty { continue }
        let next = [host.nextEvent(), run.deadline].compactMap(\.self).min()
        let (isPosted, mayReceive) = lookAtMail()
        if isPosted { continue }
        if host.nextEvent() != nil || mayReceive {
          machine.charge(nil)
          await machine.mailbox.nextArrival(until: next, isolation: isolation)
          machine.charge(run)
        } else if !host.waitForEvents(self, until: run.deadline) {
          throw Interpreter.deadlock
        }
        obeyWhileWaiting(fiber)
      }
    } onCancel: {
      cancellation.cancel(fiber, reason: "the task was cancelled")
    }
  }

  private static var deadlock: Diagnostic { Diagnostic(message: "deadlock: every fiber waits, and nothing can wake one") }

  /// Whether the time of the run is over while its fiber waits; then that one ends.
  private func endsForTime(_ fiber: FiberID, _ run: RunBudget) throws -> Bool {
    guard let deadline = run.deadline, ContinuousClock.now >= deadline else { return false }
    machine.stopParked([fiber.number: .time])
    guard !machine.ready.isEmpty else { throw diagnostic(Interruption.time) }
    return true
  }

  /// A fiber may wait when it is told to stop; then nobody else can be meant.
  private func obeyWhileWaiting(_ fiber: FiberID) {
    if let interruption = machine.cancellation.take() { machine.stopParked([fiber.number: interruption]) }
    if let status = machine.cancellation.takeExit() { _ = machine.exitParked(status) }
  }

  /// Runs what other threads have left, and answers whether there was something.
  @discardableResult
  private func takeMail() -> Bool {
    let jobs = machine.mailbox.take().jobs
    for job in jobs { job(self) }
    return !jobs.isEmpty
  }

  /// Runs what other threads have left, and answers whether more may come.
  private func lookAtMail() -> (isPosted: Bool, mayReceive: Bool) {
    let (jobs, mayReceive) = machine.mailbox.take()
    for job in jobs { job(self) }
    return (!jobs.isEmpty, mayReceive)
  }

  /// Between two slices of fibers.
  func pollEvents() {
    host.pollEvents(self)
    takeMail()
  }

  // MARK: Fibers

  /// Starts a fiber that calls a function with copies of data. It runs when `runReady` or an evaluation does.
  @discardableResult
  public func spawn(_ function: Handle, _ arguments: [Datum], completion: @escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID {
    spawn(function.value, arguments.map(machine.value), completion)
  }

  /// Starts a fiber that evaluates all forms of a text.
  @discardableResult
  public func spawn(source: String, file: String, completion: @escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID {
    spawn(bytes: Array(source.utf8), file: file, baseDirectory: nil, completion: completion)
  }

  private func spawn(bytes: [UInt8], file: String, baseDirectory: String?, completion: @escaping (Result<Handle, Diagnostic>) -> Void) -> FiberID {
    spawn(baseDirectory: baseDirectory, completion: completion) { Loader(try machine.register(file: file, bytes: bytes)) }
  }

  /// Starts a fiber that runs all forms of a loader. What making one throws is the failure of the fiber.
  func spawn(baseDirectory: String?, completion: @escaping (Result<Handle, Diagnostic>) -> Void, _ makeLoader: () throws -> Loader) -> FiberID {
    do {
      let (function, arguments) = try programCall(baseDirectory, makeLoader)
      return spawn(function, arguments, completion)
    } catch {
      let fiber = machine.makeFiber(machine.listNative, [])
      let failure = diagnostic(error)
      fiber.completion = { _ in completion(.failure(failure)) }
      machine.ready.append(fiber)
      return FiberID(number: fiber.number)
    }
  }

  /// The function of the prelude that runs all forms of a loader, and its arguments.
  private func programCall(_ baseDirectory: String?, _ makeLoader: () throws -> Loader) throws -> (Value, [Value]) {
    let loader = machine.heap.allocate(object: try makeLoader())
    return (try machine.preludeValue("control/-run-program"), [loader, baseDirectory.map { machine.heap.string($0) } ?? .nil])
  }

  /// Starts a fiber; `onFailure` gets the condition that ended it, before the completion is told.
  func spawn(
    _ function: Value, _ arguments: [Value], onFailure: ((Value) -> Void)? = nil, _ completion: @escaping (Result<Handle, Diagnostic>) -> Void
  ) -> FiberID {
    let (function, arguments) = machine.entered((function, arguments))
    let fiber = machine.makeFiber(function, arguments, room: Fiber.evaluationCapacity)
    fiber.isEvaluation = true
    fiber.saved.bindings = .nil
    fiber.completion = { [unowned self] result in
      if case .failure(let raise) = result { onFailure?(raise.condition) }
      completion(result.map { Handle(self, $0) }.mapError { self.machine.diagnostic($0) })
    }
    machine.ready.append(fiber)
    return FiberID(number: fiber.number)
  }

  /// Answers the operation that a fiber waits for. Does nothing when the fiber no longer waits.
  public func resume(_ fiber: FiberID, returning value: Datum) {
    machine.wake(fiber.number, .success(machine.value(value)))
  }

  /// Fails the operation that a fiber waits for: an error value is raised in it.
  public func resume(_ fiber: FiberID, throwing message: String) {
    machine.wake(fiber.number, .failure(machine.error(message)))
  }

  /// Fails the operation that a fiber waits for with an error of Swift, which is the `underlyingError` of the `Diagnostic` when no handler of the script takes it.
  public func resume(_ fiber: FiberID, throwing error: any Error) {
    machine.wake(fiber.number, .failure(machine.raise(ofHost: error)))
  }

  /// Runs fibers until none is ready. Answers at once when all of them wait.
  public func runReady() {
    let run = machine.beginRun()
    defer { machine.endRun(run) }
    takeMail()
    machine.runReady()
  }

  /// Runs fibers until none is ready or the condition, which is asked between their time slices, no longer holds.
  ///
  /// - Returns: whether fibers are still ready.
  public func runReady(while condition: () -> Bool) -> Bool {
    let run = machine.beginRun()
    defer { machine.endRun(run) }
    takeMail()
    machine.runReady { !condition() }
    return !machine.ready.isEmpty
  }

  /// Where other threads leave work for this interpreter.
  public var mailbox: Mailbox { machine.mailbox }

  /// Stops what runs, from any thread.
  public var cancellation: Cancellation { machine.cancellation }

  // MARK: Names and data

  /// All global names, the prelude's included, in no particular order. O(n).
  public var globalNames: [String] { machine.definedNames }

  /// Gives a global a value, whether it exists or not.
  public func setGlobal(_ name: String, to value: Handle) {
    // Throws only when functions must be compiled again that were compiled before.
    try? machine.define(machine.heap.symbol(name), value.value)
  }

  /// Copies data into the interpreter.
  public func makeHandle(_ datum: Datum) -> Handle { Handle(self, machine.value(datum)) }

  /// What a run may use. No limit by default. Steps, time and output that are set while something runs hold from the next run on.
  public var limits: Limits {
    get { machine.budget.limits }
    set {
      machine.budget.limits = newValue
      machine.heap.byteLimit = newValue.heapBytes ?? .max
    }
  }

  /// What scripts may use of what the host offers. What has been begun with a capability, as a server, goes on without it.
  public var capabilities: Capabilities {
    get { machine.capabilities }
    set { machine.capabilities = newValue }
  }

  /// `limits.heapBytes`.
  public var heapLimit: Int? {
    get { limits.heapBytes }
    set { limits.heapBytes = newValue }
  }

  /// Bytes that the heap holds now, garbage included.
  public var heapBytes: Int { machine.heap.bytesInUse }

  /// Collects at every safepoint, to find values that nothing keeps alive. Slow: for tests.
  public var stressesCollector: Bool {
    get { machine.heap.isStressed }
    set { machine.heap.isStressed = newValue }
  }
  /// Number of collections so far.
  public var collections: Int { machine.heap.collections }

  // MARK: Looking without running

  /// What a text still lacks, as a session wants to know after every line.
  public enum Completeness {
    /// Every form has its end.
    case complete
    /// The text ended inside a form.
    case incomplete
    /// No more text makes it right.
    case invalid(Diagnostic)
  }

  /// Reads a text without evaluating it.
  public func completeness(of source: String) -> Completeness {
    do {
      let text = try machine.register(file: "<input>", bytes: Array(source.utf8))
      try text.bytes.withUnsafeBufferPointer { bytes in
        var reader = Reader(machine, text, bytes)
        while try reader.next() != nil {}
      }
      return .complete
    } catch let error as SyntaxError {
      return error.isIncomplete ? .incomplete : .invalid(machine.diagnostic(error))
    } catch {
      return .invalid(diagnostic(error))
    }
  }

  /// Reads and compiles a text without running it: what is wrong with it, in order of place. Macros are defined, because later forms need them.
  public func check(_ source: [UInt8], file: String) -> [Diagnostic] {
    var checker = Checker(machine)
    return checker.check(source, file: file)
  }

  // MARK: Reporting

  func diagnostic(_ error: any Error) -> Diagnostic {
    switch error {
    case let diagnostic as Diagnostic: diagnostic
    case let syntax as SyntaxError: machine.diagnostic(syntax)
    default: machine.diagnostic(machine.asRaise(error))
    }
  }

  /// Told about every condition that has ended a spawned fiber, after it was reported on standard error.
  public var onFiberFailure: ((Diagnostic) -> Void)?

  /// Shows an error that nobody waits for.
  func report(_ diagnostic: Diagnostic, in place: String) {
    var text = "in \(place): " + diagnostic.rendered(color: false) + "\n"
    text.withUTF8 { host.write(UnsafeRawBufferPointer($0), to: .standardError) }
    onFiberFailure?(diagnostic)
  }
}
