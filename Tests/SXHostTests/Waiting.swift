import Dispatch
import Testing

/// Runs a body that blocks. On a thread of the tasks it would take that away from the server's tasks in this process.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "blocking").async { continuation.resume(with: Result(catching: body)) }
  }
}

/// Looks again and again until the condition holds; a test that waits for ever helps nobody.
func eventually(_ condition: () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
  let clock = ContinuousClock()
  let end = clock.now + .seconds(60)
  while try await !condition() {
    try #require(clock.now < end, "it has not come about within a minute", sourceLocation: sourceLocation)
    try await Task.sleep(for: .milliseconds(5))
  }
}
